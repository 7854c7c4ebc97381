# Probes of the store (probe.h): one set of tables, and two programs.

probe_tables = %D%/framing.c %D%/paths.c %D%/nodes.c %D%/perms.c \
	%D%/watches.c %D%/transactions.c %D%/domains.c %D%/quotas.c \
	%D%/guests.c
probe_sources = %D%/script.c %D%/request.c %D%/stream.c %D%/text.c $(probe_tables)

unit_tests += %D%/probe_socket
%C%_probe_socket_CPPFLAGS = $(HOST_CPPFLAGS)
%C%_probe_socket_SOURCES = %D%/socket.c %D%/agent.c $(probe_sources)
%C%_probe_socket_LDADD =

# A guest of several files; tests/system/xenstore_probe.sh runs it.
probe_guest_sources = %D%/ring.c $(probe_sources)
check_DATA += %D%/probe_guest.elf
CLEANFILES += %D%/probe_guest.elf
EXTRA_DIST += %D%/ring.c
system_tests += tests/system/xenstore_probe.sh \
	tests/system/xenstore_conformance.sh

probe_headers = $(addprefix $(top_srcdir)/%D%/,agent.h probe.h request.h stream.h)

%D%/probe_guest.elf: $(probe_guest_sources) $(probe_headers) ringside-cc \
		$(guest_libraries) guest-kernel/guest.lds
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_ELF)./ringside-cc $(WARN_CFLAGS) -I$(top_srcdir)/common \
	    -I$(top_srcdir) -I$(top_srcdir)/libhypercall/guest $(GUEST_ARCH_PV) -o $@ \
	    $(addprefix $(top_srcdir)/,$(probe_guest_sources))
