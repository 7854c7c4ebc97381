# libclient: what host processes talk to the hypervisor with.
noinst_LIBRARIES += %D%/libclient.a
%C%_libclient_a_CPPFLAGS = $(HOST_CPPFLAGS) $(HYPERCALL_HOST_CPPFLAGS)
%C%_libclient_a_SOURCES = \
	%D%/host.h %D%/connection.h %D%/connection.c %D%/evtchn.c \
	%D%/grant.c %D%/domain.c
