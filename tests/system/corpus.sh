#!/bin/bash
# The corpora of the fuzz targets: every target has one and every archive a
# target, packing is reproducible, and build-aux/corpus loses no input.
. "$(dirname "$0")/tap.bash"

corpus=$abs_top_srcdir/build-aux/corpus
archives=$abs_top_srcdir/tests/fuzz/corpus

targets=$(sed -n 's,^tests/fuzz/fuzz_,,p' "$abs_top_builddir/tests/list" | sort)
is "every fuzz target has an archive, and every archive a target" \
    "$("$corpus" list | sort)" "$targets"

# Packed again, elsewhere, by an untidy umask: the same bytes.
repack_all()
{
    local name status=0
    export RINGSIDE_CORPUS=$tmp/again
    mkdir -p "$RINGSIDE_CORPUS"
    umask 077
    for name in $targets; do
        RINGSIDE_CORPUS=$archives "$corpus" unpack "$name" "$tmp/in/$name"
        "$corpus" add "$name" "$tmp/in/$name" &&
            cmp "$archives/$name.tar" "$RINGSIDE_CORPUS/$name.tar" || status=1
    done
    return $status
}
ok "every archive is as build-aux/corpus makes it" repack_all

for verb in 'list nosuch' "unpack nosuch $tmp/none" 'remove nosuch input'; do
    # shellcheck disable=SC2086
    is "${verb% *}: one line about a target that is not there" \
        "$("$corpus" $verb 2>&1; echo $?)" \
        "corpus: no corpus of 'nosuch'; 'corpus list' names those that there are
1"
done

export RINGSIDE_CORPUS=$tmp/corpus
mkdir "$RINGSIDE_CORPUS" "$tmp/some"
echo one >"$tmp/some/b-case"
: >"$tmp/some/empty"
echo two >"$tmp/0123456789abcdef"
"$corpus" add x "$tmp/some" "$tmp/0123456789abcdef"
is "inputs are sorted by name" "$("$corpus" list x)" \
    $'4 0123456789abcdef\n4 b-case\n0 empty'
cp "$RINGSIDE_CORPUS/x.tar" "$tmp/before"

cp "$tmp/some/b-case" "$tmp/another-name"
like "the same content again is not added" \
    "$("$corpus" add x "$tmp/another-name")" "is there as b-case"
ok "and changes nothing" cmp "$tmp/before" "$RINGSIDE_CORPUS/x.tar"

refused() # COMMAND...
{
    ! "$corpus" "$@" >/dev/null 2>&1 &&
        cmp -s "$tmp/before" "$RINGSIDE_CORPUS/x.tar"
}
mkdir "$tmp/other"
echo three >"$tmp/other/b-case"
ok "another content under the same name is refused" \
    refused add x "$tmp/other/b-case"
ok "so is a file that is not there" refused add x "$tmp/no-such"
ok "and a name that leaves the folder" refused add ../x "$tmp/some"
ok "the last input is not removed" \
    refused remove x b-case empty 0123456789abcdef

"$corpus" remove x b-case
"$corpus" add x "$tmp/some/b-case"
ok "what is removed and added again is as before" \
    cmp "$tmp/before" "$RINGSIDE_CORPUS/x.tar"

# The replayer, on any target.
replay()
{
    "$abs_top_builddir/tests/fuzz/fuzz_tar" "$@"
}
like "the replay says how many inputs there were" \
    "$(replay "$tmp/some" "$tmp/0123456789abcdef")" "replayed 3 inputs$"
mkdir "$tmp/none"
no_input()
{
    ! replay "$tmp/none" >"$tmp/log" && grep -q "^replayed 0 inputs" "$tmp/log"
}
ok "none is a failure" no_input

# run-host, for a target that lost its archive.
like "make check fails for a target without a corpus" \
    "$("$abs_top_srcdir/tests/run-host" "$abs_top_builddir/tests/fuzz/fuzz_tar")" \
    "no corpus of 'tar'.*not ok 1"
finish
