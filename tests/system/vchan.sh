# examples/vchan: two guests that talk without a driver domain, and what one of
# them sees when the other is gone.
. "$(dirname "$0")/tap.bash"

pair=$abs_top_srcdir/examples/vchan/pair.sh
log() { cat "$RINGSIDE_RUNDIR/console/$1.log" 2>/dev/null; }
said() { log "$1" | grep -q "$2"; }
# How many pairs have met: the logs of all guests of a name are one file.
met() { [ "$(log upper | grep -c 'serving domain')" = "$1" ]; }
gone() { ! "$ringside" list "$1" >/dev/null 2>&1; }
export BUILD=$abs_top_builddir

ok 'a pair is started' timeout 20 "$pair" hello 'from here'
ok 'the answers come' until_true 10 said ask 'FROM HERE'
is 'all of them, in order' "$(log ask | tr -d '\r' | tr '\n' '|')" \
    'HELLO|FROM HERE|'
ok 'the one that asked ends' until_true 10 gone ask
ok 'the one that answered sees it, and ends' until_true 10 gone upper
like 'it says so' "$(log upper)" 'has gone'

ok 'a pair that stays' timeout 20 "$pair"
ok 'which is connected' until_true 10 met 2
quietly() { "$@" >/dev/null 2>&1; }
ok 'one is destroyed' quietly "$ringside" destroy ask
ok 'the other notices' until_true 15 gone upper

ok 'a third pair' timeout 20 "$pair"
ok 'connected' until_true 10 met 3
ok 'the one that granted is destroyed' quietly "$ringside" destroy upper
is 'the other still runs' "$("$ringside" list ask | grep -c ask)" 1
ok 'and can be ended' quietly "$ringside" destroy ask
is 'no guest is left' "$("$ringside" list | tail -n +4)" ''

finish
