# libringside as others have it: what it exports, and examples/embed built with
# an installed one, static and shared.
. "$(dirname "$0")/tap.bash"

lib=$abs_top_builddir/hypervisor
hello=$abs_top_builddir/examples/hello/hello.elf
example=$abs_top_srcdir/examples/embed/embed.c

# The names that a sanitizer adds are not ours.
exported() { nm --defined-only "$@" | awk '$3 !~ /^_|^asan\./ { print $3 }'; }
declared=$(sed -n 's/^[a-z].*[ *]\(rs_[a-z_]*\)(.*/\1/p' \
    "$abs_top_srcdir/include/ringside/ringside.h" | sort -u)

for file in "$lib"/libringside.a "$lib"/libringside.so; do
    is "${file##*/} exports what the header declares" \
        "$(case $file in *.a) exported -g "$file" ;; *) exported -D "$file" ;;
            esac | grep . | sort)" "$declared"
done
like 'the shared one has a name for its interface' \
    "$(readelf -dW "$lib/libringside.so")" 'SONAME.*\[libringside\.so\.0\]'
is 'its code is the same for all who load it' \
    "$(readelf -dW "$lib/libringside.so" | grep -c TEXTREL)" 0

prefix=$tmp/prefix
ok 'make install-libringside' make -C "$abs_top_builddir" \
    install-libringside prefix="$prefix" MAKEFLAGS=
is 'the headers of the host, and no other' \
    "$(cd "$prefix/include/ringside" && echo *)" 'client.h domain.h ringside.h'

if ! command -v pkg-config >/dev/null; then
    ok 'pkg-config # SKIP it is not there' true
    finish
fi
read -ra cc <<<"$("$abs_top_builddir/config.status" --file=- <<<'@CC@')"
[ "$SANITIZER" = no ] || cc+=("-fsanitize=$SANITIZER")
flags() { PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config \
    --define-variable=prefix="$prefix" "$@" ringside; }
export LD_LIBRARY_PATH=$prefix/lib

cd "$tmp" || exit 1
# shellcheck disable=SC2046
{
ok 'embed with the shared library' "${cc[@]}" -Wall -Werror \
    $(flags --cflags) -o shared "$example" $(flags --libs)
ok 'embed with the static library' "${cc[@]}" -Wall -Werror \
    $(flags --cflags) -o static "$example" \
    -Wl,-Bstatic $(flags --static --libs) -Wl,-Bdynamic
}
like 'the first asks for it' "$(readelf -dW shared)" \
    'NEEDED.*libringside\.so\.0'
is 'the second does not' \
    "$(readelf -dW static | grep -c 'libringside\|libseccomp')" 0
for program in ./shared ./static; do
    out=$(timeout 60 $program "$hello" one </dev/null)
    is "$program: exit status" $? 0
    like "$program: a guest ran" "$out" 'argument 1: one'
done

ok 'and it can be taken away' make -C "$abs_top_builddir" \
    uninstall-libringside prefix="$prefix" MAKEFLAGS=
is 'to the last file' "$(find "$prefix" ! -type d)" ''
finish
