# An image on a file system whose server hangs while a guest has it: neither its
# opening nor its closing keeps the driver domain from others.
if [ -z "${RINGSIDE_IN_NAMESPACE:-}" ]; then
    skip() { echo "1..0 # SKIP $1"; exit 0; }
    [ "$(id -u)" = 0 ] || skip "only root may mount"
    [ -e /dev/fuse ] || skip "/dev/fuse is not there"
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    RINGSIDE_IN_NAMESPACE=1 exec unshare -m bash "$0"
fi
. "$(dirname "$0")/tap.bash"

kernel=$abs_top_builddir/tests/system/cli_guest.elf
mkdir "$tmp/mnt"
mkfifo "$tmp/life"
"$abs_top_builddir/tests/system/hung_disk" "$tmp/mnt" "$tmp/hangs" \
    <"$tmp/life" >"$tmp/serves" 2>&1 &
exec 7>"$tmp/life"
serves() { grep -q serves "$tmp/serves"; }
until_true 5 serves || skip_all "no FUSE here: $(cat "$tmp/serves")"
truncate -s 1M "$tmp/disk"

# create NAME FILE: a guest that waits.
create()
{
    "$ringside" create -q --kernel "$kernel" --name "$1" --memory 8 \
        --disk "$2,raw,xvda,w" -- wait </dev/null 7>&-
}
driver_pid()
{
    pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" -f ringside-driverd
}
driver_is_new() { local p; p=$(driver_pid) && [ "$p" != "$old" ]; }
said() { [ "$(grep -c "$1" "$RINGSIDE_RUNDIR/log/driverd.log")" -ge "$2" ]; }

ok "a guest has the image" create one "$tmp/mnt/disk"
ok "the driver domain has opened it" said '2048 sectors' 1

# Its end closes the image, so the server hangs after that; until then the
# host's own process sleeps.
host=$(cat "$RINGSIDE_RUNDIR/ringsided.pid")
old=$(driver_pid)
kill -STOP "$host"
kill -9 "$old"
ended() { [ "$(ps -o stat= -p "$old" | cut -c1)" = Z ]; }
ok "the driver domain dies" until_true 10 ended
touch "$tmp/hangs"
kill -CONT "$host"
ok "the driver domain starts again while the server hangs" \
    until_true 10 driver_is_new
ok "and serves others" create two "$tmp/disk"
"$ringside" destroy two
sectors=$(grep -c '2048 sectors' "$RINGSIDE_RUNDIR/log/driverd.log")
rm "$tmp/hangs"
ok "it opens the image when the server is back" \
    until_true 10 said '2048 sectors' $((sectors + 1))

touch "$tmp/hangs"
"$ringside" destroy one >"$tmp/said" 2>&1 7>&- &
destroy=$!
ok "a guest is destroyed while the server hangs; others are served" \
    create two "$tmp/disk"
"$ringside" destroy two
rm "$tmp/hangs"
wait $destroy
is "and it goes" $? 0
"$ringside" stop-host
exec 7>&-
wait
finish
