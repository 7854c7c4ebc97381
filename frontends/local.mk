# frontends: guest code, part of the guest kernel's library.

guest_kernel_sources += %D%/consfront.c %D%/consfront.h
guest_kernel_sources += %D%/blkfront.c \
	%D%/blkfront.h %D%/blkfront_buffer.c %D%/blkfront_names.c \
	%D%/blkfront_sync.c %D%/blkfront_xenbus.c
guest_kernel_sources += %D%/netfront.c %D%/netfront.h \
	%D%/netfront_ring.c %D%/netfront_ring.h

# A carrier that the test supplies, instead of the hypercall page.
unit_tests += tests/unit/test_netfront
tests_unit_test_netfront_CPPFLAGS = $(HOST_CPPFLAGS) \
	-I$(top_srcdir)/libhypercall/host $(GUEST_ARCH_PV) \
	-DRINGSIDE_HOST_TEST
tests_unit_test_netfront_SOURCES = tests/unit/test_netfront.c \
	%D%/netfront_ring.c
tests_unit_test_netfront_LDADD = $(CMOCKA_LIBS)
