# Ringside's own configure checks.
#
# A library check never stops at once: it notes the Debian package that would
# cure it, and RS_REPORT_MISSING names all of them in one line.

AC_DEFUN([RS_INIT], [rs_missing=])

# RS_MISSING(PACKAGE): note PACKAGE once.
AC_DEFUN([RS_MISSING],
[AS_CASE([" $rs_missing "], [*" $1 "*], [], [rs_missing="$rs_missing $1"])])

# RS_PKG(VAR, MODULES, PACKAGE): a library with a pkg-config file.
AC_DEFUN([RS_PKG],
[PKG_CHECK_MODULES([$1], [$2], [], [RS_MISSING([$3])])])

# RS_LIB(VAR, LIBRARY, HEADER, FUNCTION, PACKAGE): a library whose pkg-config
# file is absent, or asks for more than the header does.
AC_DEFUN([RS_LIB],
[AC_CHECK_HEADER([$3],
    [AC_CHECK_LIB([$2], [$4], [AC_SUBST([$1_LIBS], [-l$2])],
                  [RS_MISSING([$5])])],
    [RS_MISSING([$5])])])

# RS_HEADER(HEADER, PACKAGE)
AC_DEFUN([RS_HEADER],
[AC_CHECK_HEADER([$1], [], [RS_MISSING([$2])])])

# RS_TOOL(PROGRAM, PACKAGE)
AC_DEFUN([RS_TOOL],
[AC_CHECK_PROG([rs_have_$1], [$1], [yes])
AS_IF([test "$rs_have_$1" != yes], [RS_MISSING([$2])])])

# RS_SYSTEMD: --with-systemdsystemunitdir=DIR, where units go; below the prefix
# unless told otherwise, so that an ordinary user can install.
AC_DEFUN([RS_SYSTEMD],
[AC_ARG_WITH([systemdsystemunitdir],
    [AS_HELP_STRING([--with-systemdsystemunitdir=DIR],
        [where systemd units go, or no (PREFIX/lib/systemd/system)])],
    [], [with_systemdsystemunitdir=yes])
AS_IF([test "$with_systemdsystemunitdir" = yes],
    [with_systemdsystemunitdir='${prefix}/lib/systemd/system'])
AC_SUBST([systemdsystemunitdir], [$with_systemdsystemunitdir])
AM_CONDITIONAL([SYSTEMD], [test "$with_systemdsystemunitdir" != no])])

AC_DEFUN([RS_REPORT_MISSING],
[AS_IF([test -n "$rs_missing"],
    [AC_MSG_ERROR([please install the Debian package(s):$rs_missing])])])

# RS_HOST_FLAGS: WARN_CFLAGS, and --enable-werror.
AC_DEFUN([RS_HOST_FLAGS],
[AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat warnings as errors])])
rs_warn="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes"
# Members that are not named are zero, which is what one wants.
rs_warn="$rs_warn -Wno-missing-field-initializers"
AS_IF([test "$enable_werror" = yes], [rs_warn="$rs_warn -Werror"])
AC_SUBST([WARN_CFLAGS], ["$rs_warn"])])

# RS_SANITIZER: --with-sanitizer=LIST.  The flags travel in SANITIZER_CFLAGS,
# never in CFLAGS, because guest code must not see them.
AC_DEFUN([RS_SANITIZER],
[AC_ARG_WITH([sanitizer],
    [AS_HELP_STRING([--with-sanitizer=LIST],
        [instrument host code: address,undefined or thread])],
    [], [with_sanitizer=no])
rs_san=
AS_IF([test "$with_sanitizer" = yes], [with_sanitizer=address,undefined])
AS_IF([test "$with_sanitizer" != no],
    [rs_san="-fsanitize=$with_sanitizer -fno-sanitize-recover=all"
     rs_san="$rs_san -fno-omit-frame-pointer"
     rs_save=$CFLAGS
     CFLAGS="$CFLAGS $rs_san"
     AC_MSG_CHECKING([whether $CC accepts -fsanitize=$with_sanitizer])
     AC_LINK_IFELSE([AC_LANG_PROGRAM], [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$CC cannot build with -fsanitize=$with_sanitizer])])
     CFLAGS=$rs_save
     # Fences it does not model: the tests it runs do not depend on them.
     AS_CASE([$with_sanitizer], [*thread*],
        [rs_san="$rs_san -Wno-tsan -Wno-unknown-warning-option"])])
AC_SUBST([SANITIZER], [$with_sanitizer])
AC_SUBST([SANITIZER_CFLAGS], [$rs_san])
AM_CONDITIONAL([SANITIZED], [test "$with_sanitizer" != no])])

# RS_FUZZING: --enable-fuzzing links the fuzz targets with libFuzzer instead
# of the main() that replays their corpus.
AC_DEFUN([RS_FUZZING],
[AC_ARG_ENABLE([fuzzing],
    [AS_HELP_STRING([--enable-fuzzing], [build libFuzzer targets (clang)])])
rs_fuzz_cflags= rs_fuzz_ldflags=
AS_IF([test "$enable_fuzzing" = yes],
    [rs_fuzz_cflags=-fsanitize=fuzzer-no-link
     rs_fuzz_ldflags=-fsanitize=fuzzer])
AC_SUBST([FUZZ_CFLAGS], [$rs_fuzz_cflags])
AC_SUBST([FUZZ_LDFLAGS], [$rs_fuzz_ldflags])
AM_CONDITIONAL([FUZZING], [test "$enable_fuzzing" = yes])])

# RS_RELOCATABLE: RELOCATABLE_LDFLAGS, with which $CC makes one object of many.
# With -flto gcc is told to compile it to the end, since names in an object of
# its intermediate language cannot be made local.
AC_DEFUN([RS_RELOCATABLE],
[rs_reloc="-r -nostdlib"
rs_save=$LDFLAGS
LDFLAGS="$LDFLAGS $rs_reloc -flinker-output=nolto-rel"
AC_MSG_CHECKING([whether $CC accepts -flinker-output=nolto-rel])
AC_LINK_IFELSE([AC_LANG_SOURCE([int x;])],
    [AC_MSG_RESULT([yes])
     rs_reloc="$rs_reloc -flinker-output=nolto-rel"],
    [AC_MSG_RESULT([no])])
LDFLAGS=$rs_save
AC_SUBST([RELOCATABLE_LDFLAGS], [$rs_reloc])])
