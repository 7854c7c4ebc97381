# link: libringside as others link it, of the objects of libringside-core.a. It
# exports what include/ringside/ringside.h declares (build-aux/library.mk).

libraries += %D%/libringside
%D%/libringside.so.$(VERSION): so_libs = $(SECCOMP_LIBS) -lpthread

# Directories with "exec" in their name are those of `make install-exec`.
execlibdir = $(libdir)
execlib_DATA = %D%/libringside.a %D%/libringside.so.$(VERSION)
pkgconfig_DATA += ringside.pc

# What a program that embeds the hypervisor needs, and nothing else.
install-libringside: install-execlibDATA install-links-libringside \
	install-pkgconfigDATA install-ringsideincludeHEADERS
uninstall-libringside: uninstall-execlibDATA uninstall-links-libringside \
	uninstall-pkgconfigDATA uninstall-ringsideincludeHEADERS

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
tests_embed_names_shared_LDADD = %D%/libringside.so

tests/embed/names.c: %D%/libringside-core.a
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(NM) -g --defined-only $< | $(AWK) ' \
	    $$3 ~ /^[A-Za-z]/ && $$3 !~ /^rs_|\./ && !seen[$$3]++ { \
	        printf "void %s(void);\nvoid %s(void) { __builtin_abort(); }\n", \
	            $$3, $$3 }' >$@.tmp && mv $@.tmp $@
CLEANFILES += tests/embed/names.c

system_tests += tests/system/libringside.sh

.PHONY: install-libringside uninstall-libringside
