# A web site from a guest's own disk, through NAT: byte for byte, whatever the
# size, many clients at once, rude clients, and a driver domain that dies.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

site=$tmp/site
long=$(printf 'n%.0s' $(seq 90))
mkdir -p "$site/dir" "$site/index" "$site/$long/$long"
printf 1 >"$site/f1"
: >"$site/empty"
for n in 4095 4096 4097 1048576 52428800; do
    random_file "$site/f$n" $n
done
random_file "$site/padding" $((12 << 20))
random_file "$site/$long/$long/deep" 5000
printf 'with blanks' >"$site/dir/a b%c <d>&.txt"
printf '<p>index</p>' >"$site/index/index.html"
tar -cf "$tmp/site.tar" -C "$site" .

free_port
ok "a guest serves a site of more than 60 MiB" \
    start_server web "$tmp/site.tar" "type=nat,forward=tcp:$port:80"
url=http://127.0.0.1:$port

for file in f1 empty f4095 f4096 f4097 f1048576 f52428800; do
    ok "$file arrives byte for byte" fetch "$url/$file" "$site/$file"
done
ok "a name of more than 100 characters" \
    fetch "$url/$long/$long/deep" "$site/$long/$long/deep"
ok "a name in need of encoding" \
    fetch "$url/dir/a%20b%25c%20%3Cd%3E%26.txt" "$site/dir/a b%c <d>&.txt"
is "what is not there" "$(status "$url/nothing")" 404
is "a directory without its slash" "$(status "$url/dir")" 301
like "a listing, safe in HTML" "$(curl -s -m 20 "$url/dir/")" \
    'href="a%20b%25c%20%3Cd%3E%26.txt">a b&#37;c &#60;d&#62;&#38;.txt</a>'
is "index.html" "$(curl -s -m 20 "$url/index/")" '<p>index</p>'
ok "dots lead nowhere outside" fetch "$url/dir/.././/../../f1" "$site/f1" \
    --path-as-is
is "an encoded dot-dot too" \
    "$(status "$url/%2e%2e/%2e%2e/etc/passwd" --path-as-is)" 404
like "HEAD tells the length" "$(curl -sI -m 20 "$url/f4097")" \
    'Content-Length: 4097'
is "connections stay open" "$(curl -s -m 20 -w '%{num_connects}' \
    -o /dev/null "$url/f1" -o /dev/null "$url/f4096")" 10
is "a method that is not there" "$(status "$url/" -X POST -d x)" 405

# say TEXT: sends it as it is and prints the first line of the answer.
say()
{
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf '%b' "$1" >&3
    timeout 20 head -n 1 <&3 | tr -d '\r'
    exec 3>&-
}
like "no HTTP" "$(say 'hello\r\n\r\n')" '400'
like "a broken escape" "$(say 'GET /%zz HTTP/1.1\r\n\r\n')" '400'
like "a request without end" "$(say "GET /$(printf 'x%.0s' $(seq 9000))")" 431

clients()
{
    seq 200 | xargs -P 20 -I{} curl -sS -f -m 100 -o "$tmp/c.{}" \
        "$url/f1048576" || return 1
    for i in $(seq 200); do
        cmp "$tmp/c.$i" "$site/f1048576" || return 1
        rm "$tmp/c.$i"
    done
}
ok "200 requests over 20 connections at once" clients
is "the server is still there" "$(status "$url/f1")" 200

# Sixty clients that ask for much and read nothing: more than memory holds.
ask_and_wait()
{
    local fds=() fd
    for i in $(seq 60); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
        printf 'GET /f52428800 HTTP/1.1\r\n\r\n' >&"$fd"
        fds+=("$fd")
    done
    sleep 2
    for fd in "${fds[@]}"; do exec {fd}>&-; done
}
answers()
{
    fetch "$url/f4097" "$site/f4097" 2>/dev/null
}
ok "sixty clients that do not read" ask_and_wait
ok "do no lasting harm" until_true 30 answers

taken()
{
    "$ringside" create --quiet --kernel "$server" --name other \
        --disk "$tmp/site.tar,raw,xvda,r" \
        --vif "type=nat,forward=tcp:$port:80" 2>&1 </dev/null && return 1
}
like "a port that is taken is named" "$(taken)" "$port .*is taken"

# The pid of this host's driver domain, which no other host shares.
driverd()
{
    pgrep -f "ringside-driverd --rundir $RINGSIDE_RUNDIR"
}
ok "the driver domain is killed" kill -9 "$(driverd)"
ok "the guest is back on the network" until_true 30 answers
ok "and serves as before" fetch "$url/f52428800" "$site/f52428800"

finish
