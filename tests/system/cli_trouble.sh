# What goes wrong while a guest is there: two commands that start one host, a
# backend that refuses, a driver domain, a supervisor or a host that is killed.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
names() { "$ringside" list 2>/dev/null | awk 'NR > 1 && $2 > 1 { print $1 }'; }
gone() { ! "$ringside" list "$1" >/dev/null 2>&1; }
said() { grep -qs "$1" "$2"; }
child_of() { pgrep -P "$1" -f "$2"; }
nodes()
{
    XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock xenstore-ls -f / |
        grep -c -e '/local/domain/[2-9]' -e "backend/[a-z]*/[2-9]" -e '/vm/.'
}

# Two at once.
for i in 1 2 3; do
    timeout 30 "$ringside" create -q --kernel "$guest" --name "g$i" -- wait \
        >"$tmp/create$i" 2>&1 &
    pids[i]=$!
done
for i in 1 2 3; do
    wait "${pids[i]}"
    is "create $i of three at once: $(cat "$tmp/create$i")" $? 0
done
is 'all are there' "$(names | sort | tr '\n' ' ')" 'g1 g2 g3 '
host=$(cat "$RINGSIDE_RUNDIR/ringsided.pid")

# A name that two want at the same time belongs to one.
for i in 1 2; do
    timeout 30 "$ringside" create -q --kernel "$guest" --name same -- wait \
        >"$tmp/create$i" 2>&1 &
    pids[i]=$!
done
wait "${pids[1]}"
first=$?
wait "${pids[2]}"
is 'one of two gets a name' $((first + $?)) 1
is 'the other is told' "$(cat "$tmp/create1" "$tmp/create2" | wc -l)" 1
"$ringside" destroy same

# A supervisor that dies; what it guarded can still be destroyed.
before=$(nodes)
kill -9 "$(ours '^ringside$' | xargs -I{} grep -l 'g1' /proc/{}/cmdline |
    cut -d/ -f3)"
is 'a guest outlives its supervisor' "$(names | grep -c g1)" 1
"$ringside" destroy g1
ok 'and can be destroyed' gone g1
ok 'with its nodes' test "$(nodes)" -lt "$before"

# What only the backend finds out.
before=$(nodes)
mkdir -p "$RINGSIDE_RUNDIR/console/net.log"
out=$(timeout 30 "$ringside" create --kernel "$guest" --name net -- wait 2>&1)
is 'a backend refuses: status' $? 1
like 'a backend refuses: one line' "$out" '^ringside: console 0: [^
]*Is a directory[^
]*$'
ok 'no guest is left' gone net
is 'no nodes are left' "$(nodes)" "$before"
rmdir "$RINGSIDE_RUNDIR/console/net.log"

# A crash loop is not followed.
printf '%s\n' "name = 'loop'" "kernel = '$guest'" "extra = 'null'" \
    "on_crash = 'restart'" >"$tmp/loop.cfg"
timeout 30 "$ringside" run -q "$tmp/loop.cfg" </dev/null >"$tmp/out" 2>&1
is 'run: a crash loop ends' $? 134
ok 'run: and says so' said 'ended within a second' "$tmp/out"

# Input and output go on when the driver domain is another.
mkfifo "$tmp/in"
timeout 60 "$ringside" run -q --kernel "$guest" --name talk -- echo \
    <"$tmp/in" >"$tmp/out" 2>&1 &
run=$!
exec 9>"$tmp/in"
echo before >&9
ok 'the guest answers' until_true 10 said before "$tmp/out"
kill -9 "$(child_of "$host" ringside-driverd)"
sleep 0.3
echo after >&9
ok 'it answers after the death of the driver domain' \
    until_true 10 said after "$tmp/out"
exec 9>&-
wait $run
is 'and ends well' "$? $(tail -n1 "$tmp/out")" '0 end'

# A host that dies.
timeout 60 "$ringside" run -q --kernel "$guest" --name last -- wait \
    </dev/null >"$tmp/out" 2>&1 &
run=$!
until_true 10 said waiting "$tmp/out"
guests=$(for name in $(names); do
    "$ringside" info --json "$name" | grep -o '"pid":[0-9]*' | cut -d: -f2
done)
is '(three guests)' "$(echo "$guests" | wc -l)" 3
kill -9 "$host"
wait $run
is 'run ends with its host' $? 1
like 'and says why' "$(tail -n1 "$tmp/out")" 'ringside: the host of last is gone'
nobody()
{
    local pid
    for pid in $guests; do
        [ ! -e "/proc/$pid" ] || return 1
    done
    [ -z "$(ours '^ringside')" ]
}
ok 'no process is left' until_true 10 nobody
timeout 30 "$ringside" create -q --kernel "$guest" --name again -- wait
is 'a new host takes its place' $? 0

ok 'and ends' timeout 20 "$ringside" stop-host

# A log that a complaint names is there to be read.
bin=$tmp/bin
mkdir "$bin"
cp "$ringside" "$abs_top_builddir/ringsided" "$bin"
named_log() { grep -o "$tmp/[^ ]*\.log" "$1"; }
in_bin()
{
    timeout 60 "$bin/ringside" "$@" --kernel "$guest" </dev/null \
        >"$tmp/out" 2>&1
}
printf '#!/bin/sh\necho "no store today" >&2\nexit 3\n' \
    >"$bin/ringside-xenstored"
chmod +x "$bin/ringside-xenstored"
for verb in run create; do
    in_bin $verb
    is "$verb without a store: status" $? 1
    ok "$verb without a store: the log is there" \
        grep -q 'no store today' "$(named_log "$tmp/out")"
done
cp "$abs_top_builddir/ringside-xenstored" "$bin"
cat >"$bin/ringside-driverd" <<'END'
#!/bin/sh
while [ "$1" != --ready-fd ]; do shift; done
echo "I serve nobody" >&2
eval "echo >&$2"
exec sleep 100
END
chmod +x "$bin/ringside-driverd"
for verb in run create; do
    in_bin $verb
    is "$verb with an idle driver domain: status" $? 1
    is "$verb with an idle driver domain: one complaint" \
        "$(grep -c "^ringside: " "$tmp/out")" 1
    ok "$verb with an idle driver domain: the log is there" \
        grep -q 'I serve nobody' "$(named_log "$tmp/out")"
done
ok 'such a host ends, too' timeout 20 "$ringside" stop-host

finish
