#!/bin/bash
# Clients of the socket that misbehave (xs_hostile.c): each gets an error or is
# closed, the daemon lives and serves others, and what they used comes back.
set -u
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/xenstored.bash"
hostile()
{
    timeout 200 "$abs_top_builddir/tests/system/xs_hostile" \
        "$XENSTORED_PATH" "$1" 2>"$tmp/err" && return 0
    sed 's/^/# /' "$tmp/err"
    return 1
}

# What the daemon holds: descriptors, watches and transactions, nodes.
held()
{
    ls "/proc/$daemon/fd" | wc -l
    hostile report | grep -aE '^(nodes|watches)' | sed 's/ bytes .*//'
}

is_as_before()
{
    [ "$(held)" = "$before" ]
}

resident_kb()
{
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status"
}

ok "a store starts" store_start
hostile serves
hostile deaf # its nodes are part of what there is before,
hostile cuts # and of this one, whose last cut is behind the end
before=$(held)

for round in 1 2; do
    for kind in garbage lengths cuts drip crowd deaf watcher leaver; do
        ok "$kind, round $round" hostile $kind
        ok "$kind: others are served" hostile serves
        ok "$kind: everything came back" until_true 20 is_as_before
    done
    rss[round]=$(resident_kb)
done
echo "# ${rss[1]} KB after one round, ${rss[2]} KB after two"
# Sanitizers keep what was freed.
[ "${SANITIZER:-no}" != no ] ||
    ok "memory does not grow" [ "${rss[2]}" -lt $((rss[1] + 4096)) ]
ok "the daemon ends when it is told to" store_stop
ok "the log is short" [ "$(wc -c <"$log")" -lt 20000 ]
finish
