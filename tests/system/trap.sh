# Mode trap: the examples on the native twin of their kernel, and what a user
# sees of it.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

examples=$abs_top_builddir/examples
trap_run() { timeout 60 "$ringside" run --quiet --mode=trap "$@"; }
complaint() { "$ringside" run -q "$@" 2>&1 >/dev/null </dev/null; }
said() { grep -q "$1" "$RINGSIDE_RUNDIR/console/ask.log" 2>/dev/null; }

if grep -q -e '--disable-emulate' "$abs_top_builddir/config.log"; then
    like 'a build without trap-and-emulate says so' \
        "$(complaint --mode=trap "$examples/hello/hello.elf")" \
        'this build has no trap-and-emulate'
    finish
    exit
fi

# X.elf means X.native.elf beside it.
like 'hello' "$(trap_run "$examples/hello/hello.elf" -- from ring 3)" \
    'Hello from a guest'
is 'a console, both ways' "$(printf 'one\ntwo\n\4' |
    trap_run "$examples/echo-console/echo-console.elf" 2>&1 | tr -d '\r' |
    grep -c -E '^(one|two)$')" \
    "$(printf 'one\ntwo\n\4' |
    "$ringside" run -q "$examples/echo-console/echo-console.elf" 2>&1 |
    tr -d '\r' | grep -c -E '^(one|two)$')"

truncate -s 8M "$tmp/disk.img"
like 'a disk, written and read' "$(trap_run "$examples/blkcheck/blkcheck.elf" \
    --disk "$tmp/disk.img,raw,xvda,w" </dev/null)" 'blkcheck: passed'
ok 'the host reads the same' \
    quietly "$examples/blkcheck/blkcheck-host" "$tmp/disk.img"

mkdir "$tmp/site"
random_file "$tmp/site/f" 3000000
tar -cf "$tmp/site.tar" -C "$tmp/site" .
free_port
ok 'a web site' start_server web "$tmp/site.tar" \
    "type=nat,forward=tcp:$port:80" --mode=trap
ok 'byte for byte' fetch "http://127.0.0.1:$port/f" "$tmp/site/f"
info=$("$ringside" info web --json)
like 'info tells the mode' "$info" '"mode":"trap"'
like 'and counts its traps' "$info" '"traps":[1-9][0-9]{2,}'
quietly "$ringside" shutdown -w web

for modes in 'trap pv' 'pv trap'; do
    read -r upper ask <<<"$modes"
    ok "guests in modes $upper and $ask talk" env BUILD="$abs_top_builddir" \
        UPPER_MODE=$upper ASK_MODE=$ask timeout 20 \
        "$abs_top_srcdir/examples/vchan/pair.sh" "$upper" "$ask"
    ok "so that both understand" until_true 10 said "${ask^^}"
    quietly "$ringside" destroy ask
    quietly "$ringside" destroy upper
done

# What does not trap is wrong, and nobody is told.
for mode in pv trap; do
    out=$(timeout 20 "$ringside" run -q --mode=$mode \
        "$examples/sensitive/sensitive.elf")
    like "$mode: popf turns nothing off" "$out" 'popf[^|]*IF=1 still'
    like "$mode: iretq neither" "$out" 'iretq[^|]*IF=1 still'
    like "$mode: most are wrong" "$out" '[7-9] of [89] were silently wrong'
    like "$mode: its own means are right" "$out" 'own means: right'
done

# Figures only: what cli costs if it is decoded on the guest's side.
like 'trap-stub runs the same' "$(timeout 60 "$ringside" run -q \
    --mode=trap-stub "$examples/hello/hello.elf")" 'Hello from a guest'
like 'and loses no wake-up' "$(timeout -k 5 60 "$ringside" run -q \
    --mode=trap-stub --kernel "$abs_top_builddir/tests/guest/halts.native.elf")" \
    'halts, each ended'

cp "$examples/hello/hello.elf" "$tmp/alone.elf"
is 'a mode that is not there' "$(complaint --mode=ring0 "$tmp/alone.elf")" \
    "ringside: --mode: 'ring0' is not pv, trap or trap-stub"
is 'one vCPU' "$(complaint --mode=trap -u 2 "$tmp/alone.elf")" \
    'ringside: a guest in mode trap has one vCPU, not 2'
like 'a kernel without its twin' "$(complaint --mode=trap "$tmp/alone.elf")" \
    'needs its native twin \(ringside-cc --native\)'
like 'a twin in the wrong mode' \
    "$(complaint "$examples/hello/hello.native.elf")" \
    'it is a native kernel, which needs mode trap'
printf 'kernel = "%s"\nmode = "trap"\n' "$examples/hello/hello.elf" \
    >"$tmp/hello.cfg"
like 'a configuration says it, too' \
    "$(timeout 20 "$ringside" run -q "$tmp/hello.cfg")" 'Hello from a guest'
printf 'mode = "x"\n' >"$tmp/bad.cfg"
like 'or says nonsense' "$(complaint "$tmp/bad.cfg")" "bad.cfg: mode: 'x' is not"

finish
