# Two guests with one hardware address: the second is refused.
. "$(dirname "$0")/tap.bash"

kernel=$abs_top_builddir/tests/system/cli_guest.elf
mac=00:16:3e:0a:0b:0c

# create NAME MAC: a guest that waits; the complaint is in $tmp/said.
create()
{
    "$ringside" create --quiet --kernel "$kernel" --name "$1" --memory 8 \
        --vif "mac=$2" -- wait >"$tmp/said" 2>&1 </dev/null
}

# refused COMMAND...: with status 1 and a line that says who has the address.
refused()
{
    "$@"
    [ $? = 1 ] && [ "$(wc -l <"$tmp/said")" = 1 ] &&
        grep -q "vif 0: mac $mac: vif 0 of one has it" "$tmp/said" ||
        { sed 's/^/# /' "$tmp/said"; false; }
}

run()
{
    timeout 60 "$ringside" run --quiet --kernel "$kernel" --vif "mac=$mac" \
        -- exit 0 >"$tmp/said" 2>&1 </dev/null
}

gone()
{
    ! "$ringside" list "$1" >/dev/null 2>&1
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

ok "a guest has an address" create one $mac
ok "a second may not have it" refused create two $mac
ok "nor in other letters" refused create two "${mac^^}"
ok "nothing is left of it" gone two
ok "nor one in the foreground" refused run
ok "another address is another's" create three 00:16:3e:0a:0b:0d

old=$(driver_pid)
kill -9 "$old"
ok "the driver domain is started again" until_true 10 driver_is_new
ok "and the address is taken as before" refused create two $mac

"$ringside" destroy one
ok "it is free when the guest is gone" create two $mac
finish
