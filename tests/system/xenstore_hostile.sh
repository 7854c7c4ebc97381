#!/bin/bash
# Guests that attack the store of a real host: honest ones and clients on the
# host get on with their work, and when the attackers are gone nothing is left.
. "$(dirname "$0")/tap.bash"

hostile=$abs_top_builddir/bench/hostile.elf
shared=/tool/shared
export XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock

command -v xenstore-ls >/dev/null ||
    skip_all "package xenstore-utils is not installed"

quietly()
{
    timeout 30 "$@" >"$tmp/out" 2>&1 || { sed 's/^/# /' "$tmp/out"; return 1; }
}

attackers=
attack() # NAME MODE...
{
    quietly "$ringside" create --quiet --kernel "$hostile" --name "$1" -- \
        "${@:2}" && attackers="$attackers $1"
}

destroy_all()
{
    local name result=0
    for name in $attackers; do
        quietly "$ringside" destroy "$name" || result=1
    done
    attackers=
    return $result
}

# A client on the host, and a guest, that do what they have to do.
client()
{
    local i
    for i in {1..20}; do
        timeout 20 xenstore-write /tool/honest "$i" &&
            [ "$(timeout 20 xenstore-read /tool/honest)" = "$i" ] || return 1
    done
    timeout 20 xenstore-rm /tool/honest
}

guest()
{
    timeout 60 "$ringside" run --kernel "$hostile" -- reads 300 \
        >"$tmp/out" 2>&1 || { sed 's/^/# /' "$tmp/out"; return 1; }
}

# What the store holds, without what it has served so far.
held()
{
    timeout 10 "$abs_top_builddir/tests/system/xs_hostile" \
        "$XENSTORED_PATH" report | grep -aE '^(nodes|watches|domain [1-9])'
}

ok "a host" guest
attack first cheap
destroy_all
xenstore-write "$shared" ''
xenstore-chmod "$shared" b0
before=$(held)
like "the store says what it holds" "$before" 'nodes [0-9]+ bytes'

for mode in cheap rm directory deep commit deepcommit watches reset perms \
    unread open indices notify; do
    attack one $mode && attack two $mode
    ok "$mode: two of them" [ "$attackers" = ' one two' ]
    ok "$mode: a client gets on" client
    ok "$mode: a guest gets on" guest
    ok "$mode: they go" destroy_all
done

attack one watch $shared && attack two watch $shared && attack three shared $shared
ok "one writes what two watch" [ "$attackers" = ' one two three' ]
ok "a client gets on" client
ok "a guest gets on" guest
ok "they go" destroy_all
timeout 20 xenstore-list "$shared" >"$tmp/list"
is "and what they wrote" "$(cat "$tmp/list")" ""

died=0
for mode in rm commit watches open reset; do
    attack $mode-1 $mode && destroy_all && died=$((died + 1))
    attack $mode-2 $mode && sleep 0.05 && destroy_all && died=$((died + 1))
done
is "ten die in the middle of it" $died 10

same()
{
    [ "$(held)" = "$before" ]
}
ok "the store holds what it held" until_true 10 same
diff <(echo "$before") <(held) | sed 's/^/# /'

finish
