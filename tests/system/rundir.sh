# Whom the command trusts: a runtime directory and sockets of its own user or
# of root, and nobody else's. With root a second user can be played.
. "$(dirname "$0")/tap.bash"

unset RINGSIDE_RUNDIR XDG_RUNTIME_DIR
guest=$abs_top_builddir/tests/system/cli_guest.elf
me=$(id -u)

# The command must say no in one line, and with status 1, at once.
refused() # TEXT PATTERN COMMAND...
{
    local text=$1 pattern=$2 out status
    shift 2
    out=$(timeout 20 "$@" 2>&1 </dev/null)
    status=$?
    is "$text: status" $status 1
    like "$text: one line says why" "$out" "^[^
]*$pattern[^
]*\$"
}

# ---- directories of our own that others can write, or that are none ----
dir=$tmp/host
for mode in 0777 0720 0702 1777; do
    rm -rf "$dir"
    mkdir "$dir"
    chmod $mode "$dir"
    for verb in list info create; do
        args=()
        [ $verb != create ] || args=(--kernel "$guest")
        refused "mode $mode, $verb" 'can be written by other users' \
            env RINGSIDE_RUNDIR="$dir" "$ringside" $verb "${args[@]}"
    done
done
for daemon in ringsided ringside-driverd 'ringside-xenstored --ready-fd 1'; do
    # shellcheck disable=SC2086
    refused "mode 1777, $daemon" 'can be written by other users' \
        "$abs_top_builddir/"$daemon --rundir "$dir"
done
rm -rf "$dir"
mkdir -m 0700 "$tmp/real"
ln -s real "$dir"
refused 'a symbolic link' 'is a symbolic link' \
    env RINGSIDE_RUNDIR="$dir" "$ringside" list
rm "$dir"
: >"$dir"
refused 'a file' 'is not a directory' \
    env RINGSIDE_RUNDIR="$dir" "$ringside" list
rm "$dir"
mkdir -m 0777 "$tmp/open"
chmod 0777 "$tmp/open"
mkdir -m 0700 "$tmp/open/host"
refused 'in a directory that all can write' 'everybody can write' \
    env RINGSIDE_RUNDIR="$tmp/open/host" "$ringside" list
refused 'there is none' 'no host is running' \
    env RINGSIDE_RUNDIR="$tmp/none" "$ringside" list

# ---- a name that is longer than a socket's may be ----
deep=$tmp/$(printf '%0100d/%0100d' 0 0)
mkdir -p "$deep"
truncate -s 1M "$tmp/disk"
in_deep() { RINGSIDE_RUNDIR=$deep/host timeout 30 "$ringside" "$@"; }
in_deep create -q --kernel "$guest" --name far -d "$tmp/disk,raw,xvda,r" \
    -- greet far
is 'a long name: create' $? 0
like 'a long name: list' "$(in_deep list far)" '
far +[0-9]+ '
like 'a long name: its store' "$(cd "$deep/host" &&
    XENSTORED_PATH=xenstored.sock xenstore-list /local/domain 2>&1 |
    sort | tr '\n' ' ')" '^(0 )?1 2 $'
like 'a long name: counters of its disk' "$(in_deep info --json far)" \
    '"io":\{"reads":'
is 'a long name: console' "$(printf '\004' | in_deep console far 2>/dev/null)" \
    'hello, far
end'
is 'a long name: others cannot use its sockets' \
    "$(stat -c %a "$deep"/host/*.sock "$deep/host/driverd.stats" |
        grep -vc '^.00$')" 0
in_deep create -q --kernel "$guest" --name sad -- null
ok 'a long name: logs' until_true 10 grep -qs 'sad crashed' \
    "$deep/host/log/sad.log"
kill -9 "$(cat "$deep/host/ringsided.pid")"
gone() { ! in_deep list >/dev/null 2>&1; }
ok 'a long name: killed' until_true 10 gone
in_deep create -q --kernel "$guest" --name again -- wait
is 'a long name: started again' $? 0
in_deep stop-host
ok 'a long name: ended' test ! -e "$deep/host/hypervisor.sock"
is 'a long name: a private host' "$(XDG_RUNTIME_DIR=$deep timeout 30 \
    "$ringside" run -q --kernel "$guest" -- print 1 </dev/null)" \
    "$(printf '%063d' 0)"
XDG_RUNTIME_DIR=$deep timeout 30 "$ringside" run -q --kernel "$guest" \
    -- wait >"$tmp/out" </dev/null &
pid=$!
ok 'a long name: which is there' until_true 10 \
    sh -c "ls -d '$deep'/ringside-run-* >/dev/null 2>&1"
kill -INT $pid
wait $pid
is 'a long name: and gone then' "$(ls "$deep")" host

# ---- another user's ----
strangers='list create info ringsided root socket owner'
mallory=54321 alice=54322
as_mallory=(setpriv --reuid $mallory --regid $mallory --clear-groups)
as_alice=(setpriv --reuid $alice --regid $alice --clear-groups)
if [ "$me" != 0 ] || ! "${as_alice[@]}" test -x "$ringside" 2>/dev/null; then
    for text in $strangers; do
        ok "another user's: $text # SKIP needs root to play another user" true
    done
    finish
    exit
fi
chmod 0755 "$tmp"
trap 'rm -rf /tmp/ringside-$alice; leave' EXIT
rm -rf /tmp/ringside-$alice
"${as_mallory[@]}" mkdir -m 0755 /tmp/ringside-$alice
# What listens there must not hear a word.
cat >"$tmp/listen.pl" <<'PERL'
use Socket;
my ($path, $heard) = @ARGV;
socket(S, AF_UNIX, SOCK_SEQPACKET, 0) && bind(S, pack_sockaddr_un($path))
    && listen(S, 8) && chmod(0777, $path) or die;
open(H, '>', $heard) or die;
H->autoflush(1);
print H "listening\n";
while (accept(C, S)) {
    my $m;
    recv(C, $m, 65536, 0);
    print H "heard\n" if length $m;
    close C;
}
PERL
: >"$tmp/heard"
chmod 0666 "$tmp/heard"
"${as_mallory[@]}" perl -MIO::Handle "$tmp/listen.pl" \
    /tmp/ringside-$alice/hypervisor.sock "$tmp/heard" &
listener=$!
until_true 10 grep -q listening "$tmp/heard"
for verb in list info create; do
    args=()
    [ $verb != create ] || args=(--kernel "$guest")
    refused "another user's, $verb" "belongs to user $mallory" \
        "${as_alice[@]}" "$ringside" $verb "${args[@]}"
done
refused "another user's, ringsided" "belongs to user $mallory" \
    "${as_alice[@]}" "$abs_top_builddir/ringsided"
refused "another user's, root" 'run this as that user' \
    env RINGSIDE_RUNDIR=/tmp/ringside-$alice "$ringside" list
# The directory is Alice's again, and still has his socket.
chown $alice /tmp/ringside-$alice
refused "another user's socket" 'runs as another user' \
    "${as_alice[@]}" "$ringside" list
is 'nothing was told to it' "$(grep -c heard "$tmp/heard")" 0
kill $listener
rm -rf /tmp/ringside-$alice
# What is root's is trusted, if it can be reached.
chmod 0755 "$tmp/real"
refused "root's, without a host" 'no host is running' \
    "${as_alice[@]}" env RINGSIDE_RUNDIR="$tmp/real" "$ringside" list
finish
