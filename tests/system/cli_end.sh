# When destroy and shutdown -w return, what the guest had is free: also when the
# driver domain takes its time.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

kernel=$abs_top_builddir/tests/system/cli_guest.elf
image=$tmp/disk.img
truncate -s 1M "$image"
free_port

create()
{
    quietly "$ringside" create --quiet --kernel "$kernel" --name one \
        --memory 8 --disk "$image,raw,xvda,w" \
        --vif "type=nat,forward=tcp:$port:80" "$@" -- wait
}

driver_pid()
{
    pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" -f ringside-driverd
}

# slowly COMMAND...: it runs while the driver domain stands still for a while.
slowly()
{
    local pid status
    pid=$(driver_pid)
    kill -STOP "$pid"
    (sleep 3; kill -CONT "$pid") &
    "$@"
    status=$?
    wait
    return $status
}

again()
{
    for _ in 1 2 3 4 5; do
        create && "$@" one || return 1
    done
}

ok "destroy and create, five times" again "$ringside" destroy
ok "shutdown -w and create, five times" again "$ringside" shutdown -w
ok "a guest" create
ok "destroyed while the driver domain is slow" \
    slowly "$ringside" destroy one
ok "the next has its disk and its port" create
ok "shut down while the driver domain is slow" \
    slowly "$ringside" shutdown -w one
ok "the next has its disk and its port" create
kept=$tmp/kept.cfg
"$ringside" destroy one
printf '%s\n' "kernel = '$kernel'" "on_poweroff = 'preserve'" >"$kept"
ok "a guest that is kept after its end" create "$kept"
ok "shutdown -w returns" timeout 30 "$ringside" shutdown -w one
like "and it is there" "$("$ringside" list one)" "one "
ok "until it is destroyed" "$ringside" destroy one
ok "which leaves all to the next" create

# A driver domain that does nothing at all.
stopped=$(driver_pid)
kill -STOP "$stopped"
said=$("$ringside" create --kernel "$kernel" --name two --memory 8 -- wait \
    2>&1 </dev/null)
is "create gives up" $? 1
kill -CONT "$stopped"
like "it says what it waits for" "$said" "has not made the devices ready yet"
like "and for how long it did" "$said" "did not make the devices ready in 5 s"
is "and leaves no guest" "$("$ringside" list | grep -c '^two ')" 0
finish
