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
