# libclient: libringside-client, what host processes talk to ringsided with.
noinst_LIBRARIES += %D%/libclient.a
ringsideinclude_HEADERS += include/ringside/client.h
%C%_libclient_a_SOURCES = \
	include/ringside/client.h %D%/internal.h \
	%D%/connection.c %D%/create.c %D%/domain.c %D%/evtchn.c \
	%D%/exchange.c %D%/grant.c %D%/hypercall.c
