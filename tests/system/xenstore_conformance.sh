#!/bin/bash
# docs/xenstore-conformance.md is true: the tests that it names are there, and
# no probe is left out.
. "$(dirname "$0")/tap.bash"

doc=$abs_top_srcdir/docs/xenstore-conformance.md
tests=$abs_top_srcdir/tests

# Every probe, as "room: name": the first string of each entry.
for file in "$tests"/probe/*.c; do
    room=$(sed -n 's/^ROOM(\(.*\));$/\1/p' "$file")
    [ -z "$room" ] || sed -n "s/^    { \"\(.*\)\",\( .*\)\?\$/$room: \1/p" "$file"
done | sort >"$tmp/probes"

# What the tables name, one a line.
sed -n '/^## Framing/,/^## Where/p' "$doc" | grep -o '`[^`]*`' | tr -d '`' |
    grep -E '^([a-z]+: |test_xs_|guest/|[a-z_]+\.sh$)' | sort -u >"$tmp/named"

exists()
{
    case $1 in
    *': '*) grep -qxF -- "$1" "$tmp/probes" ;;
    test_xs_*:*) # it is among those that its program runs
        grep -qE "(T|cmocka_unit_test)\(${1#*:}\)" "$tests/unit/${1%%:*}.c" ;;
    guest/*) [ -f "$tests/$1.c" ] ;;
    *.sh) [ -f "$tests/system/$1" ] ;;
    *) false ;;
    esac
}

missing=$(while read -r name; do exists "$name" || echo "$name"; done \
    <"$tmp/named")
is "every test that is named exists" "$missing" ""
is "every probe is named" "$(comm -23 "$tmp/probes" "$tmp/named")" ""
# Each advisory has a test, and only one row.
sed -n '/^## Advisories/,/^## Where/p' "$doc" | grep '^| XSA' >"$tmp/advisories"
is "every advisory has a test" \
    "$(grep -vE '\| `[^|]*` \|$' "$tmp/advisories")" ""
is "no advisory has two rows" \
    "$(cut -d'|' -f2 "$tmp/advisories" | sort | uniq -d)" ""
ok "there are advisories" [ "$(wc -l <"$tmp/advisories")" -ge 27 ]
ok "there are probes" [ "$(wc -l <"$tmp/probes")" -gt 150 ]
is "no two probes have one name" "$(uniq -d "$tmp/probes")" ""

finish
