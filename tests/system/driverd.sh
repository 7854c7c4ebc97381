# The driver domain as a command: options, bad input, a host that is not there,
# a second one, the end of the host.
. "$(dirname "$0")/tap.bash"

driverd=$abs_top_builddir/ringside-driverd
host_pid() { cat "$RINGSIDE_RUNDIR/ringsided.pid"; }
driverd_pid() { pgrep -P "$(host_pid)" -f ringside-driverd; }

# refuses TEXT PATTERN ARGS...: one line that matches, exit status 1.
refuses()
{
    local text=$1 pattern=$2 out
    shift 2
    out=$(timeout 20 "$driverd" "$@" 2>&1)
    is "$text: status" $? 1
    is "$text: one line" "$(wc -l <<<"$out")" 1
    like "$text: what it says" "$out" "$pattern"
}

like '--help' "$("$driverd" --help)" '^usage: ringside-driverd'
like '--version' "$("$driverd" --version)" '^ringside-driverd [0-9]'
refuses 'an unknown option' 'unrecognized option' --frob
refuses 'an argument' 'no arguments' frob
refuses 'a bad way of I/O' "'fast' is not auto" --disk-io fast
refuses 'a bad descriptor' 'not an open descriptor' --ready-fd 99
refuses 'nobody started it' 'ringsided starts this program'
export RINGSIDE_IDENTITY=driver:$tmp/none/hypervisor.sock
refuses 'no host' 'cannot join the host: No such file' --rundir "$tmp/none"
unset RINGSIDE_IDENTITY
out=$(RINGSIDE_DISK_IO=slow "$driverd" --rundir "$tmp/none" 2>&1)
is 'a bad environment: status' $? 1
like 'a bad environment: what it says' "$out" "RINGSIDE_DISK_IO: 'slow'"

"$ringside" create -q --kernel "$abs_top_builddir/tests/system/cli_guest.elf" \
    --name web -- wait </dev/null
running() { driverd_pid >/dev/null; }
ok 'a host has one' until_true 10 running
first=$(driverd_pid)
export RINGSIDE_IDENTITY=driver:$RINGSIDE_RUNDIR/hypervisor.sock
refuses 'a second one' 'Device or resource busy'
unset RINGSIDE_IDENTITY
kill -TERM "$first"
another() { [ -n "$(driverd_pid)" ] && [ "$(driverd_pid)" != "$first" ]; }
ok 'SIGTERM ends it, and it is started again' until_true 10 another
second=$(driverd_pid)

# Both of a guest's streams go on where the one before had left them.
"$ringside" run -q --kernel "$abs_top_builddir/tests/system/cli_guest.elf" \
    -- both 10000 </dev/null >"$tmp/out" 2>"$tmp/err" &
pid=$!
ok 'a guest writes' until_true 20 test -s "$tmp/err"
kill -TERM "$second"
wait $pid
is 'and ends well when its driver domain does not' $? 0
seq -f '%063.0f' 0 9999 | cmp -s - "$tmp/out"
is 'its standard output is whole' $? 0
seq -f 'error %057.0f' 0 9999 | cmp -s - "$tmp/err"
is 'and so is its standard error' $? 0
third() { [ -n "$(driverd_pid)" ] && [ "$(driverd_pid)" != "$second" ]; }
ok 'there is another again' until_true 10 third
second=$(driverd_pid)
"$ringside" stop-host >/dev/null
ended() { ! kill -0 "$second" 2>/dev/null; }
ok 'it ends with its host' until_true 10 ended
finish
