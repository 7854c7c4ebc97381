# <ringside/blk.h>: the points are those of the guest (disk_guest.c).
. "$(dirname "$0")/tap.bash"

truncate -s 1M "$tmp/a" "$tmp/b"
printf R | dd of="$tmp/b" conv=notrunc status=none
timeout 60 "$ringside" run --quiet \
    --kernel "$abs_top_builddir/tests/system/disk_guest.elf" \
    --disk "$tmp/a,raw,xvda,w" --disk "$tmp/b,raw,xvdb,r" </dev/null |
    tr -d '\r'
[ "${PIPESTATUS[0]}" = 0 ] || echo "Bail out! the guest failed"
