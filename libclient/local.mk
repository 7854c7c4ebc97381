# libclient: libringside-client, what host processes talk to ringsided with.
#
# Both libraries export what include/ringside/client.h declares and nothing
# else: the objects are compiled with hidden visibility, and in the static one,
# a single object, every hidden name becomes local.
#
# libringside-client.so.N: N rises when a program that was linked before would
# not work with the new library.
noinst_LIBRARIES += %D%/libclient.a
ringsideinclude_HEADERS += include/ringside/client.h
%C%_libclient_a_CFLAGS = $(HOST_CFLAGS) -fPIC -fvisibility=hidden
%C%_libclient_a_SOURCES = \
	include/ringside/client.h %D%/internal.h \
	%D%/connection.c %D%/create.c %D%/domain.c %D%/evtchn.c \
	%D%/exchange.c %D%/grant.c %D%/hypercall.c

client_so = %D%/libringside-client.so
client_abi = 0
client_libraries = %D%/libringside-client.a $(client_so).$(VERSION)
client_links = libringside-client.so.$(client_abi) libringside-client.so

# Directories with "exec" in their name are those of `make install-exec`.
execclientdir = $(libdir)
execclient_DATA = $(client_libraries)
pkgconfig_DATA += ringside-client.pc
EXTRA_DIST += build-aux/ringside-client.pc.in
CLEANFILES += $(client_libraries) $(addprefix %D%/,$(client_links)) \
	%D%/libringside-client.o

%D%/libringside-client.a: %D%/libclient.a
	$(AM_V_at)$(CC) $(CFLAGS) $(RELOCATABLE_LDFLAGS) -o $(@:.a=.o) \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive
	$(AM_V_at)$(OBJCOPY) --localize-hidden $(@:.a=.o)
	$(AM_V_at)rm -f $@
	$(AM_V_AR)$(AR) $(ARFLAGS) $@ $(@:.a=.o) && $(RANLIB) $@

$(client_so).$(VERSION): %D%/libclient.a
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -shared \
	    -Wl,-soname,libringside-client.so.$(client_abi) -o $@ \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive

# In the build tree, for programs that are linked with it there.
$(client_so): $(client_so).$(VERSION)
	$(AM_V_at)for link in $(client_links); do \
	    ln -sf $(<F) $(@D)/$$link; done
noinst_DATA += $(client_so)

install-exec-local: install-client-links
install-client-links:
	$(MKDIR_P) $(DESTDIR)$(libdir)
	for link in $(client_links); do \
	    ln -sf libringside-client.so.$(VERSION) \
	        $(DESTDIR)$(libdir)/$$link; done
uninstall-client-links:
	cd $(DESTDIR)$(libdir) && rm -f $(client_links)

# What a program that uses the library needs, and nothing else.
install-libringside-client: install-execclientDATA install-client-links \
	install-pkgconfigDATA install-ringsideincludeHEADERS
uninstall-libringside-client: uninstall-execclientDATA uninstall-client-links \
	uninstall-pkgconfigDATA uninstall-ringsideincludeHEADERS

.PHONY: install-client-links uninstall-client-links \
	install-libringside-client uninstall-libringside-client
