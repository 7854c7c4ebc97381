#!/bin/bash
# `ringside bench --json`: one object a line, with the names that programs
# read. One short run of each group: what the figures are is not judged here.
set -u
ringside=$abs_top_builddir/ringside
names="boot.create_to_main boot.create_to_connected boot.kib_per_guest
hypercall.trap event.send event.pingpong blk.randread4k_qd1
blk.randread4k_qd32 net.tcp_nat vchan.rtt vchan.throughput"
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
n=0

ok()
{
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
timeout 300 "$ringside" bench --json --runs 1 >"$out"
ok $? "bench runs"
for name in $names; do
    line=$(grep "\"name\": \"$name\"" "$out")
    [[ $line =~ ^\{.*\"median\":\ [0-9.e+]+,\ \"unit\":\ \"[^\"]+\",\ \"baseline\":\ ([0-9.e+]+|null),\ \"ratio\":\ ([0-9.e+-]+|null),\ \"runs\":\ 1\}$ ]]
    ok $? "$name"
done
[ "$(wc -l <"$out")" = "$(wc -w <<<"$names")" ]
ok $? "nothing else is printed"
"$ringside" bench hypercall nonsense >"$out" 2>&1
[ $? = 1 ] && [ "$(wc -l <"$out")" = 1 ]
ok $? "an unknown bench is one line"
echo "1..$n"
