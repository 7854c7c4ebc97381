# Probes of the store (probe.h): one set of tables, and two programs.

probe_tables = %D%/framing.c %D%/paths.c %D%/nodes.c %D%/perms.c \
	%D%/watches.c %D%/transactions.c %D%/domains.c %D%/quotas.c \
	%D%/guests.c
probe_sources = %D%/script.c %D%/request.c %D%/stream.c %D%/text.c $(probe_tables)

unit_tests += %D%/probe_socket
%C%_probe_socket_CPPFLAGS = $(HOST_CPPFLAGS)
%C%_probe_socket_SOURCES = %D%/socket.c %D%/agent.c $(probe_sources)
%C%_probe_socket_LDADD =

# A guest of several files, of which ring.c calls the guest kernel's own
# functions; tests/system/xenstore_probe.sh runs it.
check_DATA += %D%/probe_guest.elf
CLEANFILES += %D%/probe_guest.elf %D%/ring.o
EXTRA_DIST += %D%/ring.c
system_tests += tests/system/xenstore_probe.sh \
	tests/system/xenstore_conformance.sh

probe_headers = $(addprefix $(top_srcdir)/%D%/,agent.h probe.h request.h stream.h)

probe_guest_cc = ./ringside-cc $(WARN_CFLAGS) -I$(top_srcdir)/common \
	-I$(top_srcdir) -I$(top_srcdir)/libhypercall/guest $(GUEST_ARCH_PV)

%D%/probe_guest.elf: %D%/ring.c $(probe_sources) $(probe_headers) ringside-cc \
		$(guest_libraries) guest-kernel/guest.lds
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_at)$(probe_guest_cc) -c -o $(@D)/ring.o $<
	$(AM_V_at)$(OBJCOPY) --redefine-syms=guest-sdk/names.map $(@D)/ring.o
	$(AM_V_ELF)$(probe_guest_cc) -o $@ $(@D)/ring.o \
	    $(addprefix $(top_srcdir)/,$(probe_sources))
