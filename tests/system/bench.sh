# `ringside bench`: the names that programs read, in each form of output, and
# what it says to mistakes. One short run of each group: what the figures are
# is not judged here.
. "$(dirname "$0")/tap.bash"

number='[0-9.e+-]+'
names="boot.create_to_main boot.create_to_connected
blk.randread4k_qd1 blk.randread4k_qd32 blk.native_randread4k_qd32 net.tcp_nat"
for name in create_us connected_us cpu_us idle_cpu_percent \
    list_ms destroy_ms host_end_ms; do
    names="$names scale.$name"
done
for load in read write directory100 mkdir txn_private; do
    for clients in 1 8 64; do
        name=xenstore.${load}_$clients
        names="$names $name ${name}_cpu_us"
    done
done
for load in shared siblings set count; do
    name=xenstore.txn_${load}_8
    names="$names $name ${name}_cpu_us ${name}_eagain"
done
for name in mkdir_8_last bytes_per_node bytes_per_sibling rm_100000_ms \
    rm_100000_cpu_ms rm_100000_stall_ms watch_latency_us watch_events_64 \
    watch_events_64_cpu_us read_p99_us read_p99_hostile_us \
    guest_read_p99_us guest_read_p99_hostile_us; do
    names="$names xenstore.$name"
done

# What one guest, or two on one processor, can be asked for.
timed="native.call native.vdso_clock hypercall.native_syscall
native.eventfd_write native.eventfd_epoll_write native.gp_signal
native.fault_signal native.timer_signal native.memcpy4k native.mmap_page
native.notify native.pipe_pingpong native.eventfd_pingpong hypercall.trap
hypercall.direct_send guest.page_fault guest.timer guest.timer_idle
guest.thread_switch event.send event.pingpong_block grant.copy64 grant.copy1k
grant.copy4k grant.copy64k grant.kept4k grant.map_unmap grant.map_unmap4
grant.map_unmap16 grant.map_unmap64 grant.map_unmap256"
for n in 1 2 4 8 16 32 64 128 256; do
    timed="$timed hypercall.multicall$n"
done
for op in cli sti hlt in out rdmsr wrmsr invlpg lidt; do
    timed="$timed hypercall.pv_$op hypercall.emulated_$op"
done
timed="$timed hypercall.emulated_lgdt hypercall.emulated_mov_cr3
hypercall.in_stub_cli hypercall.in_stub_sti"
# What needs a second processor, or what is not there on every host.
across="native.pipe_pingpong_across native.eventfd_pingpong_across
native.socket_pingpong_across native.word_pingpong
event.pingpong_block_across event.pingpong_poll vchan.rtt hypercall.ring"
rates="program.blkcheck program.blkcheck_trap program.webserver
program.webserver_trap"
across_rates="native.socket_stream vchan.throughput"
optional=
if [ "$(nproc)" -gt 1 ]; then
    timed="$timed $across" rates="$rates $across_rates"
else
    optional="$optional $across $across_rates"
fi

out=$tmp/out
has() { # PATTERN: some line is that
    local line
    while read -r line; do [[ $line =~ $1 ]] && return 0; done <"$out"
    return 1
}
lines() { grep -vc '^#' "$out"; }
common="\"unit\": \"[^\"]+\", \"baseline\": ($number|null)"
common="$common, \"ratio\": ($number|null), \"runs\": 1"

timeout 600 "$ringside" bench --json --runs 1 --guests 110 >"$out" 2>"$tmp/err"
status=$?
# On a machine where others take and give memory a guest may seem to weigh
# nothing: then that is said, and is no figure.
wrong='kib_per_guest came out as [0-9.e+-]* KiB, which cannot be right'
wrongs=$(grep -c "$wrong" "$tmp/err")
is 'bench runs' $status $((wrongs > 0))
[ "$(nproc)" = 1 ] || is 'and finds all processors' \
    "$(grep -v "$wrong" "$tmp/err")" ''
ok 'what has a baseline names it' \
    eval "! grep -E '\"baseline\": [0-9]' '$out' | grep -q 'baseline_name\": null'"
