# Guests that take every event channel they can get leave the toolstack its
# descriptors: it lists, creates and destroys, and ends the host.
. "$(dirname "$0")/tap.bash"

# As few as the sandbox can work with, for the host that is started here.
ulimit -n 1100 || skip_all "the limit of open files cannot be lowered"

hog=$abs_top_builddir/bench/hog.elf
hogs=4

create() { timeout 30 "$ringside" create -q --kernel "$hog" "$@" >"$tmp/out" 2>&1; }
begins() { cat "$RINGSIDE_RUNDIR"/{log,console}/"$1.log" 2>/dev/null | grep -q 'main 0'; }
# Those of the hypervisor.
descriptors() { find "/proc/$(cat "$RINGSIDE_RUNDIR/ringsided.pid")/fd" -type l | wc -l; }
# Have the hogs what they can get?
all_taken()
{
    local before
    before=$(descriptors)
    sleep 0.3
    [ "$before" -gt 80 ] && [ "$before" = "$(descriptors)" ]
}

for i in $(seq $hogs); do
    ok "hog $i" create --name "hog$i" -- ports
    ok "it has what it can get" until_true 5 all_taken
done
is 'all are there' "$(timeout 20 "$ringside" list | grep -c hog)" $hogs
ok 'another guest is made' create --name other --memory 64 -- calls 100000
ok 'and runs' until_true 20 begins other
ok 'some are left' [ "$(descriptors)" -lt 1000 ]
for i in $(seq $hogs); do
    ok "hog $i is destroyed" timeout 20 "$ringside" destroy "hog$i"
done
is 'and none is left' "$(timeout 20 "$ringside" list | grep -c hog)" 0
ok 'stop-host' timeout 20 "$ringside" stop-host
finish
