#!/bin/bash
# The store in a file: it is killed at any moment and has, afterwards, what it
# had acknowledged; files that it cannot use are refused in one line.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/xenstored.bash"
db=$tmp/store.db

# ---- a life, and another ----

ok "starts with a new database" store_start --db "$db"
is "which is its user's only" "$(stat -c %a "$db")" 600
quietly xenstore-write /o/z 1 /o/a 2 /o/m 3 /o/gone/with/this 4
quietly xenstore-rm /o/gone
quietly xenstore-rm /o/z
quietly xenstore-write /o/z 'again, with spaces'
quietly xenstore-chmod /o/a n0 r0 b0
quietly xenstore-rm /vm
timeout 10 xenstore-ls -f -p >"$tmp/before"
ok "killed" store_stop KILL
ok "starts again" store_start --db "$db"
lines "with all it had, in the same order" xenstore-ls -f -p <"$tmp/before"
lines "which is this" xenstore-ls -f -p /o <<'END'
/o/a = "2"   (n0,r0,b0)
/o/m = "3"   (n0)
/o/z = "again, with spaces"   (n0)
END
ok "ends when asked to" store_stop
ok "and leaves one file" [ "$(echo "$db"*)" = "$db" ]
ok "starts a third time" store_start --db "$db"
lines "with all it had" xenstore-ls -f -p <"$tmp/before"

# ---- killed in the middle of writing ----

# Writes until the daemon is gone; notes what was acknowledged.
write_single()
{
    local i=0
    while quietly xenstore-write "/w$1/$i" "value $i"; do
        echo "$i" >>"$tmp/acked.$1"
        i=$((i + 1))
    done
}

# Two values and a new node change together, always.
write_transactions()
{
    local i=0
    while quietly xenstore-write -s /t/a "$i" /t/b "$i" "/t/n$i" "$i"; do
        echo "$i" >"$tmp/committed"
        i=$((i + 1))
    done
}

all_acknowledged()
{
    local n i
    for n in 1 2; do
        [ -s "$tmp/acked.$n" ] || { echo "# writer $n did nothing"; return 1; }
        while read -r i; do
            echo "/w$n/$i"
        done <"$tmp/acked.$n" | xargs -n 500 timeout 20 xenstore-read \
            >"$tmp/got" || return 1
        sed 's/^/value /' "$tmp/acked.$n" | cmp - "$tmp/got" || return 1
    done
}

whole_transactions()
{
    local a b
    a=$(timeout 10 xenstore-read /t/a) || return 1
    b=$(timeout 10 xenstore-read /t/b)
    echo "# $(wc -l <"$tmp/acked.1") writes, transaction $a"
    [ "$a" = "$b" ] && quietly xenstore-exists "/t/n$a" &&
        ! quietly xenstore-exists "/t/n$((a + 1))" &&
        [ "$a" -ge "$(cat "$tmp/committed")" ]
}

for round in 1 2 3; do
    rm -f "$tmp"/acked.* "$tmp/committed"
    quietly xenstore-rm /w1
    quietly xenstore-rm /w2
    quietly xenstore-rm /t
    write_single 1 &
    write_single 2 &
    write_transactions &
    until_true 20 [ -s "$tmp/committed" ]
    sleep 0.$((round * 3))
    store_stop KILL
    wait
    ok "round $round: starts after being killed at work" store_start --db "$db"
    ok "has every write that was acknowledged" all_acknowledged
    ok "and transactions as a whole" whole_transactions
done

# A client's last words, and garbage behind them. To be killed between answer
# and saving takes luck, so it is tried some times.
last_words_kept()
{
    local round told i
    for round in 1 2 3 4 5 6 7 8; do
        told=$(timeout 20 "$abs_top_builddir/tests/system/update_client" \
            last "$daemon" "/last$round")
        until_true 20 is_gone "$daemon"
        store_start --db "$db" || return 1
        for ((i = 0; i < told; i++)); do
            echo "/last$round/$i"
        done | xargs -r timeout 20 xenstore-read >/dev/null || return 1
    done
}
ok "an answer before an error was saved, too" last_words_kept

# ---- who else has the file ----

ok "a second daemon is refused" complains "--db $db: another daemon uses it" \
    "$store" -F --hypervisor none --socket "$tmp/second" --db "$db"
ok "which leaves no socket" [ ! -e "$tmp/second" ]
if command -v sqlite3 >/dev/null; then
    quietly xenstore-write /o/live 'seen from outside'
    lines "people can read it meanwhile" sqlite3 "$db" \
        "SELECT path, value, perms FROM node WHERE path LIKE '/o/%' \
         ORDER BY seq" <<'END'
/o/a|2|n0,r0,b0
/o/m|3|n0
/o/z|again, with spaces|n0
/o/live|seen from outside|n0
END
    store_stop
    sqlite3 "$db" "UPDATE node SET value = 'by hand' WHERE path = '/o/m';
        UPDATE node SET perms = 'n0,r7' WHERE path = '/o/z'"
    ok "a row that cannot be is named" \
        complains "row '/o/z' of table node: its permissions name domain 7" \
        "$store" -F --hypervisor none --socket "$tmp/second" --db "$db"
    sqlite3 "$db" "UPDATE node SET perms = 'n0,!r7' WHERE path = '/o/z'"
    ok "without it, it starts" store_start --db "$db"
    is "with what was written by hand" "$(timeout 10 xenstore-read /o/m)" \
        "by hand"
fi

# ---- a file that may not grow any more ----

if command -v prlimit >/dev/null; then
    quietly xenstore-write /f/before 1
    prlimit --pid "$daemon" --fsize="$((64 * 1024)):unlimited"
    printf '%03000d' 0 >"$tmp/value"
    for i in {1..60}; do
        quietly xenstore-write "/f/$i" "$(<"$tmp/value")" || break
    done
    ok "a full disk keeps nobody from writing" quietly xenstore-read /f/60
    ok "it is said once" \
        [ "$(grep -c 'cannot be written: .*; going on in memory' "$log")" = 1 ]
    prlimit --pid "$daemon" --fsize=unlimited:unlimited
    ok "and when it is over" until_true 20 \
        grep -q 'written again after [0-9]* s; nothing is missing' "$log"
    store_stop KILL
    ok "then" store_start --db "$db"
    is "nothing is missing" "$(timeout 10 xenstore-read /f/60)" \
        "$(<"$tmp/value")"
fi
store_stop

# ---- files of other kinds ----

refused()
{
    ok "refused: $1" complains "^ringside-xenstored: --db $3: $2" "$store" -F \
        --hypervisor none --socket "$tmp/second" --db "$3"
}

seq 100000 >"$tmp/text"
refused "a text" "it is not a database" "$tmp/text"
refused "a directory" "Is a directory" "$tmp"
refused "a path that is not" "No such file or directory" "$tmp/no/db"
refused "a device" "it is not a regular file" /dev/null
head -c 9000 "$db" >"$tmp/half"
refused "half a database" "it cannot be read: .*malformed" "$tmp/half"
if [ "$(id -u)" != 0 ]; then
    cp "$db" "$tmp/mine"
    chmod 400 "$tmp/mine"
    refused "a file that is read-only" "Permission denied" "$tmp/mine"
    mkdir "$tmp/closed"
    cp "$db" "$tmp/closed/db"
    chmod 500 "$tmp/closed"
    refused "a directory that is read-only" "" "$tmp/closed/db"
    chmod 700 "$tmp/closed"
fi
finish
