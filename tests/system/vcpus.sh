# Guests of four virtual CPUs: a disk that is checked, a web site under load
# while its vCPUs go and come, and the verbs that look at them.
. "$(dirname "$0")/tap.bash"
. "$(dirname "$0")/net.bash"

check=$abs_top_builddir/examples/blkcheck/blkcheck.elf
vcpus() { "$ringside" vcpu-list web | tail -n +2; }
# How many of the site's vCPUs are not down.
up() { vcpus | awk '$5 != "--p"' | wc -l; }
up_is() { [ "$(up)" = "$1" ]; }
affinities() { vcpus | awk '{ print $7 }' | sort -u | tr '\n' ' '; }

truncate -s 8M "$tmp/disk.img"
ok "a disk, written and read by a guest of four" quietly timeout 120 \
    "$ringside" run --quiet --vcpus 4 --kernel "$check" \
    --disk "$tmp/disk.img,raw,xvda,w"
ok "the host reads the same" \
    quietly "$abs_top_builddir/examples/blkcheck/blkcheck-host" "$tmp/disk.img"

mkdir "$tmp/site"
random_file "$tmp/site/f" 3000000
tar -cf "$tmp/site.tar" -C "$tmp/site" .
free_port
ok "a web site on two vCPUs of four" start_server web "$tmp/site.tar" \
    "type=nat,forward=tcp:$port:80" --vcpus 2 --maxvcpus 4
url=http://127.0.0.1:$port/f
ok "two are up" until_true 20 up_is 2
is "four are listed" "$(vcpus | wc -l)" 4

# Clients that fetch all the time; a wrong byte leaves a file.
load()
{
    local i
    while [ ! -e "$tmp/enough" ]; do
        curl -s -f -m 60 -o "$tmp/got$1" "$url" &&
            cmp -s "$tmp/got$1" "$tmp/site/f" || touch "$tmp/bad"
        touch "$tmp/once$1"
    done
}
for i in 1 2 3; do
    load $i &
    loads+=($!)
done
all_once() { [ -e "$tmp/once1" ] && [ -e "$tmp/once2" ] && [ -e "$tmp/once3" ]; }
again() { rm -f "$tmp"/once?; until_true 60 all_once; }

for n in 4 1 3 2 4; do
    ok "vcpu-set $n" "$ringside" vcpu-set web $n
    ok "then $n are up" until_true 30 up_is $n
    ok "and the site is served" again
done
ok "vcpu-pin" "$ringside" vcpu-pin web all 0
is "all on processor 0" "$(affinities)" "0 "
ok "which serves, too" again
ok "anywhere again" "$ringside" vcpu-pin web all all
is "as it was" "$(affinities)" "all "
touch "$tmp/enough"
wait "${loads[@]}"
ok "no byte was wrong" test ! -e "$tmp/bad"

# says TEXT COMMAND...: fails with 1 and one line that has the text.
says()
{
    local text=$1 out status
    shift
    out=$("$ringside" "$@" 2>&1 >/dev/null)
    status=$?
    [ $status = 1 ] && [ "$(wc -l <<<"$out")" = 1 ] && [[ $out == *"$text"* ]]
}
ok "too many" says "can have 1 to 4 virtual CPUs, not 5" vcpu-set web 5
ok "none" says "can have 1 to 4 virtual CPUs, not 0" vcpu-set web 0
ok "no number" says "'x' is not a number" vcpu-set web x
ok "no such vCPU" says "no virtual CPU 4" vcpu-pin web 4 all
ok "no such processors" says "none of the processors 63" vcpu-pin web 0 63
ok "no processors" says "say all, or numbers" vcpu-pin web 0 3-1
ok "a domain without vCPUs" says "has no virtual CPUs" vcpu-set 1 1
ok "more at the start than ever" says "more than maxvcpus = 2" create -q \
    --kernel "$check" --vcpus 3 --maxvcpus 2
ok "it shuts down" timeout 30 "$ringside" shutdown -w web
finish
