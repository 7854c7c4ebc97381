# The guest SDK: one file of C becomes a guest, by ringside-cc and by the flags
# of pkg-config, in a directory that is nobody's build tree.
. "$(dirname "$0")/tap.bash"

cc=$abs_top_builddir/ringside-cc
cd "$tmp" || exit 1
cat >square.c <<'END'
#include <lwip/sockets.h>
#include <math.h>
#include <ringside/guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/xen.h>

#ifdef __linux__
#error "a guest is not Linux"
#endif

int main(int argc, char **argv)
{
    double x = argc > 1 ? strtod(argv[1], NULL) : 0;

    printf("the root of %.1f is %.3f\n", x, sqrt(x));
    return AF_INET == 2 && sizeof(struct start_info) > 1000 ? 5 : 1;
}
END
echo 'int main(void) { return nothing; }' >wrong.c
run() { timeout 60 "$ringside" run --quiet "$@" </dev/null; }

ok 'ringside-cc' "$cc" -Wall -Wextra -Werror -o one.elf square.c
out=$(run one.elf -- 2.0)
is 'its exit status' $? 5
is 'its output' "$out" 'the root of 2.0 is 1.414'

# Its global names are reserved, or those of C, POSIX and the SDK.
nm -g --defined-only one.elf | awk '$3 !~ /^_/ { print $3 }' | sort >globals
ok 'it has global names' grep -qx printf globals
is 'and none that a program may define' \
    "$(grep -vxFf "$abs_top_builddir/guest-sdk/names.public" globals)" main

objdump -d one.elf >text
ok 'it copies with what the kernel has for it' grep -q '<memcpy>:' text
is 'nothing in it writes past the cache' "$(grep -c movnt text)" 0

# Crash reports call the kernel's functions as its sources do.
cat >crash.c <<'END'
#include <stdlib.h>

void stack_call(void) {}
int main(void) { abort(); }
END
ok 'a program with a name of the kernel' "$cc" -o crash.elf crash.c
out=$(run crash.elf 2>&1)
is 'its crash' $? 134
like 'is reported by names' "$out" ' stack_call\+0x'
is 'without a prefix' "$(grep -c __rs_ <<<"$out")" 0

# Who converts numbers: --wrap puts a function before the library's.
cat >digits.c <<'END'
#include <reent.h>
#include <stdio.h>
#include <wchar.h>

static int calls;
char *__real__ldtoa_r(struct _reent *r, long double v, int mode, int digits,
                      int *point, int *sign, char **end);
char *__wrap__ldtoa_r(struct _reent *r, long double v, int mode, int digits,
                      int *point, int *sign, char **end);

char *__wrap__ldtoa_r(struct _reent *r, long double v, int mode, int digits,
                      int *point, int *sign, char **end)
{
    calls++;
    return __real__ldtoa_r(r, v, mode, digits, point, sign, end);
}

int main(void)
{
    wchar_t w[40];
    char s[40];

    snprintf(s, sizeof(s), "%.14g %e %.3f", 0.1, 2.0, 3.0);
    swprintf(w, 40, L"%.14g %e", 0.1, 2.0);
    printf("%d of doubles, ", calls);
    snprintf(s, sizeof(s), "%Lg", 0.1L);
    swprintf(w, 40, L"%Lg", 0.1L);
    printf("%d in all\n", calls);
    return 0;
}
END
"$cc" -Wl,--wrap=_ldtoa_r -o digits.elf digits.c
is 'only long doubles are converted as such' \
    "$(run digits.elf | tr -d '\r')" '0 of doubles, 2 in all'

ok 'compiled and linked apart' eval \
    '"$cc" -c -o square.o square.c && "$cc" -o two.elf square.o'
like 'is the same' "$(run two.elf -- 9)" 'is 3\.000'

"$cc" -o wrong.elf wrong.c 2>err
is 'a mistake is status 1' $? 1
like 'and is told' "$(cat err)" "wrong.c.*nothing"
is 'and makes no guest' "$(ls wrong.elf 2>/dev/null)" ''

# Standard input can be read once only.
ok 'a source from standard input' "$cc" -o four.elf -x c - <square.c
like 'is the same, too' "$(run four.elf -- 25)" 'is 5\.000'
like 'with names for crash reports' "$(nm -n four.elf)" ' T main'
is 'and their table' "$(readelf -SW four.elf | grep -c '\.ksyms')" 1
is 'nothing is left in $TMPDIR' "$(mkdir t; TMPDIR=$tmp/t "$cc" -o five.elf \
    square.c; ls t)" ''

# A second link that fails, for a name that no assembler takes.
echo 'void odd(void) {} int main(void) { odd(); return 0; }' >odd.c
"$cc" -c -O0 -o odd.o odd.c && objcopy --redefine-sym odd='o"d' odd.o
"$cc" -o odd.elf odd.o 2>err
is 'a second link that fails is status 1' $? 1
is 'and makes no guest' "$(ls odd.elf 2>/dev/null)" ''

# Without a compiler.
sed 's,\(version=\$(\)[^ ]*,\1no-such-cc,' "$cc" >poor-cc
chmod +x poor-cc
./poor-cc -o poor.elf square.c 2>err
is 'no compiler: status' $? 1
like 'no compiler: one line' "$(cat err)" \
    '^ringside-cc: the C compiler [^
]* does not run; install it: package gcc$'

export PKG_CONFIG_PATH=$abs_top_builddir
if command -v pkg-config >/dev/null; then
    flags() { pkg-config --define-variable=sdk="$abs_top_builddir/guest-sdk" \
        "$@" ringside-guest; }
    # shellcheck disable=SC2046
    ok 'the flags of pkg-config' $(flags --variable=compiler) \
        $(flags --cflags) -o three.elf square.c $(flags --libs)
    like 'make a guest, too' "$(run three.elf -- 16)" 'is 4\.000'
else
    ok 'the flags of pkg-config # SKIP pkg-config is not there' true
fi

finish
