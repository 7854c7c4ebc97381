# hypervisor: libringside, the core and what stands around it, a folder each.
#
# They include each other by name from here, so they get their own -I; the stub
# (sandbox/stub) is linked apart, as the program that stands in every guest's
# process, and enters the library as a blob.

# libringside-core.a has all symbols, for the tests of the core; the library that
# is installed is made of its objects and exports rs_* alone (link.mk).
noinst_LIBRARIES += %D%/libringside-core.a
ringsideinclude_HEADERS += include/ringside/domain.h \
	include/ringside/ringside.h

%C%_cppflags = $(HOST_CPPFLAGS) -I$(top_srcdir)/%D%

%C%_libringside_core_a_CPPFLAGS = $(%C%_cppflags)
%C%_libringside_core_a_CFLAGS = $(HOST_CFLAGS) $(SECCOMP_CFLAGS) \
	$(LIBRARY_CFLAGS)
%C%_libringside_core_a_CCASFLAGS = -DSTUB_FILE='"%D%/sandbox/stub/stub"'
%C%_libringside_core_a_SOURCES = \
	%D%/app_watch.c \
	%D%/budget.c \
	%D%/clock.c %D%/clock.h \
	%D%/console.c %D%/console.h \
	%D%/domain.c %D%/domain.h \
	%D%/engine.h \
	%D%/evtchn.c %D%/evtchn.h \
	%D%/grant.c %D%/grant.h \
	%D%/guest_access.c %D%/guest_access.h \
	%D%/host.c %D%/host.h \
	%D%/invariant.c %D%/invariant.h \
	%D%/log.c $(printable) \
	%D%/memory.c %D%/memory.h \
	%D%/preempt.c %D%/preempt.h \
	%D%/stats.c %D%/stats.h \
	%D%/trap.c %D%/trap.h \
	%D%/tsc.c %D%/tsc.h \
	%D%/vcpu.c %D%/vcpu.h \
	%D%/watchdog.c \
	%D%/api/api.c \
	%D%/build/builder.c %D%/build/builder.h \
	%D%/build/image.c %D%/build/image.h \
	%D%/control/call.c %D%/control/console_sink.c \
	%D%/control/control.c %D%/control/control.h \
	%D%/control/internal.h %D%/control/peer.c %D%/control/toolstack.c \
	%D%/control/view.c %D%/control/view.h \
	%D%/control/window.c %D%/control/window.h \
	%D%/emulate/emulate.h \
	%D%/hypercalls/console_io.c \
	%D%/hypercalls/evtchn_op.c %D%/hypercalls/grant_op.c \
	%D%/hypercalls/hvm_op.c \
	%D%/hypercalls/hypercall.c %D%/hypercalls/hypercall.h \
	%D%/hypercalls/memory_op.c %D%/hypercalls/sched.c \
	%D%/hypercalls/toolstack_op.c %D%/hypercalls/vcpu_op.c \
	%D%/hypercalls/version.c \
	%D%/sandbox/filter.c %D%/sandbox/guest_fds.c %D%/sandbox/layout.h \
	%D%/sandbox/mailbox.c %D%/sandbox/mailbox.h \
	%D%/sandbox/mappings.c %D%/sandbox/notify.c %D%/sandbox/pacing.c \
	%D%/sandbox/sandbox.c %D%/sandbox/sandbox.h \
	%D%/sandbox/stub_blob.S %D%/sandbox/vcpu_thread.c %D%/sandbox/zygote.c \
	%D%/test/engine_test.c %D%/test/engine_test.h

# Trap-and-emulate: reached by rs_host.emulate alone.
emulate_sources = %D%/emulate/decode.c %D%/emulate/devices.c \
	%D%/emulate/exit.c %D%/emulate/instructions.c \
	%D%/emulate/interrupts.c %D%/emulate/machine.h %D%/emulate/paging.c
if EMULATE
%C%_libringside_core_a_SOURCES += $(emulate_sources)
%C%_libringside_core_a_CPPFLAGS += -DENABLE_EMULATE
else
EXTRA_DIST += $(emulate_sources)
endif

