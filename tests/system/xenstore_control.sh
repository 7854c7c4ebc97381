#!/bin/bash
# Every command of CONTROL through Debian's xenstore-control, unmodified, with
# good and bad arguments; the log file and SIGHUP.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/xenstored.bash"

# It is in xen-utils-VERSION, which need not be installed for running it.
find_tool()
{
    local file
    for file in "$(command -v xenstore-control)" \
        /usr/lib/xen-*/bin/xenstore-control \
        "$abs_top_builddir"{,/../..}/debian/xenstore-control; do
        "$file" help >/dev/null 2>&1
        # 1: it runs, and nobody serves the socket.
        [ $? = 1 ] && echo "$file" && return
    done
}
control=$(find_tool)
[ -n "$control" ] ||
    skip_all "no program xenstore-control (Debian's package xen-utils-4.17)"

# says TEXT PATTERN ARGUMENT...: the command succeeds with this answer.
says()
{
    local text=$1 pattern=$2 out status
    shift 2
    out=$(timeout 20 "$control" "$@" 2>&1)
    status=$?
    like "$text" "$status $out" "^0 $pattern"
}

# The tool turns EINVAL into the list of commands, and status 3.
refuses()
{
    local out status
    out=$(timeout 20 "$control" "$@" 2>&1)
    status=$?
    like "refused: $*" "$status $out" '^3 Command not supported'
}

ok "starts" store_start --db "$tmp/db"

# ---- what there is ----

for name in check help live-update log logfile memreport print quota \
    quota-soft; do
    says "help knows $name" "Supported commands:.*$name" help
done
refuses help me
refuses nonsense
refuses Check

# ---- check, print ----

says "check" 'OK$' check
refuses check it
says "print" 'OK$' print 'a text with blanks'
ok "reaches the log" grep -q 'control: a text with blanks$' "$log"
says "print of two lines" 'OK$' print $'first\nsecond'
ok "makes one of them" grep -qF 'control: first\x0asecond' "$log"
refuses print
refuses print too much

# ---- quotas ----

says "quota" 'nodes *: *1000 .*watches *: *128 .*transactions *: *10 ' quota
says "quota of domain 0" 'nodes *: *[0-9]+ of ' quota 0
timeout 20 "$control" quota 5 >"$tmp/out" 2>&1
is "quota of a domain that is not" "$? $(<"$tmp/out")" \
    "3 Error 2 when trying to execute command."
refuses quota -1
refuses quota nobody
refuses quota set
refuses quota set nodes
refuses quota set nonsense 5
refuses quota set nodes -5
refuses quota set nodes 99999999999
refuses quota set nodes 5 5
says "quota max" 'nodes *: *0 .*watches *: *0 ' quota max
says "quota max -r" 'nodes *: *0 ' quota max -r
refuses quota max -x
refuses quota max -r -r
says "quota set" 'OK$' quota set nodes 77
says "is seen" 'nodes *: *77 ' quota
says "for domain 0, too" 'nodes *: *[0-9]+ of *77 ' quota 0
says "no limit" 'OK$' quota set nodes 0
says "quota-soft" 'memory *: *2097152 ' quota-soft
says "quota-soft set" 'OK$' quota-soft set memory 4096
says "is seen" 'memory *: *4096 ' quota-soft
refuses quota-soft set
refuses quota-soft set nodes 5
refuses quota-soft memory

# ---- memreport ----

quietly xenstore-write /a b
says "memreport" 'nodes [0-9]+ bytes' memreport
says "with the database" ".*db $tmp/db: up to date; [0-9]+ rows" memreport
says "with domain 0" '.*domain 0: nodes' memreport
says "memreport to a file" 'OK$' memreport "$tmp/report"
ok "which has it" grep -q '^nodes' "$tmp/report"
refuses memreport relative
refuses memreport "$tmp/report" more
timeout 20 "$control" memreport "$tmp/no/such/file" >"$tmp/out" 2>&1
is "a file that cannot be made" "$? $(<"$tmp/out")" \
    "3 Error 2 when trying to execute command."

# ---- log ----

