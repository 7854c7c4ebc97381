# libclient: libringside-client, what host processes talk to ringsided with. It
# exports what include/ringside/client.h declares (build-aux/library.mk).
noinst_LIBRARIES += %D%/libringside-client-core.a
ringsideinclude_HEADERS += include/ringside/client.h
%C%_libringside_client_core_a_CFLAGS = $(HOST_CFLAGS) $(LIBRARY_CFLAGS)
%C%_libringside_client_core_a_SOURCES = \
	include/ringside/client.h %D%/internal.h \
	%D%/connection.c %D%/create.c %D%/domain.c %D%/evtchn.c \
	%D%/exchange.c %D%/grant.c %D%/hypercall.c

libraries += %D%/libringside-client

# Directories with "exec" in their name are those of `make install-exec`.
execclientdir = $(libdir)
execclient_DATA = %D%/libringside-client.a %D%/libringside-client.so.$(VERSION)
pkgconfig_DATA += ringside-client.pc
EXTRA_DIST += build-aux/ringside-client.pc.in
noinst_DATA += %D%/libringside-client.so

# What a program that uses the library needs, and nothing else.
install-libringside-client: install-execclientDATA \
	install-links-libringside-client install-pkgconfigDATA \
	install-ringsideincludeHEADERS
uninstall-libringside-client: uninstall-execclientDATA \
	uninstall-links-libringside-client uninstall-pkgconfigDATA \
	uninstall-ringsideincludeHEADERS

.PHONY: install-libringside-client uninstall-libringside-client
