# 100 guests with a disk come and go on one host, each ended at another moment
# of its life; afterwards everything is as before: processes, descriptors,
# mappings, memory, ports and store nodes.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
image=$tmp/disk.img
truncate -s 1M "$image"

create()
{
    timeout 20 "$ringside" create --quiet --kernel "$guest" --name round \
        --memory 8 --disk "$image,raw,xvda,w" -- wait >"$tmp/out" 2>&1 ||
        { sed 's/^/# /' "$tmp/out"; return 1; }
}
destroy() { timeout 20 "$ringside" destroy round; }
nobody() { [ "$("$ringside" list | wc -l)" = 3 ]; } # a heading, Domain-0, driver

# One number a line: what each daemon holds.
held()
{
    local pid
    for pid in $daemons; do
        ls "/proc/$pid/fd" | wc -l
        ls -l "/proc/$pid/fd" | grep -c memfd
        wc -l <"/proc/$pid/maps"
    done
    # All processes that come from this host, the guests' too.
    for pid in $(pids_below "$host"); do echo x; done | wc -l
    "$ringside" info | awk '/free_memory/ { print $3 }'
    XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock xenstore-ls / | wc -l
}
pids_below()
{
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        pids_below "$child"
    done
}
rss() { awk '/^Rss(Anon|Shmem)/ { n += $2 } END { print n }' "/proc/$1/status"; }

# Warms up what grows once and stays: tables, pools, the allocator.
warm=0
for _ in 1 2 3 4 5; do create && sleep 0.1 && destroy && warm=$((warm + 1)); done
is 'guests come and go' "$warm" 5
host=$(cat "$RINGSIDE_RUNDIR/ringsided.pid")
daemons="$host $(pgrep -P "$host" -f 'ringside-(xenstored|driverd)' | tr '\n' ' ')"
is 'three daemons' "$(wc -w <<<"$daemons")" 3
ok 'none is left' until_true 10 nobody
# A guest that was ended while it connected is cleaned up after a while.
settled() { local first; first=$(held); sleep 2; [ "$first" = "$(held)" ]; }
ok 'it comes to rest' until_true 20 settled
before=$(held)
rss_before=$(rss "$host")

rounds=0
for i in $(seq 100); do
    create && sleep "0.0$((i % 7))" && destroy && rounds=$((rounds + 1))
done
is '100 more, ended at any moment' "$rounds" 100
ok 'none of them is left' until_true 10 nobody
same() { [ "$(held)" = "$before" ]; }
ok 'descriptors, mappings, processes, memory and nodes are as before' \
    until_true 20 same
same || diff <(echo "$before") <(held) | sed 's/^/# /'
grown=$(($(rss "$host") - rss_before))
ok "the hypervisor has not grown (by $grown KiB)" [ "$grown" -lt 1024 ]
is 'the daemons are the same' \
    "$host $(pgrep -P "$host" -f 'ringside-(xenstored|driverd)' | tr '\n' ' ')" \
    "$daemons"
finish
