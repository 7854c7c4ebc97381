# Counters: a guest that does a known number of things is found to have done
# exactly these, by info and by top; what it says of itself harms nobody.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

guest=$abs_top_builddir/tests/system/counters_guest.elf

# Has the guest do what a number means, and waits until it has.
nr=0
said() { tr -d '\r' <"$RINGSIDE_RUNDIR/console/busy.log" | grep -qx "$1"; }
tell()
{
    local tty
    nr=$((nr + 1))
    tty=$("$ringside" info --json busy | grep -o '"console":"[^"]*' |
        cut -d'"' -f4)
    printf '%s\n' "$1 $nr" >"$tty"
    until_true 30 said "done $1 $nr"
}

# member NAME OBJECT: the number of that member in a JSON object.
member() { grep -o "\"$1\":[0-9]*" <<<"$2" | head -1 | cut -d: -f2; }
# object START JSON: the innermost object that begins so.
object() { grep -o "$1[^]}]*" <<<"$2"; }
# more NAME START: how much more than before it is now.
more()
{
    local now old
    now=$(member "$1" "$(object "$2" "$after")")
    old=$(member "$1" "$(object "$2" "$before")")
    echo $((${now:-0} - ${old:-0}))
}
look() { "$ringside" info --json busy; }

truncate -s 1M "$tmp/disk"
ok 'a guest' quietly "$ringside" create -q --kernel "$guest" --name busy \
    --disk "$tmp/disk,raw,xvda,w"

calls='{"name":"xen_version"'
batches='{"name":"multicall"'
reported='"reported_by_guest":{'
ok 'it is there' tell 0
before=$(look)
ok 'it does hypercalls' tell 1
after=$(look)
is '1,007 of one kind' "$(more calls "$calls")" 1007
is 'of which 7 failed' "$(more failed "$calls")" 7
is '10 in a batch' "$(more batched "$calls")" 10
is 'which is one call' "$(member calls "$(object "$batches" "$after")")" 1
sends=$(more event_sends "$reported")
ok 'at least 500 events, as it reports' test "$sends" -ge 500
ok "and not many more ($sends)" test "$sends" -lt 800
buckets=$(grep -o "$calls[^]]*" <<<"$after" | grep -o '"calls":[0-9]*}' |
    tr -dc '0-9\n' | paste -sd+)
is 'the histogram has every call' "$((buckets))" \
    "$(member calls "$(object "$calls" "$after")")"

before=$after
ok 'it reads and writes' tell 2
after=$(look)
io='"io":{'
is '64 reads' "$(more reads "$io")" 64
is 'of 4 KiB' "$(more read_bytes "$io")" $((64 * 4096))
is '16 writes' "$(more writes "$io")" 16
is 'of 8 KiB' "$(more write_bytes "$io")" $((16 * 8192))
is 'one flush' "$(more flushes "$io")" 1
is 'no error' "$(more errors "$io")" 0
if command -v python3 >/dev/null; then
    ok 'it is JSON' python3 -c 'import json, sys; json.loads(sys.argv[1])' \
        "$after"
fi
like 'for people, too' "$("$ringside" info busy)" \
    'xen_version +: 10[0-9]+ and 10 in multicalls, 7 failed, mean'

# The driver domain's word comes from a new one, if it dies.
kill -9 "$("$ringside" info --json 1 | grep -o '"pid":[0-9]*' | cut -d: -f2)"
again() { [ "$(member reads "$(object "$io" "$(look)")")" = "$1" ]; }
ok 'a new driver domain begins at 0' until_true 10 again 0
ok 'and its guest is there' tell 0
before=$(look)
ok 'on the same disk' tell 2
after=$(look)
is '64 reads again' "$(more reads "$io")" 64

mkdir "$tmp/site"
random_file "$tmp/site/f" 300000
tar -cf "$tmp/site.tar" -C "$tmp/site" .
free_port
ok 'a web site' start_server web "$tmp/site.tar" \
    "type=nat,forward=tcp:$port:80"

