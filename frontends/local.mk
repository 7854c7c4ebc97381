# frontends: guest code, part of the guest kernel's library.

guest_kernel_sources += %D%/os.h
guest_kernel_sources += %D%/consfront.c %D%/consfront.h \
	%D%/consfront_event.c
guest_kernel_sources += %D%/blkfront.c \
	%D%/blkfront.h %D%/blkfront_buffer.c %D%/blkfront_names.c \
	%D%/blkfront_sync.c %D%/blkfront_xenbus.c
guest_kernel_sources += %D%/netfront.c %D%/netfront.h \
	%D%/netfront_ring.c %D%/netfront_ring.h

# Frontends against backends in the same process: tests/unit/fake_guest.c is the
# guest kernel around them, and the carrier instead of the hypercall page.
fake_guest_CPPFLAGS = $(HOST_CPPFLAGS) \
	-I$(top_srcdir)/libhypercall/host -I$(top_srcdir)/tests/unit \
	$(GUEST_ARCH_PV) -DRINGSIDE_HOST_TEST
fake_guest = tests/unit/fake_guest.c tests/unit/fake_guest.h \
	guest-kernel/pages.c

unit_tests += tests/unit/test_netfront
tests_unit_test_netfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_unit_test_netfront_SOURCES = tests/unit/test_netfront.c $(fake_guest) \
	%D%/netfront_ring.c
tests_unit_test_netfront_LDADD = $(CMOCKA_LIBS)

unit_tests += tests/unit/test_ethif
tests_unit_test_ethif_CPPFLAGS = $(fake_guest_CPPFLAGS) $(LWIP_CPPFLAGS) \
	-DRINGSIDE_LWIP
tests_unit_test_ethif_SOURCES = tests/unit/test_ethif.c \
	guest-kernel/net/ethif.c
tests_unit_test_ethif_LDADD = $(CMOCKA_LIBS)
$(tests_unit_test_ethif_OBJECTS): guest-sdk/lwip.stamp

unit_tests += tests/unit/test_blkfront
tests_unit_test_blkfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_unit_test_blkfront_SOURCES = tests/unit/test_blkfront.c $(fake_guest) \
	%D%/blkfront.c %D%/blkfront_buffer.c
tests_unit_test_blkfront_LDADD = $(CMOCKA_LIBS)

unit_tests += tests/unit/test_consfront
tests_unit_test_consfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_unit_test_consfront_SOURCES = tests/unit/test_consfront.c $(fake_guest) \
	%D%/consfront.c %D%/consfront_event.c \
	guest-kernel/console.c guest-kernel/console_drain.c
tests_unit_test_consfront_LDADD = $(CMOCKA_LIBS)

unit_tests += tests/unit/test_xenbus_ring
tests_unit_test_xenbus_ring_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_unit_test_xenbus_ring_SOURCES = tests/unit/test_xenbus_ring.c \
	$(fake_guest) guest-kernel/xenbus_ring.c
tests_unit_test_xenbus_ring_LDADD = $(CMOCKA_LIBS)

fuzz_tests += tests/fuzz/fuzz_netfront
tests_fuzz_fuzz_netfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_fuzz_fuzz_netfront_SOURCES = tests/fuzz/fuzz_netfront.c $(fuzz_main) \
	$(fake_guest) %D%/netfront_ring.c
tests_fuzz_fuzz_netfront_LDFLAGS = $(FUZZ_LINK)

fuzz_tests += tests/fuzz/fuzz_blkfront
tests_fuzz_fuzz_blkfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_fuzz_fuzz_blkfront_SOURCES = tests/fuzz/fuzz_blkfront.c $(fuzz_main) \
	$(fake_guest) %D%/blkfront.c %D%/blkfront_buffer.c
tests_fuzz_fuzz_blkfront_LDFLAGS = $(FUZZ_LINK)

fuzz_tests += tests/fuzz/fuzz_consfront
tests_fuzz_fuzz_consfront_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_fuzz_fuzz_consfront_SOURCES = tests/fuzz/fuzz_consfront.c $(fuzz_main) \
	$(fake_guest) %D%/consfront.c %D%/consfront_event.c \
	guest-kernel/console.c guest-kernel/console_drain.c
tests_fuzz_fuzz_consfront_LDFLAGS = $(FUZZ_LINK)

fuzz_tests += tests/fuzz/fuzz_xenbus_ring
tests_fuzz_fuzz_xenbus_ring_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_fuzz_fuzz_xenbus_ring_SOURCES = tests/fuzz/fuzz_xenbus_ring.c $(fuzz_main) \
	$(fake_guest) guest-kernel/xenbus_ring.c
tests_fuzz_fuzz_xenbus_ring_LDFLAGS = $(FUZZ_LINK)

unit_tests += tests/unit/test_vchan
tests_unit_test_vchan_CPPFLAGS = $(fake_guest_CPPFLAGS)
tests_unit_test_vchan_SOURCES = tests/unit/test_vchan.c $(fake_guest) \
	guest-kernel/vchan.c guest-kernel/vchan_ring.c
tests_unit_test_vchan_LDADD = $(CMOCKA_LIBS)
