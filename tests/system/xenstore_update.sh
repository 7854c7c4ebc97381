#!/bin/bash
# Live update of the store: the daemon is replaced under load, and nobody who
# is connected notices; what cannot replace it does no harm. First a store
# alone, then that of a host with guests.
. "$(dirname "$0")/tap.bash"

bin=$abs_top_builddir/ringside-xenstored
client=$abs_top_builddir/tests/system/update_client
guest=$abs_top_builddir/tests/system/update_guest.elf
export XENSTORED_PATH=$tmp/s

command -v xenstore-ls >/dev/null ||
    skip_all "package xenstore-utils is not installed"

# update [OPTION]... FILE: Debian's tool if it is there, or what it sends.
if command -v xenstore-control >/dev/null; then
    update() { timeout 60 xenstore-control live-update "$@" 2>&1; }
else
    update() { timeout 60 "$client" update "$@" 2>&1; }
fi

# load NAME MODE ARGUMENT...: a client in the background; its words are in NAME.
declare -A clients
load()
{
    local name=$1
    shift
    "$client" "$@" >"$tmp/$name" 2>&1 &
    clients[$name]=$!
}
said() { [ "$(cat "$tmp/$1" 2>/dev/null)" = "$2" ]; }
# The client ends, and has said that.
ends()
{
    wait "${clients[$1]}"
    is "$2" "$(tail -1 "$tmp/$1")" "$3"
}
value() { timeout 10 xenstore-read "$1" 2>&1; }
serves() { timeout 10 xenstore-write /serves "$1" && [ "$(value /serves)" = "$1" ]; }

# However it ends, nothing of it stays.
daemon=
leave_alone()
{
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    touch "$tmp/stop"
    leave
}
trap leave_alone EXIT

# ---- alone ----

start()
{
    "$bin" --hypervisor none --socket "$XENSTORED_PATH" --foreground \
        --log "$tmp/log" "$@" &
    daemon=$!
    until_true 10 timeout 5 xenstore-exists /tool 2>/dev/null
}
updates() { grep -c 'live update: going on' "$tmp/log"; }

ok "a store alone" start
timeout 10 xenstore-write /load/x "$(printf '%0500d' 7)" /half 1
stop=$tmp/stop
load watcher follow /seq
load counter1 count "$stop" /load/1
load counter2 count "$stop" /load/2
load half half "$stop" /half
load unread unread "$stop" /load/x
until_true 10 said watcher ""
sleep 0.5
load maker sequence "$stop" /seq
good=0
for i in 1 2 3 4 5; do
    update "$bin" >"$tmp/out" && good=$((good + 1))
    sed 's/^/# /' "$tmp/out"
    sleep 0.3
done
is "it is replaced five times under load" "$good $(updates)" "5 5"
ok "in the same process" kill -0 "$daemon"
touch "$stop"
ends counter1 "a client that writes and reads went on" good
ends counter2 "another, too" good
ends maker "one that makes nodes" good
ends watcher "one that watches missed nothing" good
ends half "one that was in the middle of a request" good
ends unread "one that had not read its answers" good

# ---- transactions ----

rm "$stop"
load open txn "$stop" /t
until_true 10 said open open
update -t 30 "$bin" >"$tmp/out" &
updater=$!
waits() { tail -1 "$tmp/log" | grep -q 'waiting for 1 transactions'; }
ok "an update waits for a transaction" until_true 10 waits
is "another is refused" "$(timeout 5 "$client" update "$bin")" BUSY
load late txn "$stop" /late
sleep 0.3
is "and lets no other begin" "$(cat "$tmp/late")" ""
is "others are served" "$(timeout 5 xenstore-read /load/x)" "$(printf '%0500d' 7)"
touch "$stop"
ends open "the transaction commits" committed
wait $updater
is "then the update is done" "$?" 0
ends late "and the other transaction begins" committed

rm "$stop"
load open txn "$stop" /t
until_true 10 said open open
like "an update gives up in time" "$(update -t 1 "$bin")" \
    "1 transactions are still open, of domains 0"
touch "$stop"
ends open "and the transaction commits" committed

rm "$stop"
load open txn "$stop" /t
until_true 10 said open open
"$client" update -t 60 "$bin" >"$tmp/out" &
updater=$!
until_true 10 waits
kill $updater
load late txn "$stop" /late
ok "an update whose client has gone is given up" until_true 10 said late open
touch "$stop"
ends open "and the transaction commits" committed
ends late "as does the one that waited" committed

