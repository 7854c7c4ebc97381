# Who may use a disk image at the same time: readers share it, a writer has it
# alone, and access w! shares it with whoever is there.
. "$(dirname "$0")/tap.bash"

kernel=$abs_top_builddir/tests/system/cli_guest.elf
image=$tmp/disk.img
truncate -s 1M "$image"
ln "$image" "$tmp/link.img"

# create NAME FILE ACCESS: a guest that waits; the complaint is in $tmp/said.
create()
{
    "$ringside" create --quiet --kernel "$kernel" --name "$1" --memory 8 \
        --disk "$2,raw,xvda,$3" "${@:4}" -- wait >"$tmp/said" 2>&1 </dev/null
}

# refused NAME FILE ACCESS: in one line that says why ($expected), of $disk.
refused()
{
    ! create "$@" && grep -q "disk $disk is $expected by another" "$tmp/said" &&
        [ "$(wc -l <"$tmp/said")" = 1 ] || { sed 's/^/# /' "$tmp/said"; false; }
}

destroy()
{
    "$ringside" destroy "$1"
}

gone()
{
    ! "$ringside" list "$1" >/dev/null 2>&1
}

pid_of()
{
    "$ringside" info --json "$1" | sed 's/.*"pid": *\([0-9]*\).*/\1/'
}

driver_pid()
{
    pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" -f ringside-driverd
}

driver_is_new()
{
    local pid
    pid=$(driver_pid) && [ "$pid" != "$old" ]
}

in_use='in use' written='being written' disk=xvda

expected=$in_use
ok "a guest writes an image" create one "$image" w
ok "a second may not write it" refused two "$image" w
ok "nor by another name" refused two "$tmp/link.img" w
expected=$written
ok "nor read it" refused two "$image" r
ok "nothing is left of the refused" gone two
ok "access w! goes through" create two "$image" 'w!'
destroy two

old=$(driver_pid)
kill -9 "$old"
ok "the driver domain is started again" until_true 10 driver_is_new
expected=$in_use
ok "and the image is in use as before" refused two "$image" w

ok "the guest is destroyed" destroy one
ok "and the image is free at once" create one "$image" w
kill -9 "$(pid_of one)"
ok "a guest that is killed goes" until_true 10 gone one
ok "and the image is free" create one "$image" w
destroy one

ok "a guest reads" create one "$image" r
ok "a second reads, too" create two "$tmp/link.img" r
ok "but no guest writes meanwhile" refused three "$image" w
ok "unless it shares" create three "$image" 'w!'
expected=$written
ok "then no other reads" refused four "$image" r
for name in one two three; do destroy $name; done

# Twice in one guest is two users.
expected=$in_use
disk=xvdb
ok "one guest has an image once" refused one "$image" w \
    --disk "$tmp/link.img,raw,xvdb,w"
disk=xvda

# Another host.
create one "$image" w
other=$tmp/other
on_other() { RINGSIDE_RUNDIR=$other "$@"; }
ok "a guest of another host may not write it" on_other refused two "$image" w
kill -9 "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")"
ok "until this host is killed" on_other create two "$image" w
on_other timeout 15 "$ringside" stop-host

# A block device by two nodes.
device=$(losetup -f --show "$image" 2>/dev/null) || device=
if [ -n "$device" ]; then
    rm -rf "$RINGSIDE_RUNDIR"
    cp -a "$device" "$tmp/node"
    create one "$device" w
    ok "a block device is locked, too" refused two "$device" w
    ok "by any node" refused two "$tmp/node" w
    destroy one
    losetup -d "$device"
else
    ok "a block device # SKIP no loop devices here" true
fi
finish
