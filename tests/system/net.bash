# For the system tests of the network; needs tap.bash before it.

command -v curl >/dev/null || skip_all "curl is not there"

server=$abs_top_builddir/examples/webserver/webserver.elf

# free_port: a TCP port of 127.0.0.1 that nobody listens on, in $port. It is
# none of those that connect() takes: a client that left through such a port
# keeps it for a minute.
free_port()
{
    local below
    read -r below _ </proc/sys/net/ipv4/ip_local_port_range
    [ "$below" -gt 11000 ] || below=32768
    while :; do
        port=$((10000 + RANDOM % (below - 10000)))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
}

# quietly COMMAND...: what it prints is shown as comments when it fails.
quietly()
{
    "$@" >"$tmp/out" 2>&1 </dev/null || { sed 's/^/# /' "$tmp/out"; return 1; }
}

serves()
{
    grep -q "^serving" "$RINGSIDE_RUNDIR/console/$1.log" 2>/dev/null
}

# start_server NAME IMAGE VIF [ARGUMENT...]: returns when it serves.
start_server()
{
    local name=$1 image=$2 vif=$3
    shift 3
    quietly "$ringside" create --quiet --kernel "$server" --name "$name" \
        --memory 32 --disk "$image,raw,xvda,r" --vif "$vif" "$@" &&
        until_true 20 serves "$name"
}

# fetch URL FILE [CURL OPTION...]: the same bytes as the file's.
fetch()
{
    local url=$1 file=$2
    shift 2
    curl -sS -f -m 60 "$@" -o "$tmp/got" "$url" && cmp "$tmp/got" "$file"
}

# status URL [CURL OPTION...]: prints the HTTP status.
status()
{
    local url=$1
    shift
    curl -s -m 20 -o /dev/null -w '%{http_code}' "$@" "$url"
}

# random_file NAME BYTES
random_file()
{
    head -c "$2" /dev/urandom >"$1"
}
