# For the system tests: TAP points and a room of one's own.
#
#   . "$(dirname "$0")/tap.bash"
#   ok "text" COMMAND...      a point: the command succeeds
#   is "text" GOT WANTED      a point: the strings are equal
#   like "text" GOT PATTERN   a point: the extended regular expression matches
#   until_true SECONDS COMMAND...   waits for it; fails when the time is up
#   ours REGEX                pids of this test's own processes of that name
#   finish                    the plan; at the end of the script
#
# $tmp is a directory that goes with the test; RINGSIDE_RUNDIR lies in it, and
# a host that was started there is stopped. $ringside is the command.

tmp=$(mktemp -d /tmp/ringside-test.XXXXXX) || exit 1
export RINGSIDE_RUNDIR=$tmp/run
export XDG_RUNTIME_DIR=$tmp # where private hosts are
ringside=$abs_top_builddir/ringside
points=0

leave()
{
    if [ -e "$RINGSIDE_RUNDIR/hypervisor.sock" ]; then
        timeout 15 "$ringside" stop-host >/dev/null 2>&1
    fi
    rm -rf "$tmp"
}
trap leave EXIT
[ -x "$ringside" ] || { echo "Bail out! no command $ringside"; exit 1; }

point()
{
    points=$((points + 1))
    if [ "$1" = 0 ]; then
        echo "ok $points - $2"
    else
        echo "not ok $points - $2"
    fi
}

ok()
{
    local text=$1
    shift
    "$@"
    point $? "$text"
}

is()
{
    [ "$2" = "$3" ]
    local result=$?
    point $result "$1"
    [ $result = 0 ] || printf '%s\n' "got '$2'" "wanted '$3'" | sed 's/^/# /'
}

like()
{
    [[ $2 =~ $3 ]]
    local result=$?
    point $result "$1"
    [ $result = 0 ] || printf '%s\n' "got '$2'" "wanted /$3/" | sed 's/^/# /'
}

# until_true SECONDS COMMAND...: waits until it succeeds. RINGSIDE_TEST_PATIENCE
# multiplies every limit of the tests, for machines that are emulated.
until_true()
{
    local tries=$(($1 * 20 * ${RINGSIDE_TEST_PATIENCE:-1}))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

# Other tests may run the same programs at the same time.
ours()
{
    local pid
    for pid in $(pgrep "$1"); do
        grep -qs "$tmp" "/proc/$pid/environ" && echo "$pid"
    done
    true
}

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

finish()
{
    echo "1..$points"
}
