# A disk image on a file system whose server hangs: create says what it waits
# for, gives up, and leaves nothing; other guests are not disturbed.
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
"$abs_top_builddir/tests/system/hung_disk" "$tmp/mnt" <"$tmp/life" \
    >"$tmp/serves" 2>&1 &
exec 7>"$tmp/life"
serves() { grep -q serves "$tmp/serves"; }
until_true 5 serves || skip_all "no FUSE here: $(cat "$tmp/serves")"

ok "a guest" "$ringside" create -q --kernel "$kernel" --name other -- wait 7>&-
("$ringside" create --kernel "$kernel" --name one \
    --disk "$tmp/mnt/disk,raw,xvda,w" -- wait >"$tmp/said" 2>&1 </dev/null
    echo $? >"$tmp/status") 7>&- &
ended() { [ -s "$tmp/status" ]; }
ok "create gives up" until_true 30 ended
is "with status 1" "$(cat "$tmp/status")" 1
like "it says what it waits for" "$(cat "$tmp/said")" \
    "waiting for $tmp/mnt/disk"
like "and what is wrong" "$(tail -1 "$tmp/said")" \
    "^ringside: $tmp/mnt/disk for disk xvda does not answer"
is "no guest is left" "$("$ringside" list | grep -c '^one ')" 0
ok "the other goes on" "$ringside" shutdown -w other
exec 7>&-
wait
finish
