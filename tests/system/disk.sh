# Disks of real guests: what blkcheck writes is there after a second boot, in
# the host's eyes too, on every way of doing I/O, and when the driver domain is
# killed at any moment.
. "$(dirname "$0")/tap.bash"

check=$abs_top_builddir/examples/blkcheck/blkcheck.elf
image=$tmp/disk.img
log=$RINGSIDE_RUNDIR/console/blkcheck.log

# quietly COMMAND...: what it prints is shown as comments when it fails.
quietly()
{
    "$@" >"$tmp/out" 2>&1 || { sed 's/^/# /' "$tmp/out"; return 1; }
}

host_agrees()
{
    quietly "$abs_top_builddir/examples/blkcheck/blkcheck-host" "$image"
}

# Boots blkcheck on the image with these arguments, until it ends.
run()
{
    quietly timeout 120 "$ringside" run --quiet --kernel "$check" \
        --disk "$image,raw,xvda,${access:-w}" -- "$@" </dev/null
}

# The same for a disk that was filled before.
run_again()
{
    run && grep -q 'filled before' "$tmp/out"
}

start()
{
    rm -f "$log"
    quietly "$ringside" create --quiet --kernel "$check" \
        --disk "$image,raw,xvda,w" -- "$@" </dev/null
}

log_says()
{
    grep -q "$1" "$log" 2>/dev/null
}

passed()
{
    until_true 100 log_says 'passed\|FAILED'
    quietly cat "$log"
    log_says passed
}

kill_driver_domain()
{
    local pid

    pid=$(pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" \
        -f ringside-driverd) && kill -9 "$pid"
}

# The guest has flushed; the driver domain dies before the check.
kill_after_flush()
{
    start --fill --wait 1 && until_true 60 log_says flushed &&
        kill_driver_domain && passed
}

# The driver domain dies again and again while the disk is being filled.
kill_under_load()
{
    local kills=0

    start --fill --rounds 16 && until_true 60 log_says flushed || return 1
    for _ in 1 2 3 4 5 6; do
        kill_driver_domain && kills=$((kills + 1))
        sleep 0.1
    done
    [ $kills -ge 2 ] && passed
}

guests_are_gone()
{
    [ "$("$ringside" list | awk '$2 > 1' | wc -l)" = 1 ]
}

devices_are_gone()
{
    ! XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock \
        xenstore-ls -f /local/domain/1/backend 2>/dev/null | grep -q state
}

truncate -s 256M "$image"
ok "a guest fills, flushes and verifies 256 MiB" run
ok "the host agrees about every sector" host_agrees
ok "a second boot verifies what the first wrote" run_again
access=r
ok "so does a guest that may only read" run_again
refused() { ! run --fill >/dev/null; }
ok "which may not write" refused
access=w
ok "the host still agrees" host_agrees

truncate -s 16777000 "$image"
ok "a disk that ends within a sector" run --fill
ok "is whole for the host" host_agrees

truncate -s 32M "$image"
for io in inline uring threads; do
    export RINGSIDE_DISK_IO=$io
    if [ $io = uring ] && "$ringside" doctor | grep -i io_uring |
        grep -qiv 'yes\|ok\|works'; then
        ok "no io_uring here # SKIP" true
    else
        ok "disk I/O by $io" run --fill
        ok "the host agrees" host_agrees
    fi
done
unset RINGSIDE_DISK_IO

truncate -s 64M "$image"
ok "the driver domain killed after a flush: nothing is lost" kill_after_flush
ok "the host agrees" host_agrees
ok "killed under load: the guest goes on" kill_under_load
ok "the host agrees after that" host_agrees
ok "the guests are gone" until_true 10 guests_are_gone
ok "and their devices" until_true 10 devices_are_gone
finish
