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

objdump -d one.elf >text
ok 'it copies with what the kernel has for it' grep -q '<memcpy>:' text
is 'nothing in it writes past the cache' "$(grep -c movnt text)" 0

ok 'compiled and linked apart' eval \
    '"$cc" -c -o square.o square.c && "$cc" -o two.elf square.o'
like 'is the same' "$(run two.elf -- 9)" 'is 3\.000'

"$cc" -o wrong.elf wrong.c 2>err
is 'a mistake is status 1' $? 1
like 'and is told' "$(cat err)" "wrong.c.*nothing"
is 'and makes no guest' "$(ls wrong.elf 2>/dev/null)" ''

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
