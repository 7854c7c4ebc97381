#!/bin/bash
# The systemd unit: systemd accepts it, and the commands in it do what it
# promises, here with directories of the test.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/xenstored.bash"
unit=$abs_top_builddir/xenstore/daemon/ringside-xenstored.service
[ -e "$unit" ] || skip_all "configured without systemd units"

# The lines KEY=VALUE of the unit, continued ones joined.
value()
{
    sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$unit" | sed -n "s/^$1=//p"
}

# A command of the unit, in this test's directories.
command_of()
{
    value "$1" | sed -e "s|/[^ ]*/ringside-xenstored --|$store --|" \
        -e "s|/run/ringside-xenstored|$tmp/run|g" \
        -e "s|\${STATE_DIRECTORY}|$tmp/state|g" \
        -e "s|\${LOGS_DIRECTORY}|$tmp/logs|g" -e "s|\$MAINPID|$daemon|g"
}

if command -v systemd-analyze >/dev/null; then
    mkdir "$tmp/unit"
    sed "s|^ExecStart=[^ ]*|ExecStart=$store|" "$unit" \
        >"$tmp/unit/ringside-xenstored.service"
    lines "systemd accepts it" systemd-analyze verify --man=no \
        "$tmp/unit/ringside-xenstored.service" </dev/null
else
    points=$((points + 1))
    echo "ok $points - systemd accepts it # SKIP no systemd-analyze here"
fi
is "its type fits a command that returns" "$(value Type)" forking

mkdir "$tmp/run" "$tmp/state" "$tmp/logs"
start=$(command_of ExecStart)
like "its command is the daemon's" "$start" "^$store --"
export XENSTORED_PATH=$tmp/run/socket
ok "which starts, and returns when it serves" timeout 30 $start
daemon=$(cat "$tmp$(value PIDFile | sed 's|^/run/[^/]*|/run|')")
ok "the pid file is where the unit says" kill -0 "$daemon"
ok "the socket is where the manual says" quietly xenstore-write /a/b kept
sed 's/\\-/-/g' "$abs_top_srcdir/docs/man/ringside-xenstored.8" |
    grep -q '^.I /run/ringside-xenstored/socket$'
point $? "and the manual says that"
mv "$tmp/logs/log" "$tmp/logs/log.1"
ok "reload" $(command_of ExecReload)
ok "makes a new log" until_true 20 [ -e "$tmp/logs/log" ]
ok "stop" store_stop
ok "start again" timeout 30 $start
daemon=$(cat "$tmp/run/pid")
is "the tree is there" "$(timeout 10 xenstore-read /a/b)" kept
finish
