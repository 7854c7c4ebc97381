#!/bin/bash
# Probes of the store (tests/probe/probe.h) by a guest, over its ring, on a
# real host. An agent does for it what needs domain 0.
. "$(dirname "$0")/tap.bash"

probe=$abs_top_builddir/tests/probe
store=$RINGSIDE_RUNDIR/xenstored.sock

"$abs_top_builddir/ringsided" --rundir "$RINGSIDE_RUNDIR" \
    >"$tmp/host.log" 2>&1 &
host=$!
until_true 20 test -S "$store" || { cat "$tmp/host.log"; echo "Bail out!"; }
"$probe/probe_socket" --agent "$store" &
agent=$!

timeout -k 5 $((120 * ${RINGSIDE_TEST_PATIENCE:-1})) "$ringside" run --quiet \
    --kernel "$probe/probe_guest.elf" ${1:+-- "$1"} </dev/null >"$tmp/log" 2>&1
status=$?
if [ $status = 77 ]; then
    echo "1..0 # SKIP $(tail -n1 "$tmp/log")"
else
    tr -d '\r' <"$tmp/log"
fi
kill $agent $host 2>/dev/null
wait $agent $host 2>/dev/null
[ $status = 0 ] || [ $status = 77 ]
