# libhypercall: hypercalls as typed functions, and the carrier of host
# processes (the guest's carrier is a header).
HYPERCALL_HOST_CPPFLAGS = -I$(top_srcdir)/%D% -I$(top_srcdir)/%D%/host

noinst_LIBRARIES += %D%/libhypercall-host.a
%C%_libhypercall_host_a_CPPFLAGS = $(HOST_CPPFLAGS) $(HYPERCALL_HOST_CPPFLAGS)
%C%_libhypercall_host_a_SOURCES = \
	%D%/hypercall.h %D%/guest/carrier.h %D%/host/carrier.h \
	%D%/host/carrier.c