rm "$stop"
load open txn "$stop" /t
until_true 10 said open open
ok "an update can be forced" update -t 1 -F "$bin"
touch "$stop"
ends open "then the transaction conflicts" \
    "end: Resource temporarily unavailable"
is "and has changed nothing" "$(value /t)" w

# ---- what cannot take over ----

refused()
{
    local want=$1
    shift
    like "refused: ${*: -1}" "$(update "$@")" "$want"
}
before=$(updates)
refused "No such file or directory" "$tmp/nothing"
refused "Permission denied" /etc/passwd
refused "not a regular file" /tmp
refused "not an absolute path" xenstored
refused "without a word" /bin/true
refused "says: " /bin/cat
refused "ended by signal 11" -c '-c kill$IFS-SEGV$IFS$$' /bin/sh
printf 'not a program' >"$tmp/text"
chmod +x "$tmp/text"
refused "Exec format error" "$tmp/text"
refused "unrecognized option" -c --nonsense "$bin"
refused "cannot change in a live update" \
    -c "-F --hypervisor none --socket /other" "$bin"
is "none of them did anything" "$(updates)" "$before"
ok "the store serves on" serves 1

# This one hangs; the store does not.
nap=$((60 + RANDOM))
update -c "-c sleep\${IFS}$nap&sleep\${IFS}$nap" /bin/sh >"$tmp/out" &
updater=$!
ok "the store serves while one hangs" serves 2
wait $updater
like "until it is too long" "$(cat "$tmp/out")" "has not proved itself in"
is "and its children end with it" "$(pgrep -f "^sleep $nap\$" | wc -l)" 0

# ---- another command line ----

ok "a new command line" update -c "-F --hypervisor none --socket $XENSTORED_PATH \
    --log $tmp/log --quota nodes=17 --db $tmp/db" "$bin"
like "counts" "$(timeout 10 "$client" control quota)" "nodes +: +17 "
ok "and stays at the next update" update "$bin"
like "as it was" "$(timeout 10 "$client" control quota)" "nodes +: +17 "
ok "a value for the database" timeout 10 xenstore-write /kept yes
ok "is kept over an update" update "$bin"
kill "$daemon"
wait "$daemon"
is "the store ends when it is asked to" $? 0
ok "it begins with its database" start --db "$tmp/db"
is "in which everything is" "$(value /kept)" yes
kill "$daemon"
wait "$daemon"
daemon=

# ---- a host ----

export XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock
rm -f "$stop"
create()
{
    timeout 30 "$ringside" create --quiet --kernel "$guest" --name "$1" \
        >"$tmp/out" 2>&1 || { sed 's/^/# /' "$tmp/out"; return 1; }
    until_true 20 grep -qs going "$RINGSIDE_RUNDIR/console/$1.log"
}
domid() { timeout 10 "$ringside" list | awk -v n="$1" '$1 == n { print $2 }'; }
# It has ended by itself, with status 0.
ended()
{
    timeout 10 xenstore-write "/local/domain/$2/data/stop" 1
    until_true 30 grep -qs rounds "$RINGSIDE_RUNDIR/console/$1.log"
}

ok "two guests of a host" create one
ok "are started" create two
one=$(domid one)
two=$(domid two)
timeout 60 xenstore-watch @releaseDomain >"$tmp/released" &
watcher=$!
good=0
for i in 1 2 3; do
    update "$bin" >"$tmp/out" && good=$((good + 1))
    sed 's/^/# /' "$tmp/out"
    sleep 0.3
done
is "the store is replaced three times while they work" "$good" 3
ok "a third guest comes afterwards" create three
ok "and another update" update "$bin"
ok "the first guest went on" ended one "$one"
ok "the second, too" ended two "$two"
ok "the third, too" ended three "$(domid three)"
gone() { ! timeout 10 xenstore-exists "/local/domain/$two"; }
ok "and the new store sees it go" until_true 10 gone
released() { grep -c . "$tmp/released" | grep -q '[2-9]'; }
ok "whoever watched for that is told" until_true 10 released
kill $watcher 2>/dev/null
wait $watcher 2>/dev/null
ok "the host stops" timeout 20 "$ringside" stop-host
finish
