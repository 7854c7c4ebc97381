# Hostile frames on the TAP device of a guest, in a network namespace of this
# test that has no route: what once ended or closed a guest, and random ones.
# Afterwards the guest must be there and serve.
#
# With FRAMES=n, and SEED=n if need be, as `make fuzz-frames` starts it: so many
# random frames and nothing else.
if [ -z "${RINGSIDE_IN_NAMESPACE:-}" ]; then
    skip() { echo "1..0 # SKIP $1"; exit 0; }
    [ -w /dev/net/tun ] || skip "/dev/net/tun cannot be written"
    command -v ip >/dev/null || skip "ip (iproute2) is not there"
    ns=-nm
    [ "$(id -u)" = 0 ] || ns=-Urnm
    # /sys shows the devices of the namespace that mounts it.
    unshare $ns mount -t sysfs sysfs /sys 2>/dev/null ||
        skip "no network namespaces here"
    RINGSIDE_IN_NAMESPACE=1 exec unshare $ns bash "$0"
fi
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/frames_guest.elf
frames=$abs_top_builddir/tests/system/frames
mount -t sysfs sysfs /sys
ip link set lo up
# The device has no address: the host itself answers no frame.
ip tuntap add tapf mode tap && ip link set tapf mtu 9000 txqueuelen 1000 ||
    skip_all "TAP devices cannot be made here"
ip link set tapf addrgenmode none 2>/dev/null # no IPv6 here, or none at all
ip link set tapf up
is "no route leads out" "$(ip route)" ""

serving()
{
    grep -q '^serving' "$RINGSIDE_RUNDIR/console/$1.log" 2>/dev/null
}

# start NAME MEMORY CARD [ARGUMENT]: a guest with that card, which serves.
start()
{
    "$ringside" create --quiet --kernel "$guest" --name "$1" --memory "$2" \
        --vif "tap=tapf,mac=00:16:3e:00:00:02,$3" \
        -- ip=10.9.0.2/24,10.9.0.1,10.9.0.1 ${4:+"$4"} \
        >"$tmp/out" 2>&1 </dev/null && until_true 60 serving "$1" ||
        { sed 's/^/# /' "$tmp/out"; return 1; }
}

# play ARGUMENT...: what it prints is shown as comments.
play()
{
    "$frames" tapf "$@" 2>&1 | sed -u 's/^/# /'
    return "${PIPESTATUS[0]}"
}

# received NAME: how many frames its card has had, as its backend counts.
received()
{
    "$ringside" info --json "$1" | grep -o '"rx_packets":[0-9]*' |
        cut -d: -f2
}

# ended NAME: it does so when it is asked to, with status 0, and its kernel has
# said nothing: no panic, no packet that reached a place which none should reach.
ended()
{
    local log=$RINGSIDE_RUNDIR/log good=0
    timeout 60 "$ringside" shutdown -w "$1" >"$tmp/out" 2>&1 || good=1
    grep -q "($1): shutdown, reason 0, status 0" "$log/ringsided.log" || good=1
    grep '^(d[0-9]*)' "$log/$1.log" >>"$tmp/out" && good=1
    [ $good = 0 ] || sed 's/^/# /' "$tmp/out"
    return $good
}

# random NAME COUNT CARD: a guest that random frames are played to.
random()
{
    local before after
    ok "a guest ($3)" start "$1" 32 "$3"
    before=$(received "$1")
    ok "$2 frames from seed $seed, then it serves" play play "$seed" "$2"
    after=$(received "$1")
    echo "# its card received $((after - before)) frames"
    ok "its card received them" test $((after - before)) -ge "$2"
    ok "it ends when asked to" ended "$1"
}

seed=${SEED:-1}
if [ -n "${FRAMES:-}" ]; then
    { random long "$FRAMES" mtu=9000; finish; } | tee "$tmp/points"
    ! grep -q '^not ok' "$tmp/points"
    exit
fi

ok "a guest" start cases 16 mtu=1500 quiet
ok "which serves" play served
ok "an MSS option without SYN, while data waits" play mss
ok "a flood of SYNs: a real connection is accepted" play syns
ok "single bytes with gaps on three connections" play gaps
ok "it ends when asked to" ended cases

random small 20000 mtu=1500
random large 20000 mtu=9000
finish
