# Guest code: its flags, its C library and network stack, and the SDK.
#
# A library of guest objects is declared like this, so that neither the
# user's flags nor a sanitizer reaches a guest:
#     noinst_LIBRARIES += %D%/libthing.a
#     %C%_libthing_a_SOURCES = ...
#     %C%_libthing_a_CPPFLAGS = $(GUEST_CPPFLAGS)
#     %C%_libthing_a_CFLAGS = $(GUEST_CFLAGS)
#     %C%_libthing_a_CCASFLAGS = $(GUEST_CFLAGS)
#     $(%C%_libthing_a_OBJECTS): override CFLAGS =
#     $(%C%_libthing_a_OBJECTS): override CPPFLAGS =
# (and with _CPPFLAGS += $(LWIP_CPPFLAGS) for code that calls lwIP).
#
# A guest program is one C file; naming its ELF is all it takes:
#     guest_programs += %D%/hello.elf         (built by make)
#     guest_tests += tests/guest/thing.elf    (built and run by make check)
# Its native twin (guest-kernel/arch.h) is made from the same file:
#     guest_programs += %D%/hello.native.elf
# A program that calls the guest kernel's own functions says so:
#     guest_inside += tests/guest/thing.elf

# guest-sdk/ has the same layout in the build tree and when it is installed:
#     newlib/include  lwip/ net/ include/{ringside,xen}  lib/  guest.lds
SDK = $(abs_builddir)/guest-sdk

GUEST_CPPFLAGS = -nostdinc -isystem $(CC_INCLUDE) \
	-isystem $(SDK)/newlib/include -isystem $(SDK)/xen-include \
	-D_GNU_SOURCE -D__DYNAMIC_REENT__ -D_POSIX_TIMERS=1 -D_POSIX_CPUTIME=1 \
	-D_POSIX_MONOTONIC_CLOCK=200112L \
	-I$(top_srcdir)/include -I$(top_srcdir)/common -I$(top_srcdir)
GUEST_CFLAGS = $(GUEST_CFLAGS_BASE) $(WARN_CFLAGS)
# Which half of guest-kernel/arch is meant by what is inline.
GUEST_ARCH_PV = -I$(top_srcdir)/guest-kernel/arch/pv
GUEST_ARCH_NATIVE = -I$(top_srcdir)/guest-kernel/arch/native
LWIP_CPPFLAGS = -I$(top_srcdir)/guest-kernel/net/include \
	-isystem $(SDK)/lwip

EXTRA_DIST += build-aux/patches build-aux/sources.txt \
	build-aux/get-source build-aux/get-newlib build-aux/guest-names \
	build-aux/ringside-cc.in \
	build-aux/ringside-guest.pc.in \
	$(sort $(patsubst %.elf,%.c,$(guest_elfs:.native.elf=.elf)))

# newlib and lwIP, before anything that includes their headers.
BUILT_SOURCES += guest-sdk/newlib.stamp guest-sdk/lwip.stamp

