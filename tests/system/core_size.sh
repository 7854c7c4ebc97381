#!/bin/bash
# build-aux/core-size counts every file of the hypervisor once, and CHANGES.md
# names about the figure that it prints.
. "$(dirname "$0")/tap.bash"

size=$abs_top_srcdir/build-aux/core-size
"$size" --files "$abs_top_srcdir" >"$tmp/files"

in_tree()
{
    cd "$abs_top_srcdir" && find hypervisor -name '*.[chS]'
    [ ! -d ringsided ] || find ringsided -name '*.[chS]'
}
is "every file of hypervisor/ is counted, and once" \
    "$(awk '$3 !~ /^(common|include)/ { print $3 }' "$tmp/files" | sort)" \
    "$(in_tree | sort)"
is "no other file is counted twice" \
    "$(awk '{ print $3 }' "$tmp/files" | sort | uniq -d)" ""
like "what the hypervisor includes of common/ is counted" \
    "$(awk '$1 == "shared"' "$tmp/files")" "common/control_wire.h"
is "none has no lines" "$(awk '$2 < 1' "$tmp/files")" ""

"$size" "$abs_top_srcdir" >"$tmp/table"
table_total=$(awk '$1 ~ /^[0-9]+$/ { n += $1 } END { print n }' "$tmp/table")
is "the table is the sum of the files but for the test engine" \
    "$table_total" "$(awk '$1 != "test" { n += $2 } END { print n }' "$tmp/files")"
like "and its last line names it" "$(tail -n 1 "$tmp/table")" \
    "core size: $table_total lines"
is "no part is empty" "$(awk '$1 == "0"' "$tmp/table")" ""

# A tree of its own: comments do not count, a new folder is not overlooked.
mkdir -p "$tmp/tree/hypervisor/sandbox" "$tmp/tree/common"
printf '/* a\n   comment */\n#include "x.h"\n\nint a; // b\n' \
    >"$tmp/tree/hypervisor/a.c"
printf 'int x;\n' | tee "$tmp/tree/common/x.c" >"$tmp/tree/common/x.h"
printf 'int y;\n' >"$tmp/tree/common/y.h"
is "comments and blank lines do not count" \
    "$("$size" --files "$tmp/tree" | tr '\n' ,)" \
    "core 2 hypervisor/a.c,shared 1 common/x.c,shared 1 common/x.h,"
mkdir "$tmp/tree/hypervisor/newfolder"
cp "$tmp/tree/hypervisor/a.c" "$tmp/tree/hypervisor/newfolder"
new_folder()
{
    ! "$size" "$tmp/tree" >/dev/null 2>"$tmp/why" &&
        grep -q "part does hypervisor/newfolder/a.c belong" "$tmp/why"
}
ok "a folder that no part knows is an error" new_folder

# "12,345 lines are trusted": within a tenth.
said=$(tr '\n' ' ' <"$abs_top_srcdir/CHANGES.md" |
    sed -n 's/.*core-size.*[^0-9,]\([0-9]*,[0-9]*\) *lines are trusted.*/\1/p' |
    tr -d ,)
ok "CHANGES.md says about $table_total lines, not ${said:-nothing}" \
    test "${said:-0}" -gt $((table_total * 9 / 10)) -a \
    "${said:-0}" -lt $((table_total * 11 / 10))
finish
