# What guest code is compiled with: its flags, the compiler's own headers, the
# Xen headers and the source trees of newlib and lwIP.

# RS_GUEST: sets GUEST_CFLAGS_BASE, CC_INCLUDE, XEN_INCLUDE, NEWLIB_SRC and
# LWIP_SRC, and links guest-sdk/xen-include/xen to the packaged headers, so that a
# -nostdinc build sees them and nothing else of the host.
AC_DEFUN([RS_GUEST],
[AC_MSG_CHECKING([for the compiler's own headers])
rs_cc_include=`$CC -print-file-name=include`
AS_IF([test -f "$rs_cc_include/stddef.h"], [],
      [AC_MSG_ERROR([$CC does not tell where its stddef.h is])])
AC_MSG_RESULT([$rs_cc_include])
AC_SUBST([CC_INCLUDE], [$rs_cc_include])

AC_MSG_CHECKING([for the Xen headers])
rs_xen_include=`echo '#include <xen/xen.h>' | $CC $CPPFLAGS -E - |
    sed -n 's,^# 1 "\(.*/xen\)/xen\.h".*,\1,p' | sed 1q`
AS_IF([test -n "$rs_xen_include"], [],
      [AC_MSG_ERROR([$CC does not tell where xen/xen.h is])])
AC_MSG_RESULT([$rs_xen_include])
AC_SUBST([XEN_INCLUDE], [$rs_xen_include])
AC_CONFIG_COMMANDS([guest-sdk],
    [AS_MKDIR_P([guest-sdk/xen-include])
     rm -f guest-sdk/xen-include/xen
     $LN_S "$rs_xen_include" guest-sdk/xen-include/xen],
    [LN_S='$LN_S' rs_xen_include='$rs_xen_include'])

rs_flags="-std=gnu11 -O2 -g -fno-pic -fno-pie -fno-stack-protector"
rs_flags="$rs_flags -fcf-protection=none -fno-omit-frame-pointer"
rs_flags="$rs_flags -fno-common -ffunction-sections -fdata-sections"
rs_flags="$rs_flags -U_FORTIFY_SOURCE -DFD_SETSIZE=256"
rs_flags="$rs_flags -Ulinux -U__linux -U__linux__ -U__gnu_linux__"
AC_SUBST([GUEST_CFLAGS_BASE], [$rs_flags])

AC_ARG_ENABLE([guest-asserts],
    [AS_HELP_STRING([--enable-guest-asserts],
        [check the invariants of the guest kernel while guests run])])
AS_CASE([$enable_guest_asserts], [""|no], [GUEST_ASSERTS=],
    [GUEST_ASSERTS=-DRINGSIDE_GUEST_ASSERTS])
AC_SUBST([GUEST_ASSERTS])

AC_ARG_WITH([newlib],
    [AS_HELP_STRING([--with-newlib=DIR], [use this newlib source tree])])
AC_ARG_WITH([lwip],
    [AS_HELP_STRING([--with-lwip=DIR], [use this lwIP source tree])])
RS_SOURCE_TREE([NEWLIB_SRC], [$with_newlib], [newlib/libc/stdio/printf.c])
RS_SOURCE_TREE([LWIP_SRC], [$with_lwip], [src/core/tcp.c])

# The C library is the same whoever compiles the guests: gcc where it is.
AC_CHECK_PROG([NEWLIB_CC], [gcc], [gcc], [$CC])
])

# RS_SOURCE_TREE(VAR, DIR, FILE): VAR becomes the absolute name of DIR, if
# given; it must hold FILE.
AC_DEFUN([RS_SOURCE_TREE],
[AS_CASE([$2], [""|yes|no], [$1=],
    [AS_IF([test -f "$2/$3"], [$1=`cd "$2" && pwd`],
           [AC_MSG_ERROR([$2 is not a source tree: it has no $3])])])
AC_SUBST([$1])])