says "log" 'tracing is off.*\+obj.*\+io.*\+wrl.*\+acc.*\+db' log
quietly xenstore-write /quiet 1
ok "nothing is traced yet" eval '! grep -q "WRITE" "$log"'
says "log on" 'OK$' log on
says "is seen" 'tracing is on' log
quietly xenstore-write /traced 'a value'
ok "requests" grep -q "io: connection .* WRITE tx 0 '/traced a value': OK" "$log"
quietly xenstore-read /missing
ok "errors" grep -q "io: .* READ tx 0 '/missing': ENOENT" "$log"
ok "connections" grep -q 'obj: connection [0-9]*, domain 0: begins' "$log"
ok "the database" grep -q 'db: transaction' "$log"
says "log -io" 'OK$' log -io
says "is seen" 'tracing is on.*-io' log
quietly xenstore-write /untraced 1
ok "requests are not traced any more" eval '! grep -q untraced "$log"'
says "log +io" 'OK$' log +io
quietly xenstore-write /again 1
ok "now they are" grep -q /again "$log"
says "log off" 'OK$' log off
quietly xenstore-write /afterwards 1
ok "now nothing is" eval '! grep -q afterwards "$log"'
refuses log nonsense
refuses log +nonsense
refuses log -
refuses log io
refuses log on off
ok "time stamps are UTC" \
    eval '! grep -v "^20[0-9-]*T[0-9:]*\.[0-9][0-9][0-9]Z " "$log"'

# ---- live-update ----

# A program of another name, which is what an update would bring.
cp "$store" "$tmp/new-xenstored"
quietly xenstore-write /kept 'over the update'
timeout 20 "$control" live-update "$tmp/no/such/file" >"$tmp/out" 2>&1
is "an update to nothing is refused" "$? $(grep -c "$tmp/no" "$tmp/out")" "3 1"
timeout 20 "$control" live-update /bin/true >"$tmp/out" 2>&1
is "to a program that is no store, too" "$?" 3
timeout 60 "$control" live-update "$tmp/new-xenstored" >"$tmp/out" 2>&1
is "to another store it works" "$?" 0
is "in the same process" "$(readlink "/proc/$daemon/exe")" "$tmp/new-xenstored"
is "which has the tree" "$(timeout 20 xenstore-read /kept)" 'over the update'
quietly xenstore-write /later 'by the new one'
says "and the database" ".*db $tmp/db: up to date" memreport
store_stop KILL
ok "killed and started again" store_start --db "$tmp/db"
is "it has what was before" "$(timeout 20 xenstore-read /kept)" \
    'over the update'
is "and after" "$(timeout 20 xenstore-read /later)" 'by the new one'

# ---- logfile, SIGHUP ----

mv "$log" "$log.1"
says "print" 'OK$' print 'before the signal'
ok "a file that was moved is still written" \
    grep -q 'before the signal' "$log.1"
kill -HUP "$daemon"
ok "SIGHUP makes a new one" until_true 20 [ -e "$log" ]
says "print" 'OK$' print 'after the signal'
ok "which is written from then on" grep -q 'after the signal' "$log"
says "logfile" 'OK$' logfile "$tmp/log2"
says "print" 'OK$' print 'to the second file'
ok "goes there" grep -q 'to the second file' "$tmp/log2"
mv "$tmp/log2" "$tmp/log3"
kill -HUP "$daemon"
ok "SIGHUP knows the new name" until_true 20 [ -e "$tmp/log2" ]
refuses logfile
refuses logfile relative
refuses logfile "$tmp/log2" more
timeout 20 "$control" logfile "$tmp/no/such/file" >"$tmp/out" 2>&1
is "a file that cannot be made" "$? $(<"$tmp/out")" \
    "3 Error 2 when trying to execute command."
mkfifo "$tmp/fifo"
for name in logfile memreport; do
    timeout 20 "$control" $name "$tmp/fifo" >"$tmp/out" 2>&1
    is "$name does not wait for a reader of a FIFO" "$?" 3
done
says "print" 'OK$' print 'after a mistake'
ok "changes nothing" grep -q 'after a mistake' "$tmp/log2"

ok "it lives" store_stop
finish
