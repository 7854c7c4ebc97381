# What somebody who goes to a guest's console sees and sends: what the guest
# said before, what it says from its first word on, and nothing that was not
# typed.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
log=$RINGSIDE_RUNDIR/console
gone() { ! "$ringside" list "$1" >/dev/null 2>&1; }
has() { grep -qs "$1" "$2"; }
# console DOMAIN FILE: in the background, with an input that is at its end.
console()
{
    timeout 60 "$ringside" console "$1" </dev/null >"$2" 2>"$2.err" &
    watcher=$!
}

# Input that ends.
"$ringside" create -q --kernel "$guest" --name talk -- greet first
ok 'the guest runs' until_true 10 has 'hello, first' "$log/talk.log"
console talk "$tmp/watch"
ok 'what it said before is shown' until_true 10 has 'hello, first' "$tmp/watch"
(printf 'one\n'; until_true 10 has one "$tmp/watch"; printf '\035') |
    timeout 20 "$ringside" console talk >"$tmp/other" 2>/dev/null
is 'a pipe: left by its escape' $? 0
ok 'a second console gets all, too' has one "$tmp/other"
ok 'as does the first' has one "$tmp/watch"
printf 'two\n' | timeout 20 "$ringside" console talk >"$tmp/third" 2>/dev/null &
third=$!
ok 'a pipe that ends: its line' until_true 10 has two "$tmp/third"
is 'input that ended did not end the guest'\''s' \
    "$(grep -c '^end' "$log/talk.log")" 0
printf '\004' | timeout 20 "$ringside" console talk >/dev/null 2>&1
ok 'a typed Ctrl-D does' until_true 10 has '^end' "$log/talk.log"
wait $watcher
is 'the console ends with the guest' $? 0
wait $third
is 'after an input that ended, too' $? 0
is 'it showed all, once' "$(tr '\n' ' ' <"$tmp/watch")" \
    'hello, first one two end '

# The next guest of that name has a log that goes on.
until_true 10 gone talk
"$ringside" create -q --kernel "$guest" --name talk -- greet second
console talk "$tmp/watch"
ok 'a second life' until_true 10 has 'hello, second' "$tmp/watch"
is 'shows nothing of the first' "$(cat "$tmp/watch")" 'hello, second'
"$ringside" destroy talk
wait $watcher

# More than anybody wants to see.
"$ringside" create -q --kernel "$guest" --name much -- prattle 5000
ok 'much was said' until_true 20 has 'that was all' "$log/much.log"
console much "$tmp/watch"
ok 'its end is shown' until_true 10 has 'that was all' "$tmp/watch"
ok 'of all only the last' test "$(wc -c <"$tmp/watch")" -le 16384
ok 'in whole lines' cmp "$tmp/watch" \
    <(tail -n "$(wc -l <"$tmp/watch")" "$log/much.log")
ok 'and at least half of what may be' \
    test "$(wc -c <"$tmp/watch")" -ge 8192
like 'it says where the rest is' "$(cat "$tmp/watch.err")" "$log/much.log"
"$ringside" destroy much
wait $watcher

# From the first word on.
create() { timeout 20 "$ringside" create -q --kernel "$guest" "$@"; }
out=$(create -c --name brief -- print 3 </dev/null 2>/dev/null)
is 'create -c of a guest that ends at once: status' $? 0
is 'and all that it said' "$out" "$(seq -f '%063.0f' 0 2)"
create -c -p --name late -- print 2 </dev/null >"$tmp/late" 2>/dev/null &
late=$!
until_true 10 "$ringside" list late >/dev/null 2>&1
is 'create -c -p waits' "$("$ringside" list late | awk 'NR == 2 {print $5}')" \
    '--p---'
"$ringside" unpause late
wait $late
is 'until somebody starts the guest: status' $? 0
is 'and shows it' "$(cat "$tmp/late")" "$(seq -f '%063.0f' 0 1)"

finish