# The stub: freestanding, position independent, no relocations, no vector
# registers (a hypercall preserves them), none of the user's flags.
stub_sources = %D%/sandbox/stub/start.c %D%/sandbox/stub/calls.c \
	%D%/sandbox/stub/events.c %D%/sandbox/stub/mailbox.c \
	%D%/sandbox/stub/native.c \
	%D%/sandbox/stub/traps.c \
	%D%/sandbox/stub/entry.S
stub_headers = %D%/sandbox/stub/stub.h %D%/sandbox/layout.h \
	%D%/sandbox/mailbox.h
EXTRA_DIST += $(stub_sources) %D%/sandbox/stub/stub.h

stub_flags = -std=gnu11 -O2 -g0 $(WARN_CFLAGS) -fpie -ffreestanding \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fvisibility=hidden \
	-U_FORTIFY_SOURCE -D_GNU_SOURCE -I$(top_srcdir)/common

%D%/sandbox/stub/stub: $(stub_sources) $(stub_headers)
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) $(stub_flags) -static-pie -nostdlib \
	    -Wl,--build-id=none -Wl,-z,noexecstack -o $@.tmp \
	    $(addprefix $(top_srcdir)/,$(stub_sources))
	$(AM_V_at)if readelf -rW $@.tmp | grep -q R_X86; then \
	    echo "$@: it has relocations, which nobody would apply" >&2; \
	    exit 1; fi
	$(AM_V_at)mv $@.tmp $@
CLEANFILES += %D%/sandbox/stub/stub

%D%/sandbox/libringside_core_a-stub_blob.$(OBJEXT): %D%/sandbox/stub/stub

# Tests of the control socket: clients as processes, the host of engine test.
control_test_CPPFLAGS = $(%C%_cppflags) $(HYPERCALL_HOST_CPPFLAGS)
control_test_fixture = tests/unit/control_fixture.c \
	tests/unit/control_fixture.h
control_test_LDADD = %D%/libringside-core.a \
	libhypercall/libhypercall-host.a libclient/libringside-client.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_control
tests_unit_test_control_SOURCES = tests/unit/test_control.c \
	$(control_test_fixture)
tests_unit_test_control_CPPFLAGS = $(control_test_CPPFLAGS)
tests_unit_test_control_LDADD = $(control_test_LDADD)

unit_tests += tests/unit/test_control_window
tests_unit_test_control_window_SOURCES = tests/unit/test_control_window.c \
	$(control_test_fixture)
tests_unit_test_control_window_CPPFLAGS = $(control_test_CPPFLAGS)
tests_unit_test_control_window_LDADD = $(control_test_LDADD)

unit_tests += tests/unit/test_control_renew
tests_unit_test_control_renew_SOURCES = tests/unit/test_control_renew.c \
	$(control_test_fixture)
tests_unit_test_control_renew_CPPFLAGS = $(control_test_CPPFLAGS)
tests_unit_test_control_renew_LDADD = $(control_test_LDADD)

unit_tests += tests/unit/test_control_hostile
tests_unit_test_control_hostile_SOURCES = \
	tests/unit/test_control_hostile.c $(control_test_fixture)
tests_unit_test_control_hostile_CPPFLAGS = $(control_test_CPPFLAGS)
tests_unit_test_control_hostile_LDADD = $(control_test_LDADD)

fuzz_tests += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c $(fuzz_main)
tests_fuzz_fuzz_control_CPPFLAGS = $(%C%_cppflags)
tests_fuzz_fuzz_control_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_control_LDADD = %D%/libringside-core.a $(SECCOMP_LIBS)

fuzz_tests += tests/fuzz/fuzz_window
tests_fuzz_fuzz_window_SOURCES = tests/fuzz/fuzz_window.c $(fuzz_main)
tests_fuzz_fuzz_window_CPPFLAGS = $(%C%_cppflags)
tests_fuzz_fuzz_window_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_window_LDADD = %D%/libringside-core.a $(SECCOMP_LIBS)

include hypervisor/link.mk
include hypervisor/ringsided/local.mk
