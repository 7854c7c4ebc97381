# library: what programs of others link, static and shared, of a library that
# has all symbols:
#     libraries += %D%/libthing
#     noinst_LIBRARIES += %D%/libthing-core.a
#     %C%_libthing_core_a_CFLAGS = $(HOST_CFLAGS) $(LIBRARY_CFLAGS)
#     %D%/libthing.so.$(VERSION): so_libs = -lother
#
# Both export what the public header declares with default visibility and
# nothing else: in the static one, a single object, every hidden name is local.
# So a program may define any other name.
LIBRARY_CFLAGS = -fPIC -fvisibility=hidden

# libthing.so.N: N rises when a program that was linked before would not work
# with the new library.
library_abi = 0
library_files = $(libraries:=.a) $(libraries:=.o) $(libraries:=.so) \
	$(libraries:=.so.$(library_abi)) $(libraries:=.so.$(VERSION))
CLEANFILES += $(library_files)

%.a: %-core.a
	$(AM_V_at)$(CC) $(CFLAGS) $(RELOCATABLE_LDFLAGS) -o $*.o \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive
	$(AM_V_at)$(OBJCOPY) --localize-hidden $*.o
	$(AM_V_at)rm -f $@
	$(AM_V_AR)$(AR) $(ARFLAGS) $@ $*.o && $(RANLIB) $@

# A sanitizer's own functions are in the program, not in the library.
if SANITIZED
so_defs =
else
so_defs = -Wl,-z,defs
endif

%.so.$(VERSION): %-core.a
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -shared \
	    -Wl,-soname,$(*F).so.$(library_abi) $(so_defs) -o $@ \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive $(so_libs)

# In the build tree, for programs that are linked with it there.
%.so: %.so.$(VERSION)
	$(AM_V_at)for link in $(@F) $(@F).$(library_abi); do \
	    ln -sf $(<F) $(@D)/$$link; done

install-links-%:
	$(MKDIR_P) $(DESTDIR)$(libdir)
	for link in $*.so $*.so.$(library_abi); do \
	    ln -sf $*.so.$(VERSION) $(DESTDIR)$(libdir)/$$link; done
uninstall-links-%:
	cd $(DESTDIR)$(libdir) && rm -f $*.so $*.so.$(library_abi)

install-exec-hook: $(addprefix install-links-,$(notdir $(libraries)))
uninstall-hook: $(addprefix uninstall-links-,$(notdir $(libraries)))
