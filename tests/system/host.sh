#!/bin/bash
# ringsided from outside: its options, its runtime directory, its children,
# and every way in which it ends. The children are stand-ins, as ringsided
# looks for them beside itself; nothing here needs a guest.
set -u
daemon=$abs_top_builddir/ringsided
work=$(mktemp -d /tmp/ringside-host.XXXXXX)
bin=$work/bin dir=$work/run
started=()

cleanup() {
    for pid in "${started[@]}"; do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT

n=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/err" 2>/dev/null
    fi
}
is() { # GOT WANTED NAME
    [ "$1" = "$2" ]; local s=$?
    [ $s = 0 ] || echo "# got '$1', wanted '$2'"
    ok $s "$3"
}
# Waits (up to 10 s) until the command succeeds.
until_true() {
    for _ in $(seq $((500 * ${RINGSIDE_TEST_PATIENCE:-1}))); do "$@" && return 0; sleep 0.02; done
    return 1
}
gone() { ! kill -0 "$1" 2>/dev/null; }
has() { [ -s "$1" ]; }
lines() { wc -l <"$1"; }

mkdir "$bin"
cp "$daemon" "$bin/ringsided"
stand_in() { # NAME BODY: $2 of the stand-in is its runtime directory
    printf '#!/bin/bash\necho $$ >>"$2/log/%s.pids"\n%s\n' "$1" "$2" >"$bin/$1"
    chmod +x "$bin/$1"
}
serve='echo >&3; exec 3>&-; exec sleep 600'
stand_in ringside-xenstored "$serve"
stand_in ringside-driverd "$serve"

# Starts a host in the background; waits until it is ready or has ended.
start() {
    rm -f "$work/ready"
    mkfifo "$work/ready"
    "$bin/ringsided" --engine test --rundir "$dir" --ready-fd 9 "$@" \
        9>"$work/ready" 2>"$work/err" &
    host=$!
    started+=("$host")
    ready=no
    read -r _ <"$work/ready" && ready=yes
}
stop() { kill -TERM "$host"; wait "$host"; status=$?; }

# ---- words ----

is "$("$bin/ringsided" --version)" "ringsided 0.1.0" "--version"
"$bin/ringsided" --help | grep -q -- --lifeline-fd; ok $? "--help"
for bad in "--nonsense" "extra" "--memory 0" "--memory 12x" "--ready-fd 77" \
    "--rundir /nonexistent/x" "--rundir /etc/passwd" "--engine none" \
    "--rundir /tmp/$(printf 'x%.0s' {1..600})"; do
    # shellcheck disable=SC2086
    "$bin/ringsided" --rundir "$work/bad" $bad >"$work/out" 2>"$work/err"
    is "$? $(lines "$work/err") $(lines "$work/out")" "1 1 0" \
        "one line and status 1: ${bad:0:30}"
done
[ ! -e "$work/bad" ]; ok $? "a refused start leaves nothing"

# ---- a host ----

start
is $ready yes "a host becomes ready"
is "$(stat -c %a "$dir")" 700 "the runtime directory is private"
is "$(stat -c %a-%F "$dir/hypervisor.sock")" 600-socket "the socket is private"
is "$(cat "$dir/ringsided.pid")" "$host" "its pid file"
[ -d "$dir/log" ] && [ -d "$dir/console" ]; ok $? "log/ and console/"
is "$(lines "$dir/log/ringside-xenstored.pids")" 1 "the store runs"
is "$(lines "$dir/log/ringside-driverd.pids")" 1 "the driver domain runs"
store=$(cat "$dir/log/ringside-xenstored.pids")
driver=$(cat "$dir/log/ringside-driverd.pids")
is "$(readlink "/proc/$store/fd/0")" /dev/null "children read nothing"
is "$(readlink "/proc/$store/fd/1")" "$dir/log/xenstored.log" \
    "children write to their log"
is "$(ls "/proc/$store/fd" | tr '\n' ' ')" "0 1 2 " \
    "children inherit nothing else"
[ "$(ps -o pgid= -p "$store" | tr -d ' ')" = "$store" ]
ok $? "children have a process group of their own"

"$bin/ringsided" --engine test --rundir "$dir" 2>"$work/err2"
is "$? $(lines "$work/err2")" "1 1" "a second host is refused in one line"
grep -q "running already" "$work/err2"; ok $? "... which says why"
[ -S "$dir/hypervisor.sock" ]; ok $? "... and disturbs nothing"

# ---- the driver domain comes back ----

for round in 1 2 3; do
    kill -9 "$driver"
    until_true eval "[ \$(lines $dir/log/ringside-driverd.pids) -gt $round ]"
    ok $? "a killed driver domain is started again ($round)"
    driver=$(tail -1 "$dir/log/ringside-driverd.pids")
done
gone "$host"; is $? 1 "... and the host goes on"

stop