# With a card, an address and nothing to do: its timers do not run for nothing.
pid=$("$ringside" info --json web | grep -o '"pid":[0-9]*' | cut -d: -f2)
woken()
{
    awk '/^voluntary/ { n += $2 } END { print n }' /proc/"$pid"/task/*/status
}
sleep 1
before=$(woken)
sleep 3
is 'it sleeps when it is idle' "$(woken)" "$before"

net='"io":{"tx'
look() { "$ringside" info --json web; }
before=$(look)
ok 'is fetched' quietly curl -s -f -o /dev/null "http://127.0.0.1:$port/f"
after=$(look)
sent=$(more tx_bytes "$net")
ok "what it sent ($sent)" test "$sent" -ge 300000 -a "$sent" -lt 400000
ok 'in frames' test "$(more tx_packets "$net")" -ge 6
ok 'and was asked for' test "$(more rx_bytes "$net")" -ge 100

# ---- top ----

ok 'a guest that never stops' tell 4
"$ringside" top -b -d 0.2 -n 2 >"$tmp/top" 2>"$tmp/err"
is 'top: status' $? 0
is 'nothing is wrong' "$(cat "$tmp/err")" ''
is 'two headings' "$(grep -c '^NAME .* CPU(%) .* HCALL/s' "$tmp/top")" 2
is 'four domains in each' "$(grep -c '^[a-zD]' "$tmp/top")" 8
is 'the busy one is first' "$(awk 'NR == 2 { print $1 }' "$tmp/top")" busy
ok 'with its hypercalls' \
    awk 'NR == 2 && $6 > 1 && $7 > 100 { good = 1 } END { exit !good }' \
    "$tmp/top"
is 'without a terminal, too' \
    "$("$ringside" top -d 0.1 -n 1 web busy | awk '{ print $1 }' | sort |
        tr '\n' ' ')" 'NAME busy web '
head_only() { "$ringside" top -d 0.1 -n 100 2>/dev/null | head -1 | grep -q NAME; }
ok 'a reader that goes ends it' head_only

# On a terminal, which is as before afterwards.
if command -v script >/dev/null; then
    (sleep 1; printf 'jkh'; sleep 1; printf 'q') |
        TERM=xterm SHELL=/bin/bash timeout 20 script -qefc "stty rows 20 cols 100
            stty -g >$tmp/before
            '$ringside' top -d 0.3; echo \$? >$tmp/status
            stty -g >$tmp/after" "$tmp/typed" >/dev/null
    is 'top on a terminal ends by q' "$(cat "$tmp/status")" 0
    ok 'which is as it was' cmp "$tmp/before" "$tmp/after"
    like 'it was another screen' "$(cat "$tmp/typed")" $'\033\[\\?1049h.*xen_version.*\033\[\\?1049l'
fi

# A domain that vanishes, and then the host.
"$ringside" top -b -d 0.2 -n 20 busy web >"$tmp/vanish" 2>"$tmp/err" &
top=$!
until_true 10 test -s "$tmp/vanish"
"$ringside" destroy web
wait $top
is 'a domain vanishes: top goes on' $? 0
like 'without it' "$(tail -1 "$tmp/vanish")" '^busy '

# ---- lies ----

"$ringside" destroy busy
quietly "$ringside" create -q --kernel "$guest" --name busy \
    --disk "$tmp/disk,raw,xvda,w"
look() { "$ringside" info --json busy; }
ok 'a guest that lies' tell 3
like 'is quoted' "$(member event_sends "$(object "$reported" "$(look)")")" \
    '^90000000000000[0-9]{5}$'
ok 'it goes on' tell 1
ok 'and is counted by others' test \
    "$(member calls "$(object "$calls" "$(look)")")" -ge 1007
"$ringside" top -b -d 0.2 -n 2 busy >"$tmp/top" 2>&1
is 'top quotes it, too' "$(grep -c '^busy' "$tmp/top")" 2

# ---- wrong requests ----

# wrong PATTERN ARGUMENT...: one line, status 1.
wrong()
{
    local pattern=$1 out
    shift
    out=$(timeout 20 "$ringside" "$@" 2>&1 >/dev/null </dev/null)
    local status=$?
    like "$* (status $status)" "$status:$(wc -l <<<"$out"):$out" \
        "^1:1:ringside: .*$pattern"
}
for delay in 0 0.01 4000 x 1x '' nan; do
    wrong 'say 0.1 to 3600 seconds' top -d "$delay"
done
for looks in 0 -1 x 1x '' 99999999999999999999; do
    wrong 'say a number from 1 on' top -n "$looks"
done
wrong 'there is no domain nobody' top busy nobody
wrong 'unknown option' top --fast

"$ringside" top -b -d 0.2 >"$tmp/ends" 2>"$tmp/err" &
top=$!
until_true 10 test -s "$tmp/ends"
"$ringside" stop-host
wait $top
is 'the host ends: status' $? 1
like 'the host ends: one line' "$(cat "$tmp/err")" \
    '^ringside: the host has ended$'
wrong 'no host is running' top
finish
