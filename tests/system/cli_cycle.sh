# A guest in the background: created, looked at, paused, ended; two at once;
# and nothing of any of them is left.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
store() { XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock "$@"; }
column() { "$ringside" list "$1" | awk -v n="$2" 'NR == 2 { print $n }'; }
state() { column "$1" 5; }
gone() { ! "$ringside" list "$1" >/dev/null 2>&1; }
nodes() { store xenstore-ls / | grep -c .; }

ok 'create starts a host and a guest' timeout 20 "$ringside" create -q \
    --kernel "$guest" --name web --memory 8 -- wait 8>"$tmp/held"
is 'nobody keeps what the shell had open' \
    "$(ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c "$tmp/held")" 0
is 'its name in the list' "$(column web 1)" web
is 'its memory' "$(column web 3)" 8
id=$(column web 2)
like 'its number' "$id" '^[0-9]+$'
like 'its state' "$(state web)" '^[rb-]-----$'
like 'the driver domain has number 1' \
    "$("$ringside" list | awk '$2 == 1')" .
is 'found by number' "$(column "$id" 1)" web
said() { grep -q waiting "$RINGSIDE_RUNDIR/console/web.log"; }
ok 'it ran' until_true 10 said

is 'its name in the store' \
    "$(store xenstore-read "/local/domain/$id/name")" web
is 'the guest may read but not write it' \
    "$(store xenstore-ls -p "/local/domain/$id" | grep '^name' |
        sed 's/.*(\(.*\))/\1/')" "n0,r$id"

out=$("$ringside" create -q --kernel "$guest" --name web -- wait 2>&1)
is 'a name in use: status' $? 1
like 'a name in use: one line' "$out" 'a domain called web already'
for name in driver Domain-0; do
    like "$name is no name for a guest" \
        "$("$ringside" create -q --kernel "$guest" --name $name 2>&1)" \
        "^ringside: $name is the name of a domain of the host itself; choose"
done
"$ringside" create -q --kernel "$guest" --name other -- wait
nr=$(nodes)
"$ringside" create -q --kernel "$guest" -- wait
ok 'a derived name is free' test "$(column cli_guest 1)" = cli_guest
"$ringside" create -q --kernel "$guest" -- wait
is 'the next one too' "$(column cli_guest-2 1)" cli_guest-2
ok 'shutdown -w' timeout 20 "$ringside" shutdown -w cli_guest-2
ok 'and it is gone' until_true 5 gone cli_guest-2
"$ringside" destroy cli_guest

ok 'pause' "$ringside" pause web
is 'paused' "$(state web)" '--p---'
before=$(column web 6)
sleep 0.3
is 'uses no time' "$(column web 6)" "$before"
ok 'unpause' "$ringside" unpause web
like 'goes on' "$(state web)" '^[rb-]-----$'

like 'info as JSON' "$("$ringside" info --json web)" \
    '^\{"name":"web","domid":[0-9]+,"state":"running".*\}$'
like 'info of the host' "$("$ringside" info)" 'engine +: '
like 'info of the host as JSON' "$("$ringside" info --json)" '^\{"version":'

for verb in console destroy shutdown pause unpause info list; do
    out=$("$ringside" $verb nobody 2>&1 >/dev/null)
    is "$verb of no domain: status" $? 1
    like "$verb of no domain: one line" "$out" \
        '^ringside: there is no domain nobody[^
]*$'
done
out=$("$ringside" destroy 1 2>&1)
like 'the driver domain is not for destroying' "$out" 'belongs to the host'

ok 'destroy' "$ringside" destroy web
ok 'and it is gone' gone web
ok 'with its nodes' sh -c "! XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock \
    xenstore-ls /local/domain/$id >/dev/null 2>&1"
same_nodes() { [ "$(nodes)" -le "$nr" ]; }
ok 'and its backends'\'' nodes' until_true 5 same_nodes
ok 'the other is still there' test "$(column other 1)" = other

# Paused creation, the console, the end by itself.
"$ringside" create -q -p --kernel "$guest" --name talk -- echo
is 'created paused' "$(state talk)" '--p---'
answered() { grep -q 'hello there' "$tmp/console"; }
: >"$tmp/console"
(printf 'hello there\n'; until_true 10 answered; printf '\035') |
    timeout 20 "$ringside" console talk >"$tmp/console" 2>/dev/null &
console=$!
sleep 0.3
"$ringside" unpause talk
wait $console
is 'console: left by its escape' $? 0
like 'console: the guest answered' "$(cat "$tmp/console")" 'hello there'
is 'a guest that was left goes on' "$(column talk 1)" talk
printf '\004' | timeout 20 "$ringside" console talk >/dev/null 2>&1
ok 'ended by an end of its input' until_true 5 gone talk

# On a terminal, which is raw meanwhile, and as before afterwards.
if command -v script >/dev/null; then
    "$ringside" create -q --kernel "$guest" --name tty -- echo
    : >"$tmp/typed"
    typed() { grep -q 'by hand' "$tmp/typed"; }
    (sleep 0.3; printf 'by hand\r'; until_true 10 typed; printf '\035') |
        SHELL=/bin/bash timeout 20 script -qefc "stty -g >$tmp/before
            '$ringside' console tty; stty -g >$tmp/after" "$tmp/typed" \
        >/dev/null
    ok 'console on a terminal' typed
    ok 'which is as it was' cmp "$tmp/before" "$tmp/after"
    "$ringside" destroy tty
fi

"$ringside" create -q --kernel "$guest" --name sad -- null
ok 'a crashed guest is removed' until_true 5 gone sad
like 'its log says why' "$(cat "$RINGSIDE_RUNDIR/log/sad.log")" 'sad crashed: '

printf '%s\n' "name = 'kept'" "kernel = '$guest'" "extra = 'exit 3'" \
    "on_poweroff = 'preserve'" >"$tmp/kept.cfg"
"$ringside" create -q "$tmp/kept.cfg"
down() { [ "$(state kept)" = '---s--' ]; }
ok 'on_poweroff=preserve keeps it' until_true 5 down
like 'with its status' "$("$ringside" info kept)" 'exit_status +: 3'
"$ringside" destroy kept
ok 'until it is destroyed' gone kept

ok 'shutdown --all' timeout 20 "$ringside" shutdown --all -w
ok 'all are gone' until_true 5 gone other
ok 'stop-host' timeout 20 "$ringside" stop-host
ok 'nothing is left' until_true 5 test ! -e "$RINGSIDE_RUNDIR"

finish
