# Three guests on one host, each with its own disk and network card.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

for i in 1 2 3; do
    mkdir "$tmp/site$i"
    random_file "$tmp/site$i/data" $((3 << 20))
    echo "guest $i" >"$tmp/site$i/name"
    tar -cf "$tmp/site$i.tar" -C "$tmp/site$i" .
    free_port
    ports[i]=$port
    ok "guest $i serves" \
        start_server "web$i" "$tmp/site$i.tar" "type=nat,forward=tcp:$port:80"
done

is "all three are there" "$("$ringside" list | grep -c 'web[123]')" 3

for i in 1 2 3; do
    is "guest $i has its own disk" \
        "$(curl -s -m 20 "http://127.0.0.1:${ports[i]}/name")" "guest $i"
done

at_once()
{
    local i jobs=() failed=0
    for i in 1 2 3; do
        curl -sS -f -m 60 -o "$tmp/got$i" "http://127.0.0.1:${ports[i]}/data" &
        jobs+=($!)
    done
    for i in "${jobs[@]}"; do wait "$i" || failed=1; done
    for i in 1 2 3; do cmp "$tmp/got$i" "$tmp/site$i/data" || failed=1; done
    return $failed
}
ok "all three at once" at_once

ok "the second is destroyed" quietly "$ringside" destroy web2
is "its port is free" "$(status "http://127.0.0.1:${ports[2]}/name")" 000
ok "the first goes on" \
    fetch "http://127.0.0.1:${ports[1]}/data" "$tmp/site1/data"
ok "the third goes on" \
    fetch "http://127.0.0.1:${ports[3]}/data" "$tmp/site3/data"
ok "the second comes again on its port" start_server web2 "$tmp/site2.tar" \
    "type=nat,forward=tcp:${ports[2]}:80"
ok "and serves" fetch "http://127.0.0.1:${ports[2]}/data" "$tmp/site2/data"

finish
