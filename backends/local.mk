# backends: the driver domain, ringside-driverd.
#
# $(driver_CPPFLAGS) is for everything that is compiled against these headers,
# unit tests included.

driver_CPPFLAGS = $(HOST_CPPFLAGS) -I$(top_srcdir)/libhypercall \
	-I$(top_srcdir)/libhypercall/host -I$(top_srcdir)/backends \
	$(EVENT_CFLAGS) $(XENSTORE_CFLAGS) $(URING_CFLAGS)

noinst_HEADERS += %D%/driver.h %D%/store.h %D%/xenbus_backend.h %D%/poll.h
