# What guest code is compiled with: its flags, the compiler's own headers, the
# Xen headers and the source trees of newlib and lwIP.

# RS_GUEST: sets GUEST_CFLAGS_BASE, CC_INCLUDE, XEN_INCLUDE, NEWLIB_SRC and
# LWIP_SRC, and links guest-include/xen to the packaged headers, so that a
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
AC_CONFIG_COMMANDS([guest-include],
    [AS_MKDIR_P([guest-include])
     rm -f guest-include/xen
     $LN_S "$rs_xen_include" guest-include/xen],
    [LN_S='$LN_S' rs_xen_include='$rs_xen_include'])

rs_flags="-std=gnu11 -O2 -g -fno-pic -fno-pie -fno-stack-protector"
rs_flags="$rs_flags -fcf-protection=none -fno-omit-frame-pointer"
rs_flags="$rs_flags -fno-common -ffunction-sections -fdata-sections"
rs_flags="$rs_flags -U_FORTIFY_SOURCE"
rs_flags="$rs_flags -Ulinux -U__linux -U__linux__ -U__gnu_linux__"
AC_SUBST([GUEST_CFLAGS_BASE], [$rs_flags])

AC_ARG_WITH([newlib],
    [AS_HELP_STRING([--with-newlib=DIR], [use this newlib source tree])],
    [], [with_newlib=no])
AC_ARG_WITH([lwip],
    [AS_HELP_STRING([--with-lwip=DIR], [use this lwIP source tree])],
    [], [with_lwip=no])
])
