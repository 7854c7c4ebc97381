# What a guest's device needs is away when the driver domain starts again: the
# device is back when that is.
. "$(dirname "$0")/tap.bash"

kernel=$abs_top_builddir/tests/system/cli_guest.elf
image=$tmp/disk.img
log=$RINGSIDE_RUNDIR/log/driverd.log
port=18149
truncate -s 1M "$image"

create()
{
    "$ringside" create -q --kernel "$kernel" --name "$1" --memory 8 \
        "${@:2}" -- wait </dev/null
}
driver_pid()
{
    pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" -f ringside-driverd
}
driver_is_new() { local p; p=$(driver_pid) && [ "$p" != "$old" ]; }
lines() { grep -c "$1" "$log"; }
said() { [ "$(lines "$1")" -ge "$2" ]; }

# The host's own process sleeps meanwhile, so that nobody is there.
while_away()
{
    local host
    host=$(cat "$RINGSIDE_RUNDIR/ringsided.pid")
    old=$(driver_pid)
    kill -STOP "$host"
    kill -9 "$old"
    "$@"
    kill -CONT "$host"
    ok "the driver domain starts again" until_true 10 driver_is_new
}

ok "a guest has an image" create one --disk "$image,raw,xvda,w"
while_away mv "$image" "$image.away"
ok "the image is missing" until_true 10 said 'No such file' 1
sleep 1
is "which is told once" "$(lines 'No such file')" 1
mv "$image.away" "$image"
ok "it is there, and so is the device" until_true 20 said 'is back' 1
is "which is told once, too" "$(lines 'is back')" 1
"$ringside" destroy one

take_port()
{
    RINGSIDE_RUNDIR=$tmp/other create other \
        --vif "forward=tcp:$port:80"
}
ok "a guest has a port" create one --vif "forward=tcp:$port:80"
while_away take_port
ok "the port is taken" until_true 10 said 'is taken' 1
RINGSIDE_RUNDIR=$tmp/other "$ringside" stop-host
ok "it is free, and so is the device" until_true 20 said 'is back' 2
"$ringside" destroy one
ok "and the port is another's" create two --vif "forward=tcp:$port:80"
"$ringside" destroy two
finish
