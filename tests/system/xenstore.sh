#!/bin/bash
# The store as a daemon of its own: started and stopped, used by Debian's
# xenstore tools unmodified, and its command line.
set -u
bin=${abs_top_builddir:-build}/ringside-xenstored
dir=$(mktemp -d) || exit 1
sock=$dir/xs.sock
export XENSTORED_PATH=$sock
n=0
failed=0
daemon=

finish() {
    [ -n "$daemon" ] && kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT

# point DESCRIPTION: the last command's status decides.
point() {
    local status=$?
    n=$((n + 1))
    if [ $status = 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        failed=1
    fi
}

# gives COMMAND... : its output is what stdin says.
gives() {
    local want got
    want=$(cat)
    got=$(timeout 20 "$@" 2>&1)
    [ "$got" = "$want" ] && return 0
    printf '# wanted: %s\n' "$want" | sed '2,$s/^/# /'
    printf '# got:    %s\n' "$got" | sed '2,$s/^/# /'
    return 1
}

quietly() { timeout 20 "$@" >/dev/null 2>&1; }

# complains COMMAND...: exit status 1, nothing on stdout, one line on stderr.
complains() {
    local out status
    out=$(timeout 20 "$@" 2>"$dir/err")
    status=$?
    [ $status = 1 ] && [ -z "$out" ] && [ "$(wc -l <"$dir/err")" = 1 ] &&
        return 0
    echo "# status $status, stdout '$out', stderr:"
    sed 's/^/# /' "$dir/err"
    return 1
}

if ! command -v xenstore-ls >/dev/null; then
    echo "1..0 # SKIP package xenstore-utils is not installed"
    exit 0
fi

# ---- the command line ----

"$bin" --help | grep -q -- --hypervisor
point "--help"
help=$("$bin" --help)
for option in --rundir --socket --hypervisor --db --foreground --log \
    --pid-file --quota --trace --ready-fd --help --version; do
    [[ $help == *" $option "* || $help == *" $option"$'\n'* ]] ||
        { echo "# not in --help: $option"; false; }
    [ $? = 0 ] || break
done
point "which names every option"
"$bin" --version | grep -q '^ringside-xenstored [0-9]'
point "--version"
complains "$bin" --nonsense
point "an unknown option is refused"
complains "$bin" -F extra
point "an argument is refused"
complains "$bin" -F --hypervisor none --socket "$dir/no/such/dir/s"
point "a socket that cannot be made is refused"
RINGSIDE_IDENTITY=store:$dir/nobody complains "$bin" -F --socket "$sock"
point "a hypervisor that is not there is refused"
RINGSIDE_IDENTITY=nonsense complains "$bin" -F --socket "$sock"
point "so is an identity that nobody gave"
complains "$bin" -F --socket "$sock" --hypervisor "$dir/nobody"
point "a hypervisor is not chosen"
complains "$bin" -F --socket "$sock"
point "a store that ringsided did not start is refused"
grep -q -- "--hypervisor none" "$dir/err"
point "which says how to do without"
complains "$bin" -F --hypervisor none --socket "$dir/$(printf 'x%.0s' {1..200})"
point "too long a socket path is refused"
echo precious >"$dir/file"
complains "$bin" -F --hypervisor none --socket "$dir/file"
[ "$(cat "$dir/file")" = precious ]
point "a file that is no socket is refused, and kept"
complains "$bin" -F --hypervisor none --quota nonsense=1
point "an unknown quota is refused"
for bad in nodes=-1 nodes= nodes=x nodes =5 nodes=99999999999; do
    complains "$bin" -F --hypervisor none --quota "$bad"
    point "a bad quota is refused: $bad"
done
for bad in --socket --db --log --pid-file --quota --ready-fd; do
    complains "$bin" -F --hypervisor none $bad
    point "$bad wants an argument"
done
for bad in --ready-fd=x --ready-fd=-1 --ready-fd=99999999999 --foreground=yes \
    --hypervisor=none=x; do
    complains "$bin" -F --socket "$sock" $bad
    point "$bad is refused"
done
complains "$bin" -F --hypervisor none --socket "$sock" --log "$dir/no/log"
point "a log that cannot be made is refused"
complains "$bin" -F --hypervisor none --socket "$sock" --pid-file "$dir/no/pid"
point "a pid file that cannot be made is refused"
complains "$bin" -F --hypervisor none --socket "$sock" --db "$dir/no/db"
point "a database that cannot be made is refused"
complains "$bin" --hypervisor none --socket "$sock" --db "$dir/no/db"
point "in the background, too"
[ ! -e "$sock" ]
point "none of them leaves a socket"

# ---- the daemon ----

timeout 20 "$bin" --socket "$sock" --hypervisor none --pid-file "$dir/pid" \
    <&- >&- 2>&-
point "starts without standard descriptors"
quietly xenstore-write /a b
point "and serves"
kill "$(cat "$dir/pid")"
for _ in {1..100}; do [ -e "$sock" ] && sleep 0.1; done
[ ! -e "$sock" ]
point "and ends"

"$bin" --socket "$sock" --hypervisor none --log "$dir/log" \
    --pid-file "$dir/pid" --quota nodes=77
point "starts in the background and returns when it serves"
daemon=$(cat "$dir/pid")
[ -S "$sock" ] && [ "$(stat -c %a "$sock")" = 700 ] ||
    [ "$(stat -c %a "$sock")" = 600 ]
point "the socket is the user's only"
complains "$bin" -F --socket "$sock" --hypervisor none --pid-file "$dir/pid"
point "a second one at the same socket is refused"
[ "$(cat "$dir/pid")" = "$daemon" ]
point "and leaves the first one's pid file alone"

# ---- Debian's tools ----

gives xenstore-ls -f -p <<END
/tool = ""   (n0)
/tool/xenstored = ""   (n0)
/local = ""   (n0)
/local/domain = ""   (n0)
/vm = ""   (n0)
END
point "xenstore-ls -f -p of a new store"
quietly xenstore-write /a/b/c hello /a/b/d world
point "xenstore-write"
gives xenstore-read /a/b/c /a/b/d <<<$'hello\nworld'
point "xenstore-read"
gives xenstore-list /a/b <<<$'c\nd'
point "xenstore-list"
quietly xenstore-exists /a/b && ! quietly xenstore-exists /a/x
point "xenstore-exists"
quietly xenstore-chmod -r /a n0 r5 && gives xenstore-ls -f -p /a <<END
/a/b = ""   (n0,r5)
/a/b/c = "hello"   (n0,r5)
/a/b/d = "world"   (n0,r5)
END
point "xenstore-chmod -r"
quietly xenstore-chmod -u /a/b/c n0 r7 && gives xenstore-ls -f -p /a/b <<END
/a/b/c = "hello"   (n0,r7)
/a/b/d = "world"   (n0,r5)
END
point "xenstore-chmod -u"
quietly xenstore-rm /a/b/c && gives xenstore-list /a/b <<<d
point "xenstore-rm"
! quietly xenstore-read /a/b/c
point "xenstore-read of what is gone"
quietly xenstore-write -s /s/one 1 /s/two 2 && gives xenstore-ls /s <<END
one = "1"
two = "2"
END
point "xenstore-write -s"
quietly xenstore-rm -t /s/one && gives xenstore-list /s <<<two
point "xenstore-rm -t"

quietly xenstore-chmod -r -u /a n0 r5 && gives xenstore-ls -f -p /a <<END
/a/b = ""   (n0,r5)
/a/b/d = "world"   (n0,r5)
END
point "xenstore-chmod -r -u"
! quietly xenstore-chmod /a x0 && ! quietly xenstore-chmod /missing n0
point "xenstore-chmod of nonsense, and of what is not there"
quietly xenstore-chmod -r /a n0
gives xenstore-read -p /a/b/d <<<'/a/b/d: world'
point "xenstore-read -p"
gives xenstore-read -s /a/b/d /a/b/d <<<$'world\nworld'
point "xenstore-read -s"
gives xenstore-list -p /a/b <<<'/a/b/d'
point "xenstore-list -p"
quietly xenstore-exists -s /a/b /a/b/d && ! quietly xenstore-exists -s /a/b /x
point "xenstore-exists -s"
quietly xenstore-write /n/o/p "a line of words" &&
    gives xenstore-ls /n <<<$'o = ""\n p = "a line of words"'
point "xenstore-ls of a subtree"
printf '\001\n' | xargs -0 timeout 20 xenstore-write /n/raw &&
    [ "$(timeout 20 xenstore-read -R /n/raw | od -An -c | tr -d ' ')" = \
        "$(printf '\001\n' | od -An -c | tr -d ' ')" ]
point "xenstore-write and xenstore-read -R of control characters"
quietly xenstore-rm /n && ! quietly xenstore-rm /n/o
point "xenstore-rm below what is gone"

timeout 20 xenstore-watch -n 4 /w >"$dir/watched" &
watcher=$!
for _ in {1..200}; do
    [ -s "$dir/watched" ] && break
    sleep 0.05
done
quietly xenstore-write /w/x 1
quietly xenstore-write /elsewhere 1
quietly xenstore-write -s /w/y 1
quietly xenstore-rm /w
wait $watcher
gives cat "$dir/watched" <<<$'/w\n/w/x\n/w/y\n/w'
point "xenstore-watch -n"

# A directory of more than 4096 bytes goes through DIRECTORY_PART.
for i in {1..800}; do
    echo "/big/a-child-with-a-rather-long-name-$i v"
done | xargs timeout 60 xenstore-write
[ "$(timeout 20 xenstore-list /big | md5sum)" = \
    "$(printf 'a-child-with-a-rather-long-name-%d\n' {1..800} | md5sum)" ]
point "xenstore-list of a directory of 29 KB, in order"
timeout 20 xenstore-ls /big | cmp -s - <(
    printf 'a-child-with-a-rather-long-name-%d = "v"\n' {1..800})
point "xenstore-ls of it"
quietly xenstore-rm /big && ! quietly xenstore-exists /big
point "xenstore-rm of 801 nodes"

# Several writers and watchers at once.
for w in 1 2 3 4; do
    (for i in {1..50}; do
        quietly xenstore-write -s "/race/$w/n" "$i" || exit 1
    done) &
    pids[w]=$!
done
ok=0
for w in 1 2 3 4; do
    wait "${pids[w]}" || ok=1
done
[ $ok = 0 ] && gives xenstore-read /race/{1,2,3,4}/n <<<$'50\n50\n50\n50'
point "four writers side by side"

# ---- the end ----

kill "$daemon"
for _ in {1..200}; do
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.05
done
! kill -0 "$daemon" 2>/dev/null && [ ! -e "$sock" ] && [ ! -e "$dir/pid" ]
point "SIGTERM ends it and removes socket and pid file"
daemon=
grep -q 'serving on' "$dir/log" && grep -q ending "$dir/log"
point "the log says when it began and ended"

# A socket file that was left behind is no hindrance.
"$bin" -F --socket "$sock" --hypervisor none --log "$dir/log2" &
first=$!
for _ in {1..200}; do
    quietly xenstore-exists /tool && break
    sleep 0.05
done
kill -9 $first
wait $first 2>/dev/null
[ -S "$sock" ] &&
    "$bin" --socket "$sock" --hypervisor none --pid-file "$dir/pid" &&
    quietly xenstore-exists /tool
point "starts over a socket file that a killed one left"
daemon=$(cat "$dir/pid")

echo "1..$n"
exit $failed
