# link: libringside as others link it, of the objects of libringside-core.a.
#
# Both libraries export what include/ringside/ringside.h declares and nothing
# else: the core is compiled with hidden visibility, and in the static one, a
# single object, every hidden name becomes local. So a program may define any
# name that does not begin with rs_.
#
# libringside.so.N: N rises when a program that was linked before would not
# work with the new library.

ringside_so = %D%/libringside.so
ringside_abi = 0
ringside_libraries = %D%/libringside.a $(ringside_so).$(VERSION)
ringside_links = libringside.so.$(ringside_abi) libringside.so

# Directories with "exec" in their name are those of `make install-exec`.
execlibdir = $(libdir)
execlib_DATA = $(ringside_libraries)
pkgconfig_DATA += ringside.pc
CLEANFILES += $(ringside_libraries) $(addprefix %D%/,$(ringside_links)) \
	%D%/libringside.o

%D%/libringside.a: %D%/libringside-core.a
	$(AM_V_at)$(CC) $(CFLAGS) $(RELOCATABLE_LDFLAGS) -o $(@:.a=.o) \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive
	$(AM_V_at)$(OBJCOPY) --localize-hidden $(@:.a=.o)
	$(AM_V_at)rm -f $@
	$(AM_V_AR)$(AR) $(ARFLAGS) $@ $(@:.a=.o) && $(RANLIB) $@

# A sanitizer's own functions are in the program, not in the library.
if SANITIZED
ringside_defs =
else
ringside_defs = -Wl,-z,defs
endif

$(ringside_so).$(VERSION): %D%/libringside-core.a
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -shared \
	    -Wl,-soname,libringside.so.$(ringside_abi) $(ringside_defs) \
	    -o $@ -Wl,--whole-archive $< -Wl,--no-whole-archive \
	    $(SECCOMP_LIBS) -lpthread

# In the build tree, for programs that are linked with it there.
$(ringside_so): $(ringside_so).$(VERSION)
	$(AM_V_at)for link in $(ringside_links); do \
	    ln -sf $(<F) $(@D)/$$link; done

install-exec-hook: install-ringside-links
install-ringside-links: install-execlibDATA
	for link in $(ringside_links); do \
	    ln -sf libringside.so.$(VERSION) $(DESTDIR)$(libdir)/$$link; done
uninstall-hook:
	cd $(DESTDIR)$(libdir) && rm -f $(ringside_links)

# What a program that embeds the hypervisor needs, and nothing else.
install-libringside: install-ringside-links install-pkgconfigDATA \
	install-ringsideincludeHEADERS
uninstall-libringside: uninstall-execlibDATA uninstall-pkgconfigDATA \
	uninstall-ringsideincludeHEADERS uninstall-hook

# examples/embed once more, with a definition of every name that the core's
# objects share, to be found by whatever looks for one: each ends the program.
check_PROGRAMS += tests/embed/names-static tests/embed/names-shared
tests_embed_names_static_SOURCES = examples/embed/embed.c
nodist_tests_embed_names_static_SOURCES = tests/embed/names.c
tests_embed_names_static_LDFLAGS = $(AM_LDFLAGS) -rdynamic
tests_embed_names_static_LDADD = %D%/libringside.a $(SECCOMP_LIBS)
tests_embed_names_shared_SOURCES = examples/embed/embed.c
nodist_tests_embed_names_shared_SOURCES = tests/embed/names.c
tests_embed_names_shared_LDFLAGS = $(AM_LDFLAGS) -rdynamic \
	-Wl,-rpath,$(abs_top_builddir)/%D%
tests_embed_names_shared_LDADD = $(ringside_so)

tests/embed/names.c: %D%/libringside-core.a
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(NM) -g --defined-only $< | $(AWK) ' \
	    $$3 ~ /^[A-Za-z]/ && $$3 !~ /^rs_|\./ && !seen[$$3]++ { \
	        printf "void %s(void);\nvoid %s(void) { __builtin_abort(); }\n", \
	            $$3, $$3 }' >$@.tmp && mv $@.tmp $@
CLEANFILES += tests/embed/names.c

system_tests += tests/system/libringside.sh

.PHONY: install-ringside-links install-libringside uninstall-libringside
