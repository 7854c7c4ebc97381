# confine: the sandbox engine with real processes. The tests embed libringside
# and the probe, a guest of one file that misbehaves as it is told.

probe_flags = -std=gnu11 -O2 -g0 $(WARN_CFLAGS) -ffreestanding -fno-pic \
	-fno-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE \
	-I$(top_srcdir)/common -I$(top_srcdir)/libhypercall \
	-I$(top_srcdir)/libhypercall/guest -I$(top_srcdir)/hypervisor \
	-I$(top_srcdir)/%D%

confine_probe = %D%/probe.c %D%/probe_mail.c %D%/probe_puppet.c \
	%D%/probe_race.c

%D%/probe.elf: $(confine_probe) %D%/probe.h %D%/probe.lds $(stub_headers)
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) $(probe_flags) -static -nostdlib \
	    -Wl,-T,$(top_srcdir)/%D%/probe.lds -Wl,--build-id=none \
	    -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -o $@ \
	    $(addprefix $(top_srcdir)/,$(confine_probe))
CLEANFILES += %D%/probe.elf
EXTRA_DIST += $(confine_probe) %D%/probe.lds

confine_cppflags = $(core_test_cppflags) -I$(top_srcdir)/%D%

check_LIBRARIES += %D%/libconfine.a
%C%_libconfine_a_CPPFLAGS = $(confine_cppflags)
%C%_libconfine_a_CCASFLAGS = -DPROBE_FILE='"%D%/probe.elf"'
%C%_libconfine_a_SOURCES = %D%/confine.c %D%/confine.h %D%/probe.h \
	%D%/probe_blob.S %D%/puppet.c %D%/puppet.h
%D%/libconfine_a-probe_blob.$(OBJEXT): %D%/probe.elf

confine_ldadd = %D%/libconfine.a hypervisor/libringside-core.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS) -lpthread

unit_tests += %D%/test_confine_faults
%C%_test_confine_faults_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_faults_LDADD = $(confine_ldadd)

unit_tests += %D%/test_confine_calls
%C%_test_confine_calls_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_calls_LDADD = $(confine_ldadd)

unit_tests += %D%/test_confine_grants
%C%_test_confine_grants_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_grants_LDADD = $(confine_ldadd)

unit_tests += %D%/test_confine_order
%C%_test_confine_order_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_order_LDADD = $(confine_ldadd)
%C%_test_confine_order_SOURCES = %D%/test_confine_order.c \
	%D%/order_model.c %D%/order_model.h %D%/order_play.c %D%/order_play.h

# Other random programs than those of `make check`, for SECONDS; with SEED from
# that one on.
model-order: %D%/test_confine_order
	%D%/test_confine_order --seconds $(or $(SECONDS),60) $(SEED)
.PHONY: model-order

unit_tests += %D%/test_confine_process
%C%_test_confine_process_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_process_LDADD = $(confine_ldadd)

unit_tests += %D%/test_confine_stop
%C%_test_confine_stop_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_stop_LDADD = $(confine_ldadd)

unit_tests += %D%/test_confine_mailbox
%C%_test_confine_mailbox_CPPFLAGS = $(confine_cppflags)
%C%_test_confine_mailbox_LDADD = $(confine_ldadd)
