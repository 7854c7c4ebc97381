# Flags of guest code.
#
# A library of guest objects is declared like this, so that neither the
# user's CFLAGS nor a sanitizer reaches a guest:
#     noinst_LIBRARIES += %D%/libthing.a
#     %C%_libthing_a_SOURCES = ...
#     %C%_libthing_a_CPPFLAGS = $(GUEST_CPPFLAGS)
#     %C%_libthing_a_CFLAGS = $(GUEST_CFLAGS)
#     %C%_libthing_a_CCASFLAGS = $(GUEST_CFLAGS)
#     $(%C%_libthing_a_OBJECTS): override CFLAGS =
#     $(%C%_libthing_a_OBJECTS): override CPPFLAGS =

GUEST_SYSTEM_INCLUDES = -nostdinc -isystem $(CC_INCLUDE) \
	-isystem $(abs_builddir)/newlib/include \
	-isystem $(abs_builddir)/guest-include
GUEST_CPPFLAGS = $(GUEST_SYSTEM_INCLUDES) -D_GNU_SOURCE \
	-I$(top_srcdir)/include -I$(top_srcdir)/common -I$(top_srcdir)
GUEST_CFLAGS = $(GUEST_CFLAGS_BASE) $(WARN_CFLAGS)