is 'depth 32 beside depth 32' "$(grep '"blk.randread4k_qd32"' "$out" |
    grep -o '"baseline_name.*')" '"baseline_name": "io_submit, 32 at a time"}'
like 'how far the processors are' "$(head -n 1 "$out")" \
    "\"distance_ns\": ($number|null)"
ok 'the machine is the first line' \
    eval "head -n 1 '$out' | grep -q '^{\"machine\": {.*\"tsc_mhz\": [1-9].*}}$'"
for name in boot.kib_per_guest scale.kib_per_guest; do
    grep -q "$name came out as" "$tmp/err" || names="$names $name"
done
for name in $names; do
    ok "$name" has "^\{\"name\": \"$name\", \"median\": $number, $common, \
\"baseline_name\": (\"[^\"]+\"|null)\}\$"
done
for name in $timed; do
    ok "$name" has "^\{\"name\": \"$name\", \"median\": $number, $common, \
\"p99\": $number, \"cycles\": $number, \"p99_of\": [1-9][0-9]*, \
\"syscalls\": $number.*\}\$"
done
for name in $rates; do
    ok "$name" has "^\{\"name\": \"$name\", \"median\": $number, $common, .*\}\$"
done
for name in $optional; do
    ok "$name, or why not" has "^\{\"name\": \"$name\", \"median\": \
($number, $common, .*|null, \"left_out\": \"[^\"]+\")\}\$"
done
wanted=$(wc -w <<<"machine $names $timed $rates $optional")
is 'nothing else is printed' "$(lines)" "$wanted"

timeout 60 "$ringside" bench --csv --runs 2 grant >"$out"
point $? 'a part of the table, as CSV'
like 'the machine is in comments' "$(head -n 1 "$out")" '^# machine '
like 'the columns have names' "$(grep -v '^#' "$out" | head -n 1)" \
    '^name,median,unit,'
ok 'as many as the figures have' \
    eval "awk -F, '/^#/ { next } n && NF != n { exit 1 } { n = NF }' '$out'"
is 'nothing but grants' "$(grep -v '^#' "$out" | grep -vc '^grant\.')" 1

if command -v gnuplot >/dev/null; then
    timeout 60 "$ringside" bench hypercall --runs 1 \
        --plot "$tmp/chart.svg" >"$out"
    point $? 'the table, and a chart'
    like 'which is SVG' "$(head -n 2 "$tmp/chart.svg")" '<svg|<\?xml'
    ok 'names the machine' grep -q 'TSC' "$tmp/chart.svg"
    ok 'and its figures' grep -q 'hypercall.trap' "$tmp/chart.svg"
else
    points=$((points + 1))
    echo "ok $points - a chart # SKIP gnuplot is not installed"
fi

search=$PATH
refused() { # TEXT PATTERN ARG...: one line, exit status 1, no figure
    local text=$1 pattern=$2 status
    shift 2
    timeout 60 env PATH="$search" "$ringside" bench "$@" >"$out" 2>&1
    status=$?
    is "$text: exit status" $status 1
    is "$text: one line" "$(wc -l <"$out")" 1
    like "$text: which says it" "$(cat "$out")" "$pattern"
}
refused 'an unknown bench' "no bench 'nonsense'" hypercall nonsense
refused 'no runs' '--runs 0: a number' --runs 0
refused 'runs that are none' '--runs x: a number' --runs x
refused 'more than there may be' '--runs 1000: a number' --runs 1000
refused 'too few guests' '--guests 109: a number' --guests 109
refused 'a chart of something else' '--plot draws' boot --plot "$tmp/x.svg"
search=/nowhere
refused 'no gnuplot' 'plot needs gnuplot' hypercall --plot "$tmp/x.svg"
refused 'no gnuplot for the growth' 'growth needs gnuplot' scale \
    --growth "$tmp/x.svg"
search=$PATH
if command -v gnuplot >/dev/null; then
    refused 'a chart that cannot be written' '--plot /nowhere/x.svg: No such' \
        hypercall --plot /nowhere/x.svg
fi

finish
