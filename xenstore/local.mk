# xenstore: ringside-xenstored, the store.
#
# libxenstored.a is all of it but main(), the socket and the hypervisor, so
# that tests and fuzzers can put their own in place.

xenstore_CPPFLAGS = $(HOST_CPPFLAGS) -I$(top_srcdir)/libhypercall \
	-I$(top_srcdir)/libhypercall/host -I$(top_srcdir)/xenstore \
	$(EVENT_CFLAGS)

noinst_LIBRARIES += %D%/libxenstored.a
%C%_libxenstored_a_CPPFLAGS = $(xenstore_CPPFLAGS)
%C%_libxenstored_a_SOURCES = \
	%D%/conn.c %D%/conn.h %D%/conn_ring.c %D%/conn_ring.h \
	%D%/control.c %D%/domain.c %D%/domain.h %D%/hash.c %D%/hash.h \
	%D%/hv.h %D%/hv_none.c %D%/kids.c %D%/kids.h %D%/kids_big.c \
	%D%/kids_big.h %D%/log.c %D%/log.h %D%/node.c %D%/node.h %D%/ops.c \
	%D%/ops.h %D%/outq.c %D%/outq.h %D%/path.c %D%/path.h %D%/perms.c \
	%D%/perms.h %D%/quota.c %D%/quota.h %D%/req_domain.c %D%/req_node.c \
	%D%/req_session.c %D%/request.c %D%/request.h %D%/store.c \
	%D%/store.h %D%/throttle.c %D%/throttle.h %D%/tree.c %D%/tree.h \
	%D%/txn.c %D%/txn.h %D%/watch.c %D%/watch.h %D%/wire.c %D%/wire.h

sbin_PROGRAMS += ringside-xenstored
ringside_xenstored_CPPFLAGS = $(xenstore_CPPFLAGS)
ringside_xenstored_SOURCES = \
	%D%/conn_socket.c %D%/conn_socket.h %D%/hv_ringside.c \
	%D%/hv_ringside.h %D%/options.c %D%/options.h %D%/xenstored.c
ringside_xenstored_LDADD = %D%/libxenstored.a \
	libhypercall/libhypercall-host.a $(EVENT_LIBS)
