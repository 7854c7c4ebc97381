# guest-kernel: the library that every guest is linked with, twice: for
# hypercalls (arch/pv) and for a bare processor (arch/native). The frontends, the
# network port and the file systems add their sources to both, in their local.mk:
#     guest_kernel_sources += ...

noinst_LIBRARIES += %D%/libringside-guest.a %D%/libringside-guest-native.a

guest_kernel_sources = %D%/arch.h \
	%D%/balloon.c %D%/boot.c %D%/clock.c %D%/clock.h %D%/cmdline.c %D%/console.c \
	%D%/console_drain.c %D%/console_error.c %D%/console_ring.h \
	%D%/console.h %D%/enter.c %D%/entry.S %D%/errno.c %D%/events.c %D%/events.h %D%/events_dispatch.c %D%/events_dispatch.h \
	%D%/exit.c \
	%D%/file.c %D%/file.h %D%/fs.c %D%/grant_map.c %D%/grants.c \
	%D%/grants.h %D%/heap.c %D%/hypercall_page.S %D%/idle.c %D%/idle.h %D%/invariant.h %D%/kernel.h \
	%D%/libc.c %D%/libc.h %D%/lock.c %D%/libc_lock.c %D%/libc_memory.c %D%/libc_posix.c \
	%D%/libc_time.c %D%/machine.c %D%/pages.c \
	%D%/pages.h %D%/panic.c %D%/report.c %D%/schedule.c %D%/sdk_event.c %D%/sdk_memory.c \
	%D%/sdk_store.c %D%/sdk_thread.c %D%/sdk_usage.c %D%/scheduler.h %D%/shutdown.c %D%/smp.c %D%/smp.h %D%/smp_entry.S %D%/switch.S \
	%D%/symbols.c %D%/symbols.h %D%/sync.c %D%/thread.c %D%/thread.h %D%/thread_layout.c \
	%D%/traps.c %D%/traps.h %D%/upcall.h %D%/vcpu.c %D%/vcpu.h %D%/vchan.c %D%/vchan.h \
	%D%/vchan_ring.c %D%/vchan_ring.h %D%/vchan_setup.c \
	%D%/xenbus.c %D%/xenbus.h %D%/xenbus_list.c \
	%D%/xenbus_ring.c %D%/xenbus_ring.h %D%/xenbus_state.c \
	%D%/xenbus_watch.c \
	libhypercall/hypercall.h libhypercall/guest/carrier.h

%C%_libringside_guest_a_SOURCES = $(guest_kernel_sources) \
	%D%/arch/pv/arch_irq.h %D%/arch/pv/entry.S %D%/arch/pv/events.c \
	%D%/arch/pv/guard.c %D%/arch/pv/log.c %D%/arch/pv/timer.c %D%/arch/pv/traps.c %D%/arch/pv/upcall.c
%C%_libringside_guest_native_a_SOURCES = $(guest_kernel_sources) \
	%D%/arch/native/arch_irq.h %D%/arch/native/descriptors.c \
	%D%/arch/native/entry.S %D%/arch/native/interrupts.c \
	%D%/arch/native/native.h %D%/arch/native/paging.c \
	%D%/arch/native/processor.c %D%/arch/native/serial.c %D%/arch/native/timer.c

guest_kernel_cppflags = $(GUEST_CPPFLAGS) $(LWIP_CPPFLAGS) \
	-I$(top_srcdir)/libhypercall/guest $(GUEST_ASSERTS)
guest_kernel_objects = $(%C%_libringside_guest_a_OBJECTS) \
	$(%C%_libringside_guest_native_a_OBJECTS)
%C%_libringside_guest_a_CPPFLAGS = $(guest_kernel_cppflags) $(GUEST_ARCH_PV)
%C%_libringside_guest_a_CFLAGS = $(GUEST_CFLAGS)
%C%_libringside_guest_a_CCASFLAGS = $(GUEST_CFLAGS)
%C%_libringside_guest_native_a_CPPFLAGS = $(guest_kernel_cppflags) \
	$(GUEST_ARCH_NATIVE)
%C%_libringside_guest_native_a_CFLAGS = $(GUEST_CFLAGS)
%C%_libringside_guest_native_a_CCASFLAGS = $(GUEST_CFLAGS)
$(guest_kernel_objects): override CFLAGS =
$(guest_kernel_objects): override CPPFLAGS =
$(guest_kernel_objects): guest-sdk/newlib.stamp guest-sdk/lwip.stamp

noinst_HEADERS += include/ringside/guest.h include/ringside/vchan.h

EXTRA_DIST += %D%/guest.lds %D%/ksyms.awk

include guest-kernel/fs/local.mk
include guest-kernel/net/local.mk

# Files that need no hypervisor are tested on the host.
unit_tests += tests/unit/test_guest_fs tests/unit/test_guest_pages \
	tests/unit/test_guest_text tests/unit/test_vchan_ring \
	tests/unit/test_xenbus_list
tests_unit_test_guest_fs_SOURCES = tests/unit/test_guest_fs.c %D%/file.c \
	%D%/fs.c
tests_unit_test_guest_fs_LDADD = $(CMOCKA_LIBS)
tests_unit_test_guest_pages_SOURCES = tests/unit/test_guest_pages.c \
	%D%/pages.c
tests_unit_test_guest_pages_LDADD = $(CMOCKA_LIBS)
tests_unit_test_guest_text_SOURCES = tests/unit/test_guest_text.c \
	%D%/cmdline.c %D%/symbols.c
tests_unit_test_guest_text_LDADD = $(CMOCKA_LIBS)
tests_unit_test_xenbus_list_SOURCES = tests/unit/test_xenbus_list.c \
	%D%/xenbus_list.c
tests_unit_test_xenbus_list_LDADD = $(CMOCKA_LIBS)
tests_unit_test_vchan_ring_SOURCES = tests/unit/test_vchan_ring.c \
	%D%/vchan_ring.c
tests_unit_test_vchan_ring_LDADD = $(CMOCKA_LIBS)

fuzz_tests += tests/fuzz/fuzz_vchan_ring
tests_fuzz_fuzz_vchan_ring_SOURCES = tests/fuzz/fuzz_vchan_ring.c $(fuzz_main) \
	%D%/vchan_ring.c
tests_fuzz_fuzz_vchan_ring_LDFLAGS = $(FUZZ_LINK)