# kill_often N: the driver domain, each time that it serves; prints the pauses.
kill_often() {
    local serves=0
    for _ in $(seq "$1"); do
        serves=$((serves + 1))
        until_true eval \
            "[ \$(grep -c 'driverd serves' '$work/err') -ge $serves ]" || break
        kill -9 "$(tail -1 "$dir/log/ringside-driverd.pids")"
    done
    until_true eval "[ \$(grep -c 'again in' '$work/err') -ge $1 ]"
    sed -n 's/.*again in \([0-9]*\) ms.*/\1/p' "$work/err" | tr '\n' ' '
}
start
is "$(kill_often 12)" \
    "10 10 10 20 40 80 160 320 640 1280 2560 5000 " \
    "who dies in vain is started again at once three times, then later"
is "$(sed -n 's/.*again in \([0-9]* ms, as after each.*\)/\1/p' \
    "$work/err")" "5000 ms, as after each further death in vain" \
    "the longest pause says that it is"
stop
stand_in ringside-driverd "printf '\\n\\n' >&3; exec 3>&-; exec sleep 600"
start
is "$(kill_often 7)" "10 10 10 10 10 10 10 " \
    "who did something for a guest is always started again at once"
stop
stand_in ringside-driverd "$serve"

is $status 0 "SIGTERM ends the host"
[ ! -e "$dir" ]; ok $? "... with its runtime directory"
gone "$store" && gone "$driver"; ok $? "... and its children"

# ---- other ends ----

mkdir -m 700 "$dir"
touch "$dir/mine"
start
kill -INT "$host"; wait "$host"
is "$?" 0 "SIGINT ends the host"
is "$(ls "$dir" | tr '\n' ' ')" "console log mine " \
    "a directory that was there stays, without sockets"
rm -r "$dir"

mkfifo "$work/life"
exec 8<>"$work/life"
sleep 600 >"$work/life" & writer=$!
started+=("$writer")
"$bin/ringsided" --engine test --rundir "$dir" --lifeline-fd 7 \
    7<"$work/life" 8>&- 2>"$work/err" &
host=$!; started+=("$host")
exec 8>&-
until_true test -S "$dir/hypervisor.sock"
sleep 0.1
gone "$host"; is $? 1 "it lives while its lifeline does"
kill "$writer"; wait "$writer" 2>/dev/null
until_true gone "$host"; ok $? "the end of the lifeline ends the host"
wait "$host"; is $? 0 "... in order"

start
kill -9 "$(cat "$dir/log/ringside-xenstored.pids")"
wait "$host"; is $? 1 "the store's death ends the host"
grep "xenstored was killed by signal 9" "$work/err" | grep -q "$dir/log"
ok $? "... with a line that says so and names the log"
[ ! -S "$dir/hypervisor.sock" ]; ok $? "... without its socket"

start
store=$(tail -1 "$dir/log/ringside-xenstored.pids")
driver=$(tail -1 "$dir/log/ringside-driverd.pids")
kill -9 "$host"; wait "$host" 2>/dev/null
until_true gone "$store" && until_true gone "$driver"
ok $? "a killed host takes its children along"
start
is $ready yes "what a killed host left is no hindrance"
stop
rm -rf "$dir"

# ---- children that do not start ----

stand_in ringside-driverd 'echo no libevent here; exit 3'
start
wait "$host"
is "$? $ready" "1 no" "a driver domain that never serves ends the host"
grep -q "driverd ended with status 3; see" "$work/err"; ok $? "... by name"
grep -q "no libevent" "$dir/log/driverd.log"; ok $? "... its words are kept"
rm -rf "$dir" "$bin/ringside-driverd"
start
wait "$host"
is "$? $ready" "1 no" "a missing program ends the host"
grep -q "ringside-driverd cannot be started: there is no" "$work/err"
ok $? "... by name"
rm -rf "$dir"
start --no-driver
is $ready yes "--no-driver does without"
stop
printf '#!/bin/bash\necho "$RINGSIDE_IDENTITY" >"$2/log/identity"\n%s\n' \
    "$serve" >"$work/other"
chmod +x "$work/other"
start --driver "$work/other"
is "$ready $(cat "$dir/log/identity")" "yes driver:$dir/hypervisor.sock" \
    "--driver starts another, which is told who it is"
stop
start --driver "$work/nothing"
is "$? $ready" "1 no" "a --driver that is not there ends the host"
grep -q -- "--driver $work/nothing: No such file" "$work/err"
ok $? "... by name"
start --no-driver --no-store
is $ready yes "--no-store too"
stop

# ---- in the background ----

"$bin/ringsided" --engine test --rundir "$dir" --no-driver --daemon \
    >"$work/out" 2>"$work/err"
is "$? $(lines "$work/err")" "0 0" "--daemon returns when the host is ready"
host=$(cat "$dir/ringsided.pid"); started+=("$host")
grep -q " ready in $dir" "$dir/log/ringsided.log"; ok $? "... and logs to a file"
is "$(readlink "/proc/$host/fd/2")" /dev/null "... and leaves the terminal"
kill "$host"
until_true gone "$host" && [ ! -e "$dir" ]; ok $? "... and ends like others"
rm -f "$bin/ringside-xenstored"
"$bin/ringsided" --engine test --rundir "$dir" --daemon 2>"$work/err"
is "$? $(lines "$work/err")" "1 1" "--daemon reports a failed start"

echo "1..$n"