guest-sdk/newlib.stamp: $(top_srcdir)/build-aux/sources.txt \
		$(top_srcdir)/build-aux/get-source \
		$(top_srcdir)/build-aux/get-newlib \
		$(wildcard $(top_srcdir)/build-aux/patches/newlib/*.patch)
	$(AM_V_at)$(MKDIR_P) guest-sdk
	$(AM_V_GEN)$(top_srcdir)/build-aux/get-newlib "$(NEWLIB_CC)" \
	    $(SDK)/newlib "$(GUEST_CFLAGS_BASE)" $(NEWLIB_SRC)
	$(AM_V_at)touch $@

# Unpacked and patched anew when a patch changes, comes or goes; a tree of the
# user's is copied, so that it stays as it is.
lwip_patches = $(top_srcdir)/build-aux/patches/lwip
lwip_tree = $(if $(LWIP_SRC),$(shell find "$(LWIP_SRC)/src" -name '*.[ch]'))

guest-sdk/lwip.stamp: $(top_srcdir)/build-aux/sources.txt \
		$(top_srcdir)/build-aux/get-source $(lwip_patches) \
		$(wildcard $(lwip_patches)/*.patch) $(lwip_tree)
	$(AM_V_at)$(MKDIR_P) guest-sdk && rm -rf lwip
	$(AM_V_GEN)$(top_srcdir)/build-aux/get-source lwip \
	    $(abs_builddir)/lwip $(LWIP_SRC)
	$(AM_V_at)ln -srfn lwip/src/include guest-sdk/lwip
	$(AM_V_at)touch $@

# lwIP: the whole stack; guest-kernel/net/include/lwipopts.h says what of it
# is used.  Its code is compiled without our warnings, with our patches.  In
# place of core/timeouts.c there is guest-kernel/net/timers.c.
lwip_names = $(addprefix core/, def dns inet_chksum init ip mem memp netif \
		pbuf raw stats sys altcp altcp_alloc altcp_tcp tcp tcp_in tcp_out \
		udp) \
	$(addprefix core/ipv4/, autoip dhcp etharp icmp igmp ip4 ip4_addr \
		ip4_frag) \
	$(addprefix core/ipv6/, dhcp6 ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag \
		mld6 nd6) \
	$(addprefix api/, api_lib api_msg err if_api netbuf netdb netifapi \
		sockets tcpip) \
	netif/ethernet
lwip_objects = $(lwip_names:%=lwip-objects/%.o)

$(lwip_objects): lwip-objects/%.o: guest-sdk/lwip.stamp \
		guest-sdk/newlib.stamp $(top_srcdir)/build-aux/guest.mk
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_CC)$(CC) $(GUEST_CPPFLAGS) $(LWIP_CPPFLAGS) $(GUEST_CFLAGS_BASE) \
	    -DRINGSIDE_LWIP -w -MD -MP -c -o $@ lwip/src/$*.c

# The dependency files of both name the sources, which are not there while the
# stamp is made anew: a parallel make has to wait for it. Order-only, since the
# objects themselves depend on the stamp.
$(lwip_names:%=lwip/src/%.c): | guest-sdk/lwip.stamp
	@:

-include $(wildcard $(lwip_objects:.o=.d))

lwip-objects/liblwip-guest.a: $(lwip_objects)
	$(AM_V_at)rm -f $@
	$(AM_V_AR)$(AR) cr $@ $(lwip_objects) && $(RANLIB) $@

# The same stack for the host, with the same options and the host's flags: for
# tests and fuzz targets that link tests/unit/libnet-stack.a. The host's
# <fcntl.h> has a struct iovec, for which lwIP asks by a macro.
LWIP_HOST_CPPFLAGS = -DRINGSIDE_LWIP -Diovec=iovec
lwip_host_objects = $(lwip_names:%=lwip-host/%.o)

$(lwip_host_objects): lwip-host/%.o: guest-sdk/lwip.stamp \
		$(top_srcdir)/build-aux/guest.mk
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_CC)$(CC) $(HOST_CPPFLAGS) $(LWIP_CPPFLAGS) $(CPPFLAGS) \
	    -std=gnu11 $(SANITIZER_CFLAGS) $(FUZZ_CFLAGS) $(CFLAGS) \
	    $(LWIP_HOST_CPPFLAGS) -w -MD -MP -c -o $@ lwip/src/$*.c

-include $(wildcard $(lwip_host_objects:.o=.d))

lwip-host/liblwip.a: $(lwip_host_objects)
	$(AM_V_at)rm -f $@
	$(AM_V_AR)$(AR) cr $@ $(lwip_host_objects) && $(RANLIB) $@

# The libraries as they are compiled, and as the SDK has them: there a program
# may define each name that C, POSIX and the SDK's headers do not reserve.
# guest-sdk/names.map has the names that are hidden, guest-sdk/names.public those
# that are not; build-aux/guest-names reads both from objects and headers.
plain_libraries = guest-kernel/libringside-guest.a \
	guest-kernel/libringside-guest-native.a lwip-objects/liblwip-guest.a \
	guest-sdk/newlib/lib/libc.a guest-sdk/newlib/lib/libm.a
guest_libraries = $(addprefix guest-sdk/lib/,$(notdir $(plain_libraries)))

# The headers that a program includes, or that those include for it.
public_headers = $(addprefix $(top_srcdir)/include/ringside/,guest.h blk.h \
		net.h vchan.h) \
	$(addprefix $(top_srcdir)/guest-kernel/net/include/,poll.h netdb.h \
		arpa/inet.h lwip/netdb.h netinet/in.h netinet/tcp.h \
		sys/dirent.h sys/socket.h) \
	$(addprefix $(SDK)/lwip/lwip/,sockets.h inet.h netdb.h def.h)

guest-sdk/newlib/lib/libc.a guest-sdk/newlib/lib/libm.a: guest-sdk/newlib.stamp

guest-sdk/names.map: $(plain_libraries) guest-sdk/lwip.stamp \
		$(wildcard $(public_headers)) \
		$(top_srcdir)/guest-kernel/guest.lds \
		$(top_srcdir)/build-aux/guest-names
	$(AM_V_GEN)LC_ALL=C $(top_srcdir)/build-aux/guest-names "$(NM)" \
	    $(top_srcdir)/guest-kernel/guest.lds $(plain_libraries) -- $(public_headers) \
	    `find -L guest-sdk/newlib/include -name '*.h'` \
	    3>guest-sdk/names.public >$@.tmp && mv $@.tmp $@

$(guest_libraries): guest-sdk/names.map
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(OBJCOPY) -D --redefine-syms=$< \
	    $(filter %/$(@F),$(plain_libraries)) $@ && $(RANLIB) $@

# The SDK in the build tree: what is elsewhere, by links.
guest-sdk/sdk.stamp: guest-sdk/newlib.stamp guest-sdk/lwip.stamp Makefile
	$(AM_V_at)ln -srfn $(top_srcdir)/include guest-sdk/include
	$(AM_V_at)ln -srfn $(top_srcdir)/guest-kernel/net/include guest-sdk/net
	$(AM_V_at)ln -srfn $(top_srcdir)/guest-kernel/guest.lds \
	    $(top_srcdir)/guest-kernel/ksyms.awk guest-sdk
	$(AM_V_at)touch $@

sdk_edit = $(SED) -e 's|@CC[@]|$(CC)|g' \
	-e 's|@CC_INCLUDE[@]|$(CC_INCLUDE)|g' \
	-e 's|@NM[@]|$(NM)|g' -e 's|@AWK[@]|$(AWK)|g' \
	-e 's|@CFLAGS[@]|$(GUEST_CFLAGS_BASE)|g' \
	-e 's|@SDK[@]|$(pkglibdir)|g' -e 's|@VERSION[@]|$(VERSION)|g'

bin_SCRIPTS += ringside-cc
pkgconfig_DATA += ringside-guest.pc
CLEANFILES += ringside-cc ringside-guest.pc

ringside-cc: build-aux/ringside-cc.in Makefile guest-sdk/sdk.stamp
	$(AM_V_GEN)$(sdk_edit) $< >$@.tmp && chmod +x $@.tmp && mv $@.tmp $@

ringside-guest.pc: build-aux/ringside-guest.pc.in Makefile
	$(AM_V_GEN)$(sdk_edit) $< >$@.tmp && mv $@.tmp $@

# Guest programs.
guest_elfs = $(guest_programs) $(guest_tests)
native_elfs = $(filter %.native.elf,$(guest_elfs))
pv_elfs = $(filter-out %.native.elf,$(guest_elfs))
noinst_DATA += $(guest_libraries) $(guest_programs)
check_DATA += $(guest_tests)
CLEANFILES += $(guest_elfs) $(guest_elfs:.elf=.d) $(guest_inside:.elf=.o) \
	guest-sdk/names.map guest-sdk/names.public

AM_V_ELF = $(am__v_ELF_@AM_V@)
am__v_ELF_ = $(am__v_ELF_@AM_DEFAULT_V@)
am__v_ELF_0 = @echo "  GUEST   " $@;
am__v_ELF_1 =

guest_elf_flags = $(WARN_CFLAGS) -I$(top_srcdir)/common -I$(top_srcdir) \
	-I$(top_srcdir)/libhypercall/guest -I$(@D) -MD -MP -MT $@ -MF $(@:.elf=.d)

# Those of $(guest_inside) call the kernel itself, whose hidden names their
# object gets, too.
guest_elf = $(if $(filter $@,$(guest_inside)),$(call guest_elf_inside,$(1)), \
	./ringside-cc $(1) $(guest_elf_flags) -o $@ $<)
guest_elf_inside = ./ringside-cc $(1) $(guest_elf_flags) -c \
	    -o $(@:.elf=.o) $< && \
	$(OBJCOPY) --redefine-syms=guest-sdk/names.map $(@:.elf=.o) && \
	./ringside-cc $(filter --native,$(1)) -o $@ $(@:.elf=.o)

$(pv_elfs): %.elf: %.c ringside-cc $(guest_libraries) guest-kernel/guest.lds
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_ELF)$(call guest_elf,$(GUEST_ARCH_PV))

$(native_elfs): %.native.elf: %.c ringside-cc $(guest_libraries) \
		guest-kernel/guest.lds
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_ELF)$(call guest_elf,--native $(GUEST_ARCH_NATIVE))

-include $(wildcard $(guest_elfs:.elf=.d))

clean-local: clean-guest
clean-guest:
	-rm -rf lwip-objects lwip-host guest-sdk/lib

distclean-local: distclean-guest
distclean-guest:
	-rm -rf guest-sdk lwip

install-data-local: install-sdk
install-sdk: $(guest_libraries) guest-sdk/sdk.stamp
	$(MKDIR_P) "$(DESTDIR)$(pkglibdir)/lib" \
	    "$(DESTDIR)$(pkglibdir)/newlib" "$(DESTDIR)$(pkglibdir)/xen-include"
	$(INSTALL_DATA) $(guest_libraries) "$(DESTDIR)$(pkglibdir)/lib"
	$(INSTALL_DATA) guest-sdk/guest.lds guest-sdk/ksyms.awk \
	    "$(DESTDIR)$(pkglibdir)"
	for dir in include net lwip newlib/include; do \
	    rm -rf "$(DESTDIR)$(pkglibdir)/$$dir" && \
	    cp -RL guest-sdk/$$dir "$(DESTDIR)$(pkglibdir)/$$dir" && \
	    chmod -R u+w,a+rX "$(DESTDIR)$(pkglibdir)/$$dir" || exit 1; done
	rm -f "$(DESTDIR)$(pkglibdir)/xen-include/xen"
	$(LN_S) "$(XEN_INCLUDE)" "$(DESTDIR)$(pkglibdir)/xen-include/xen"

uninstall-local: uninstall-sdk
uninstall-sdk:
	rm -rf "$(DESTDIR)$(pkglibdir)"

.PHONY: clean-guest distclean-guest install-sdk uninstall-sdk
