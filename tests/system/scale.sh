# Many guests with a disk and a network card: they are listed, cost no more
# descriptors each than is written here, go without a trace; and when the
# descriptors are used up the next one is refused with a reason, to nobody's
# harm.  An interrupted bench of them gives no false figures.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/bench/guest.elf
many=${RINGSIDE_SCALE_GUESTS:-60}

host_pid() { cat "$RINGSIDE_RUNDIR/ringsided.pid"; }
descriptors() { ls "/proc/$1/fd" | wc -l; }
child() { pgrep -P "$(host_pid)" -f "^[^ ]*$1"; }

# Descriptors of the hypervisor, the store and the driver domain.
census()
{
    descriptors "$(host_pid)"
    descriptors "$(child ringside-xenstored)"
    descriptors "$(child ringside-driverd)"
}

add()
{
    truncate -s 1M "$tmp/disk$1"
    "$ringside" create -q --kernel "$guest" --name "g$1" \
        -d "$tmp/disk$1,raw,xvda,w" -v type=nat -- member
}

add_all()
{
    for i in $(seq "$many"); do
        add "$i" || return 1
    done
}

guests() { "$ringside" list | grep -c '^g[0-9]'; }
are_there() { [ "$(guests)" = "$1" ]; }

# The guest's event channels come when it connects.
is_connected()
{
    local state path=/local/domain/1/backend
    for state in $(XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock \
        xenstore-ls -f $path | sed -n 's|.*/state = "\(.\)".*|\1|p'); do
        [ "$state" = 4 ] || return 1
    done
}

destroy_all()
{
    for i in $(seq "$many"); do
        "$ringside" destroy "g$i" || return 1
    done
}

settled()
{
    census >"$tmp/after"
    cmp -s "$tmp/before" "$tmp/after"
}

# The supervisors of guests that are gone have two connections each.
at_most()
{
    local before after bound name
    set -- $*
    paste -d ' ' "$tmp/before" "$tmp/during" >"$tmp/both"
    while read -r before after; do
        bound=$1
        shift
        [ $((after - before)) -le $((bound * many)) ] || return 1
    done <"$tmp/both"
}

add 0
ok 'the first connects' until_true 20 is_connected
census >"$tmp/before"
ok "$many more" add_all
ok 'all connect' until_true 60 is_connected
is 'they are listed' "$(guests)" $((many + 1))
census >"$tmp/during"
ok 'descriptors for each: hypervisor 16, store 4, driver domain 10' \
    at_most 16 4 10
ok 'each is destroyed' destroy_all
is 'one is left' "$(guests)" 1
ok 'and the descriptors that there were' until_true 20 settled
"$ringside" destroy g0
"$ringside" stop-host >/dev/null

# A hypervisor that may open few files.
add 0
prlimit --pid "$(host_pid)" --nofile=200:
full=0
for i in $(seq 20); do
    add "$i" 2>"$tmp/why" || { full=1; break; }
done
is 'the limit is reached' $full 1
like 'and named' "$(cat "$tmp/why")" 'the limit of open files, 200,'
is 'in one line' "$(wc -l <"$tmp/why")" 1
is 'the others are there' "$(guests)" "$i"
ok 'one goes' "$ringside" destroy g0
ok 'and there is room for another' add 0
like 'the doctor tells of it' "$(ulimit -n 1800 && "$ringside" doctor)" \
    'weaker +descriptors +1800: for about 100 guests'
like 'and of too few for any' "$(ulimit -n 500 && "$ringside" doctor)" \
    'missing +descriptors +500'

# Ctrl-C while the bench rests: what would come later is no figure. It weighs the
# whole machine, where other tests may give memory back at that moment; then it
# refuses its figure, ends, and is begun again.
weighed() { grep -q kib_per_guest "$tmp/figures" || ! kill -0 $bench 2>/dev/null; }
for _ in $(seq 10); do
    "$ringside" bench scale --guests 110 >"$tmp/figures" 2>"$tmp/why" &
    bench=$!
    until_true 120 weighed
    grep -q 'measure again when nothing else runs' "$tmp/why" || break
    wait $bench
done
kill -INT $bench
wait $bench
is 'an interrupted bench: status' $? 1
is 'one line' "$(cat "$tmp/why")" 'ringside: interrupted'
is 'and no figure of what was not measured' \
    "$(grep -c 'idle_cpu\|list_ms\|destroy_ms\|host_end' "$tmp/figures")" 0
finish
