#!/bin/bash
# The store of a real host: guests come and go, and nothing of them is left.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/examples/echo-console/echo-console.elf
export XENSTORED_PATH=$RINGSIDE_RUNDIR/xenstored.sock

command -v xenstore-ls >/dev/null ||
    skip_all "package xenstore-utils is not installed"

quietly()
{
    timeout 30 "$@" >"$tmp/out" 2>&1 || { sed 's/^/# /' "$tmp/out"; return 1; }
}

# The whole tree, without what the driver domain says of itself.
tree()
{
    timeout 10 xenstore-ls -f -p | grep -v '^/local/domain/[01]\(/\|  *=\)'
}

domid()
{
    timeout 10 "$ringside" list | awk -v n="$1" '$1 == n { print $2 }'
}

create()
{
    quietly "$ringside" create --quiet --kernel "$guest" --name "$1"
}

ok "the first guest starts" create first
id=$(domid first)
ok "it has a home in the store" timeout 10 xenstore-exists "/local/domain/$id"
is "with its name" "$(timeout 10 xenstore-read "/local/domain/$id/name")" first
ok "it goes" quietly "$ringside" destroy first
gone()
{
    ! timeout 10 xenstore-exists "/local/domain/$id"
}
ok "its home is gone" until_true 10 gone
empty=$(tree)

timeout 60 xenstore-watch @releaseDomain >"$tmp/released" &
watcher=$!
watched()
{
    [ "$(wc -l <"$tmp/released")" -ge "$1" ]
}
ok "a watch on @releaseDomain" until_true 10 watched 1

for i in {1..5}; do
    create "again$i" || break
    quietly "$ringside" destroy "again$i" || break
done
ok "five more come and go" [ "$i" = 5 ]
ok "@releaseDomain fires for each" until_true 10 watched 6
# A directory whose names are more than one reply can hold.
cat >"$tmp/list.c" <<'END'
#include <ringside/guest.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char **names, wanted[40];
    size_t n, good = 0;
    int err = rs_store_list("/large", &names, &n);

    if (err) {
        printf("error %d\n", err);
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(wanted, sizeof(wanted), "a-name-of-some-length-%zu", i);
        good += strcmp(names[i], wanted) == 0;
    }
    printf("%zu of %zu names\n", good, n);
    return 0;
}
END
ok "a guest that lists is built" \
    "$abs_top_builddir/ringside-cc" -o "$tmp/list.elf" "$tmp/list.c"
for i in {0..999}; do
    echo "/large/a-name-of-some-length-$i v"
done | xargs timeout 60 xenstore-write
timeout 10 xenstore-chmod /large r0
is "it gets all names" "$(timeout 30 "$ringside" run -q "$tmp/list.elf" \
    </dev/null | tr -d '\r')" '1000 of 1000 names'
quietly xenstore-rm /large

kill $watcher 2>/dev/null
wait $watcher 2>/dev/null

same()
{
    [ "$(tree)" = "$empty" ]
}
ok "the tree is as it was" until_true 10 same
diff <(echo "$empty") <(tree) | sed 's/^/# /'

ok "another guest starts" create victim
id=$(domid victim)
timeout 10 xenstore-write "/tool/shared" x
timeout 10 xenstore-chmod /tool/shared n0 "r$id"
is "it is in a permission list" \
    "$(timeout 10 xenstore-ls -f -p /tool | grep shared)" \
    "/tool/shared = \"x\"   (n0,r$id)"
quietly "$ringside" destroy victim
stripped()
{
    [ "$(timeout 10 xenstore-ls -f -p /tool | grep shared)" = \
        '/tool/shared = "x"   (n0)' ]
}
ok "and is taken out of it when it is gone" until_true 10 stripped

# Nothing happens for longer than a guest may leave events unread; the first
# thing that does is an event for it.
idle=$abs_top_builddir/tests/system/cli_guest.elf
"$ringside" run --name idle --kernel "$idle" -- wait >"$tmp/idle" 2>&1 &
runner=$!
sleep 45
kill -INT $runner
wait $runner
like "a guest hears of its end when the store was idle before" \
    "$(tail -1 "$tmp/idle")" "ended with status"

finish
