# Logs and terminals that a guest writes to: bounded, and without a byte that
# could drive a terminal or pass for a line of the command's or hypervisor's.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/logs_guest.elf
said() { grep -qsF -- "$1" "$2"; }
# Bytes that no log and no terminal may get: C0 but for newlines, DEL, C1.
raw() { LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]' "$@"; }
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
all_sizes() { du -sb "$RINGSIDE_RUNDIR/log" | cut -f1; }

# ---- a flood, of a guest in the background ----
timeout 60 "$ringside" create -q --kernel "$guest" --name quiet -- none
ok 'a guest that says nothing' test $? = 0
timeout 60 "$ringside" create -q --kernel "$guest" --name loud -- flood 20
log=$RINGSIDE_RUNDIR/log/loud.log
ok 'it writes' until_true 20 said '(d' "$log"
is 'the host answers meanwhile' "$(timeout 30 "$ringside" list loud | wc -l)" 2
ok 'the log says what was dropped, while it goes on' \
    until_true 20 said 'bytes of its console dropped' "$log"
"$ringside" destroy loud
ok 'its end is in its log' until_true 20 said 'was destroyed' "$log"
# 64 KiB and 16 KiB a second; and this did not take two minutes.
ok "the log is small: $(size "$log")" test "$(size "$log")" -lt 2000000
ok "all logs are: $(all_sizes)" test "$(all_sizes)" -lt 4000000
is 'lines begin with the domain, or are ours' \
    "$(grep -cvE '^\(d[0-9]+\) |^\(hypervisor\) domain [0-9]+|^loud |^  ' "$log")" 0
is 'and ours are not behind others' "$(grep -c '.(hypervisor) domain' "$log")" 0
ok 'the other guest is not disturbed' test "$("$ringside" list quiet | wc -l)" = 2

# ---- a guest in the foreground whose standard error is a file or a pipe ----
timeout 60 "$ringside" run -q --kernel "$guest" --name file -- flood 1 exit \
    >"$tmp/out" 2>"$tmp/err"
ok "a file is small: $(size "$tmp/err")" test "$(size "$tmp/err")" -lt 2000000
ok 'it says what was dropped' said 'bytes of its console dropped' "$tmp/err"
n=$(timeout 60 "$ringside" run -q --kernel "$guest" --name pipe -- \
    flood 1 exit 2>&1 >/dev/null | wc -c)
ok "a pipe gets little: $n" test "$n" -lt 2000000

# ---- what drives terminals ----
timeout 60 "$ringside" run -q --kernel "$guest" --name ansi -- ansi 0 exit \
    >"$tmp/out" 2>"$tmp/err"
ok 'nothing raw on the terminal' test "$(raw "$tmp/err"; echo $?)" = 1
ok 'it is shown' said '\x1b[2J\x1b]0;title\x07\x9b31m red \xc2\x9b0m' "$tmp/err"
ok 'lines are not overwritten' said 'safe\x0dringside: all is lost' "$tmp/err"
is 'every line names the domain' "$(grep -cv '^(d[0-9]*) ' "$tmp/err")" 0
timeout 60 "$ringside" create -q --kernel "$guest" --name ansi -- ansi
log=$RINGSIDE_RUNDIR/log/ansi.log
ok 'it writes' until_true 20 said 'no end of line' "$log"
"$ringside" destroy ansi
ok 'its end is told' until_true 20 said 'was destroyed' "$log"
ok 'nothing raw in the log' test "$(raw "$log"; echo $?)" = 1
is 'our line is one of its own' "$(grep -c '^ansi was destroyed' "$log")" 1

# ---- values of the store ----
if command -v xenstore-write >/dev/null; then
    id=$("$ringside" list quiet | awk 'NR == 2 { print $2 }')
    export XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock
    dir=/local/domain/0/backend/console/$id/0
    other=/local/domain/1/backend/console/$id/0
    xenstore-exists "$dir" || dir=$other
    # It takes escapes, and a backslash for them.
    xenstore-write "$dir/params" '/x\n\x1b[2J\x9b"\\\xe2\x80\xae'
    "$ringside" info quiet >"$tmp/info"
    ok 'info: nothing raw' test "$(raw "$tmp/info"; echo $?)" = 1
    ok 'info: it is shown' \
        said '/x\x0a\x1b[2J\x9b"\\xe2\x80\xae' "$tmp/info"
    "$ringside" info --json quiet >"$tmp/json"
    ok 'info --json: nothing raw' test "$(raw "$tmp/json"; echo $?)" = 1
    ok 'info --json: it is escaped' \
        said '/x\u000a\u001b[2J\ufffd\"\\\u202e' "$tmp/json"
    if command -v python3 >/dev/null; then
        ok 'info --json: it is JSON' python3 -c \
            'import json, sys; json.load(open(sys.argv[1]))' "$tmp/json"
    else
        ok 'info --json: it is JSON # SKIP no python3' true
    fi
else
    for text in raw shown json escaped parsed; do
        ok "info: $text # SKIP no xenstore-utils" true
    done
fi
finish
