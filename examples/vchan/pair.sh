#!/bin/sh
# Starts the two guests of this example and tells each who the other is.
#     examples/vchan/pair.sh [WORD]...
# From the top of the source tree, after a build; $BUILD is the build directory.
# $UPPER_MODE and $ASK_MODE: pv or trap.
set -e
build=${BUILD:-build}
ringside=$build/ringside
number() { "$ringside" info "$1" --json | sed 's/.*"domid":\([0-9]*\).*/\1/'; }
rundir() { "$ringside" info --json | sed 's/.*"rundir":"\([^"]*\)".*/\1/'; }
tell()
{
    XENSTORED_PATH=$(rundir)/xenstored.sock \
        xenstore-write "/local/domain/$1/data/peer" "$2"
}

"$ringside" create -q -M "${UPPER_MODE:-pv}" -n upper -k "$build/examples/vchan/upper.elf"
"$ringside" create -q -M "${ASK_MODE:-pv}" -n ask -k "$build/examples/vchan/ask.elf" \
    --paused -- "$@"
tell "$(number upper)" "$(number ask)"
tell "$(number ask)" "$(number upper)"
"$ringside" unpause ask
