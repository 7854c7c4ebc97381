# libringside-client as others have it: what it exports, and examples/backend
# built with an installed one, static and shared: a driver domain and a
# toolstack that are not ours, and a guest that uses their disks.
. "$(dirname "$0")/tap.bash"

lib=$abs_top_builddir/libclient
from=$abs_top_srcdir/examples/backend
guest=$abs_top_builddir/examples/backend/guest.elf

# The names that a sanitizer adds are not ours.
exported() { nm --defined-only "$@" | awk '$3 !~ /^_|^asan\./ { print $3 }'; }
declared=$(sed -n 's/^[a-z].*[ *]\(rs_client_[a-z_]*\)(.*/\1/p' \
    "$abs_top_srcdir/include/ringside/client.h" | sort -u)
is 'the static library exports what the header declares' \
    "$(exported -g "$lib/libringside-client.a" | grep . | sort)" "$declared"
is 'so does the shared one' \
    "$(exported -D "$lib/libringside-client.so" | grep . | sort)" "$declared"
like 'which has a name for its interface' \
    "$(readelf -dW "$lib/libringside-client.so")" \
    'SONAME.*\[libringside-client\.so\.0\]'

prefix=$tmp/prefix
ok 'make install-libringside-client' make -C "$abs_top_builddir" \
    install-libringside-client prefix="$prefix" MAKEFLAGS=
if ! command -v pkg-config >/dev/null; then
    ok 'pkg-config # SKIP it is not there' true
    finish
fi
read -ra cc <<<"$("$abs_top_builddir/config.status" --file=- <<<'@CC@')"
[ "$SANITIZER" = no ] || cc+=("-fsanitize=$SANITIZER")
flags() { PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config \
    --define-variable=prefix="$prefix" "$@"; }
export LD_LIBRARY_PATH=$prefix/lib

cd "$tmp" || exit 1
# A program may have functions of the names that are used inside.
cat >names.c <<'END'
#include <stdlib.h>
void ports_add(void), control_exchange(void), windows_clear(void);
void ports_add(void) { abort(); }
void control_exchange(void) { abort(); }
void windows_clear(void) { abort(); }
END
# shellcheck disable=SC2046
{
ok 'the backend with the shared library' "${cc[@]}" -Wall -Wextra -Werror \
    $(flags --cflags ringside-client xenstore) -o backend "$from/backend.c" \
    names.c $(flags --libs ringside-client xenstore)
ok 'the toolstack with the static one' "${cc[@]}" -Wall -Wextra -Werror \
    $(flags --cflags ringside-client xenstore) -o boot "$from/boot.c" names.c \
    -Wl,-Bstatic $(flags --libs ringside-client) \
    -Wl,-Bdynamic $(flags --libs xenstore)
}
like 'the first asks for it' "$(readelf -dW backend)" \
    'NEEDED.*libringside-client\.so\.0'
is 'the second does not' "$(readelf -dW boot | grep -c ringside)" 0
ok 'the header is C++, too' "${cc[@]}" -x c++ -fsyntax-only \
    "-I$prefix/include" "$prefix/include/ringside/client.h"

ok 'it serves as driver domain' timeout 60 "$abs_top_builddir/ringsided" \
    --rundir "$RINGSIDE_RUNDIR" --driver ./backend --daemon
boot() { timeout 60 ./boot "$RINGSIDE_RUNDIR" "$@" </dev/null; }
backend() { pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" -x backend; }
out=$(boot "$guest" zero:2048 ram:1024)
is 'a guest has its disks: status' $? 0
like 'a guest reads zeros' "$out" '2048 sectors of zeros'
like 'and writes and reads a RAM disk' "$out" '1024 sectors of RAM'
windows() { grep -c memfd:ringside "/proc/$(backend)/maps"; }
domains() { "$ringside" list | wc -l; }
none_left() { [ "$(windows)$(domains)" = 03 ]; }
ok 'nothing of it is left' until_true 10 none_left

first=$(backend)
kill -9 "$first"
another() { [ -n "$(backend)" ] && [ "$(backend)" != "$first" ]; }
ok 'when it dies it is started again' until_true 10 another
out=$(boot "$guest" zero:512 ram:512)
is 'and serves again' $? 0
out=$(boot "$guest" ram:512 ram:512)
is 'a guest that finds no zeros fails' $? 1
like 'and says so' "$out" 'zeros can be written'
ok 'it is the same process still' [ "$(backend)" != '' ]

ok 'ringside stop-host' timeout 30 "$ringside" stop-host
ok 'the library is taken away' make -C "$abs_top_builddir" \
    uninstall-libringside-client prefix="$prefix" MAKEFLAGS=
is 'to the last file' "$(find "$prefix" ! -type d)" ''
finish
