# A hundred guests that end in all the ways there are (destroyed, with a status,
# crashed, in the foreground and in the background) leave the host as it was: its
# processes, their descriptors and mappings, the memory for guests, the store.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
blkcheck=$abs_top_builddir/examples/blkcheck/blkcheck.elf
rounds=${RINGSIDE_LEAK_ROUNDS:-100}
truncate -s 1M "$tmp/disk"

host_pid() { cat "$RINGSIDE_RUNDIR/ringsided.pid"; }
descriptors() { ls "/proc/$1/fd" | wc -l; }
# A sanitizer's allocator maps more as it goes.
mappings()
{
    if [ "${SANITIZER:-no}" = no ]; then wc -l <"/proc/$1/maps"; else echo -; fi
}
supervisors() { ours '^ringside$' | wc -l; }
alone() { [ "$(supervisors)" = 1 ]; }
free_memory() { "$ringside" info --json | grep -o '"free_memory_kib":[0-9]*'; }

# One line per thing that must not grow.
census()
{
    local pid
    echo "domains $("$ringside" list | awk 'NR > 1 { print $1 }' | xargs)"
    free_memory
    echo "nodes $(XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock \
        xenstore-ls -f / | wc -l)"
    for pid in $(host_pid) $(pgrep -P "$(host_pid)" | sort -n); do
        echo "$(cat "/proc/$pid/comm") descriptors $(descriptors "$pid")"
        echo "$(cat "/proc/$pid/comm") mappings $(mappings "$pid")"
    done
    echo "supervisors $(supervisors)"
}

# The same, after what is still under way.
settled()
{
    census >"$tmp/after"
    cmp -s "$tmp/before" "$tmp/after"
}

round()
{
    case $(($1 % 4)) in
    0) "$ringside" create -q --kernel "$guest" --name "r$1" \
        -d "$tmp/disk,raw,xvda,w" -v type=nat -- wait &&
        "$ringside" destroy "r$1" ;;
    1) "$ringside" run -q --kernel "$guest" -- exit 3 </dev/null
        [ $? = 3 ] ;;
    2) "$ringside" run -q --kernel "$guest" -- null </dev/null 2>/dev/null
        [ $? = 134 ] ;;
    3) "$ringside" run -q --kernel "$blkcheck" -d "$tmp/disk,raw,xvda,w" \
        </dev/null >/dev/null ;;
    esac
}

all_rounds()
{
    local i
    for i in $(seq "$1" "$2"); do
        round "$i" || { echo "# round $i"; return 1; }
    done
}

"$ringside" create -q --kernel "$guest" --name stays -- wait
ok 'the first rounds (after which what is kept on purpose is there)' \
    all_rounds 1 8
ok 'each has an end' until_true 10 alone
census >"$tmp/before"
ok "$rounds more rounds" all_rounds 9 $((rounds + 8))
ok 'nothing has grown' until_true 10 settled
diff "$tmp/before" "$tmp/after" | sed 's/^/# /'
finish
