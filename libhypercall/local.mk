# libhypercall: hypercalls as typed functions (headers alone). The guest's
# carrier is a header, the host processes' is libclient.
HYPERCALL_HOST_CPPFLAGS = -I$(top_srcdir)/libclient -I$(top_srcdir)/%D% \
	-I$(top_srcdir)/%D%/host
