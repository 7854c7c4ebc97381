# A guest in the foreground: its input, output and exit status are those of the
# command, and afterwards there is no process and no file of it.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
run() { timeout 60 "$ringside" run -q --kernel "$guest" "$@"; }

# What a private host would leave.
remains() { ls -d "$tmp"/ringside-run-* 2>/dev/null; }
before=$(remains)

run -- exit 0 </dev/null
is 'exit status 0' $? 0
run -- exit 7 </dev/null
is 'exit status 7' $? 7
run -- exit 255 </dev/null
is 'exit status 255' $? 255

is 'arguments' "$(run --extra 'args a' -- 'b c' "d'e\"" '' --name \
    </dev/null | tr '\n' ' ')" "<a> <b c> <d'e\"> <> <--name> "
is 'input' "$(printf 'one\ntwo\n' | run -- echo | tr '\n' ' ')" 'one two end '
is 'no input' "$(run -- echo </dev/null)" end
# Every byte, the ones that a terminal acts on in any order, and more of them
# than the ring holds.
for i in $(seq 0 255); do
    printf -v octal '%03o' "$i"
    printf "\\$octal"
done >"$tmp/once"
{
    for _ in $(seq 40); do cat "$tmp/once"; done
    printf '\4\4\r\r\26\26\4\26\r\n\26\4\0\377\35\r'
} >"$tmp/bytes"
run -- copy <"$tmp/bytes" >"$tmp/out"
is 'input of any bytes ends with status 0' $? 0
ok 'and arrives as it is' cmp "$tmp/bytes" "$tmp/out"
cat "$tmp/bytes" | run -- copy | cmp -s - "$tmp/bytes"
is 'from a pipe, too' $? 0
lines=20000
run -- print $lines </dev/null >"$tmp/out"
seq -f '%063.0f' 0 $((lines - 1)) | cmp -s - "$tmp/out"
is 'all of a long output' $? 0
is 'a reader that leaves' "$(run -- print 200000 </dev/null | head -n1)" \
    "$(printf '%063d' 0)"

# Two streams where they go to two places, one in order where they do not.
n=2000
seq -f '%063.0f' 0 $((n - 1)) >"$tmp/expected.out"
seq -f 'error %057.0f' 0 $((n - 1)) >"$tmp/expected.err"
run -- both $n </dev/null >"$tmp/out" 2>"$tmp/err"
ok "standard output alone" cmp "$tmp/expected.out" "$tmp/out"
ok "standard error in a file of its own" cmp "$tmp/expected.err" "$tmp/err"
run -- both $n </dev/null 2>&1 >/dev/null | cmp -s - "$tmp/expected.err"
is 'and in a pipe' $? 0
run -- both $n </dev/null >"$tmp/out" 2>&1
paste -d '\n' "$tmp/expected.out" "$tmp/expected.err" | cmp -s - "$tmp/out"
is 'both in one file: in their order' $? 0

out=$(run -- null </dev/null 2>&1)
is 'a crash: status' $? 134
like 'a crash: why' "$out" 'ringside: cli_guest crashed: '

# The summary.
out=$("$ringside" run --kernel "$guest" -- exit 3 2>&1 </dev/null)
like 'the summary' "$out" 'cli_guest is domain [0-9]+.* 16 MiB'
like 'the end' "$out" 'cli_guest ended with status 3: started in .*, ran for '
is 'quiet' "$(run -- exit 3 2>&1 </dev/null)" ''

# Signals.
run_until_waiting()
{
    rm -f "$tmp/out"
    "$ringside" run -q --kernel "$guest" -- "$1" </dev/null >"$tmp/out" 2>&1 &
    pid=$!
    until_true 20 grep -qs waiting "$tmp/out"
}
run_until_waiting wait
kill -INT $pid
wait $pid
is 'SIGINT asks it to shut down' $? 0
run_until_waiting wait
kill -TERM $pid
wait $pid
is 'so does SIGTERM' $? 0
run_until_waiting stubborn
kill -INT $pid
sleep 0.3
kill -INT $pid
wait $pid
is 'a second SIGINT destroys' $? 130
run_until_waiting wait
kill -KILL $pid
wait $pid 2>/dev/null
same() { [ "$(remains)" = "$before" ]; }
ok 'SIGKILL leaves nothing behind' until_true 10 same

# A configuration, and a guest that is its own first argument.
printf '%s\n' "name = 'file'" "kernel = '$guest'" "extra = 'exit 5'" \
    >"$tmp/a.cfg"
timeout 60 "$ringside" run -q "$tmp/a.cfg" </dev/null
is 'a configuration' $? 5
timeout 60 "$ringside" run -q "$guest" -- exit 6 </dev/null
is 'an ELF file' $? 6

# The doctor agrees.
out=$("$ringside" doctor)
is 'doctor: status' $? 0
like 'doctor: words' "$out" 'This machine can run guests'
is 'doctor: JSON, one object a line' "$("$ringside" doctor --json |
    grep -cv '^{"check":"[^"]*","verdict":"[a-z]*","detail":".*}$')" 0
out=$(PATH=/usr/bin:/bin RINGSIDE_RUNDIR=/proc/none "$ringside" doctor)
is 'doctor: something is missing: status' $? 1
like 'doctor: and what' "$out" 'missing +runtime directory +/proc/none'

# Descriptors: 64 are enough for nobody, and both say so.
few() { (ulimit -n 64; timeout 60 "$ringside" "$@" </dev/null 2>&1); }
out=$(few doctor)
is 'doctor with few descriptors: status' $? 1
like 'doctor with few descriptors: for no guest' "$out" \
    'missing +descriptors +64: for no guest
 +No guest fits'
like 'the same in JSON' "$(few doctor --json)" \
    '"detail":"64: for no guest","consequence":"No guest fits'
like 'run with few descriptors' "$(few run -q --kernel "$guest" -- exit 0)" \
    'hard limit of open files is 64, and a guest needs 1024'
like 'doctor without gnuplot' "$(PATH=$tmp "$ringside" doctor)" \
    'weaker +gnuplot +not found
 +bench --plot'

# What a machine may lack, switched off.
blkcheck=$abs_top_builddir/examples/blkcheck/blkcheck.elf
truncate -s 4M "$tmp/disk"
for off in USERFAULTFD USERNS IO_URING KVM; do
    export RINGSIDE_NO_$off=1
    like "doctor without $off" "$("$ringside" doctor)" \
        "weaker[^
]*switched off by RINGSIDE_NO_$off=1"
    timeout 60 "$ringside" run -q "$blkcheck" -d "$tmp/disk,raw,xvda,w" \
        </dev/null >"$tmp/out" 2>&1
    is "a disk without $off" $? 0
    unset RINGSIDE_NO_$off
done

# On the user's host, when there is one.
timeout 20 "$ringside" create -q --kernel "$guest" --name other -- wait
rm -f "$tmp/out"
run --name here -- stubborn </dev/null >"$tmp/out" &
pid=$!
until_true 20 grep -qs waiting "$tmp/out"
like 'run uses a running host' "$("$ringside" list)" 'here'
"$ringside" destroy here
wait $pid
is 'destroyed by somebody else' $? 137
ok 'and the host stays' test -n "$("$ringside" list other)"
timeout 20 "$ringside" stop-host
ok 'nothing is left' until_true 10 same

finish
