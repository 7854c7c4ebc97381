# Guests on a TAP device and on a bridge, with static addresses, in a network
# namespace of this test.
if [ -z "${RINGSIDE_IN_NAMESPACE:-}" ]; then
    skip() { echo "1..0 # SKIP $1"; exit 0; }
    [ "$(id -u)" = 0 ] || skip "only root may make TAP devices"
    [ -e /dev/net/tun ] || skip "/dev/net/tun is not there"
    command -v ip >/dev/null || skip "ip (iproute2) is not there"
    # /sys shows the devices of the namespace that mounts it.
    unshare -nm mount -t sysfs sysfs /sys 2>/dev/null ||
        skip "no network namespaces here"
    RINGSIDE_IN_NAMESPACE=1 exec unshare -nm bash "$0"
fi
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

mkdir "$tmp/site"
random_file "$tmp/site/data" $((8 << 20))
tar -cf "$tmp/site.tar" -C "$tmp/site" .
mount -t sysfs sysfs /sys
ip link set lo up

ip tuntap add tap7 mode tap && ip addr add 10.7.0.1/24 dev tap7 &&
    ip link set tap7 up || skip_all "TAP devices cannot be made here"
ok "a guest on a TAP device" start_server one "$tmp/site.tar" tap=tap7 \
    -- ip=10.7.0.2/24,10.7.0.1
ok "is reached at its address" fetch http://10.7.0.2/data "$tmp/site/data"
like "and has its hardware address" "$(ip neigh show 10.7.0.2)" 00:16:3e

like "a TAP device is used once" "$("$ringside" create --quiet \
    --kernel "$server" --name again --disk "$tmp/site.tar,raw,xvda,r" \
    --vif tap=tap7 2>&1 </dev/null)" "tap7.*busy"

# The device is deleted under the guest, and comes back.
driver_says() { grep -q "$1" "$RINGSIDE_RUNDIR/log/driverd.log"; }
new_tap() { ip tuntap add tap7 mode tap && ip addr add 10.7.0.1/24 dev tap7 &&
    ip link set tap7 up; }
again() { fetch http://10.7.0.2/data "$tmp/site/data" -m 2 2>/dev/null; }
ip link del tap7
ok "the log says that the TAP device went away" until_true 10 \
    driver_says "vif.*TAP device tap7 went away"
ok "a new one of that name" new_tap
ok "is found" until_true 10 driver_says "vif.*is up again"
ok "and the guest is reached again" until_true 2 again

# Once more, and meanwhile the driver domain dies.
driver_pid() { pgrep -P "$(cat "$RINGSIDE_RUNDIR/ringsided.pid")" \
    -f ringside-driverd; }
new_driver() { [ -n "$(driver_pid)" ] && [ "$(driver_pid)" != "$old" ]; }
old=$(driver_pid)
ip link del tap7
until_true 10 driver_says "went away" && kill -9 "$old"
ok "the driver domain is killed while the device is away" \
    until_true 10 new_driver
ok "the device comes back" new_tap
ok "and the guest is reached again" until_true 2 again

if ip link add br7 type bridge 2>/dev/null; then
    ip addr add 10.8.0.1/24 dev br7
    ip link set br7 up
    for i in 2 3; do
        ok "guest $i on a bridge" start_server "b$i" "$tmp/site.tar" \
            bridge=br7 -- "ip=10.8.0.$i/24,10.8.0.1"
        ok "is reached too" fetch "http://10.8.0.$i/data" "$tmp/site/data"
    done
    is "both are ports of the bridge" \
        "$(ip link show master br7 | grep -c vif)" 2
    three() { fetch http://10.8.0.3/data "$tmp/site/data" -m 2 2>/dev/null; }
    ip link del "$(ip -br link show master br7 | awk 'END{print $1}')"
    ok "a device of ours that is deleted is made anew" until_true 2 three
    quietly "$ringside" destroy b2
    # The driver domain hears of it a little later.
    one_port() { [ "$(ip link show master br7 | grep -c vif)" = 1 ]; }
    ok "one left with its guest" until_true 5 one_port
else
    ok "a bridge # SKIP bridges cannot be made here" true
fi

finish
