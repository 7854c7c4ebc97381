#!/bin/bash
# Object files that need each other in a circle: no more of them, and no more
# folders, than the table here allows. build-aux/cycles computes them; the
# first points here show that it finds what is there.
. "$(dirname "$0")/tap.bash"

cycles=$abs_top_srcdir/build-aux/cycles

# Who may raise a limit: nobody. When a set gets better, its limit follows.
# set, objects in one cycle, objects in cycles that span folders, folders that
# need each other
limits()
{
    cat <<'END'
hypervisor     6  0 0
xenstore       3  0 0
guest          5  0 3
guest-native   5  0 3
backends       4  0 0
tools          6  0 2
libclient      0  0 0
END
}

# object SET/FOLDER/[PREFIX-]NAME [NEEDED...]: an object file that defines NAME
# and leaves what it needs undefined.
object()
{
    local name=${1##*[/-]} needed
    mkdir -p "$tmp/${1%/*}"
    {
        echo "char ${name}[1];"
        for needed in "${@:2}"; do
            echo "extern char ${needed}[]; char *${name}_$needed = $needed;"
        done
    } >"$tmp/object.c"
    "${CC:-cc}" -c -o "$tmp/$1.o" "$tmp/object.c"
}

# What it says about the objects of a set; $status is its own.
examine() # SET [OPTION...]
{
    local set=$1
    shift
    said=$(cd "$tmp/$set" && "$cycles" "$@" -- */*.o 2>&1)
    status=$?
}

object none/a/lib_x-one two three
object none/a/lib_x-two three
object none/b/three
examine none
is "objects without a cycle pass" "$status" 0
like "and are counted" "$said" "3 objects, largest cycle 0; .* 0; .* 0$"

object small/a/one two
object small/a/two three
object small/a/three one
object small/b/four one
examine small -l 3
is "a cycle of three passes where three may be" "$status" 0
like "it is named" "$said" "cycle of 3: a/one a/three a/two"
like "its folder has it" "$said" "a +3 objects, largest cycle 3"
like "no other has" "$said" "b +1 objects, largest cycle 0"
examine small -l 2
is "it fails where two may be" "$status" 1
like "and says why" "$said" "too many: 3 objects in one cycle, at most 2"
examine small -v -l 3
like "on demand with the symbols" "$said" "a/one -> a/two: two"

object wide/a/one two
object wide/b/two three
object wide/b/three one
examine wide
is "a cycle that spans folders fails" "$status" 1
like "and says so" "$said" "cycle of 3, spans folders: a/one b/three b/two"
examine wide -s 3 -f 2
is "unless it may" "$status" 0
examine wide -s 2 -f 2
is "but not a larger one" "$status" 1

object folders/a/one two
object folders/a/three
object folders/b/two
object folders/b/four three
examine folders
is "folders that need each other through different files fail" "$status" 1
like "they are named" "$said" "folders that need each other: a b"
examine folders -f -
is "unless nobody asks" "$status" 0

# The same source in two programs.
object twice/a/prog-one two
object twice/a/lib-two three
cp "$tmp/twice/a/lib-two.o" "$tmp/twice/a/prog-two.o"
object twice/a/lib-three two
examine twice -l 2
is "an object with two prefixes is one" "$status" 0
like "in the cycle too" "$said" "3 objects, largest cycle 2"

"$cycles" "$tmp/none/a/missing.o" >/dev/null 2>&1
is "an object that is not there is an error" $? 2
: >"$tmp/empty.c"
"${CC:-cc}" -c -o "$tmp/empty.o" "$tmp/empty.c"
"$cycles" "$tmp/empty.o" >/dev/null 2>&1
is "so are objects without symbols" $? 2
"$cycles" >/dev/null 2>&1
is "and none" $? 2

# The door between the frontends and the guest kernel.
is "frontends see one header of the guest kernel" "$(cd "$abs_top_srcdir" &&
    grep -l '#include "guest-kernel/' frontends/*.[ch] | xargs)" frontends/os.h
is "which sees the headers of frontends alone" "$(cd "$abs_top_srcdir" &&
    grep -rhoE '#include "frontends/.*"' guest-kernel | sort -u |
    grep -vE '/[a-z]+front\.h"')" ''

# Now what was built.
objects=$abs_top_builddir/tests/objects
is "every set of objects has its limits" \
    "$(cut -d' ' -f1 "$objects" | sort -u | xargs)" \
    "$(limits | cut -d' ' -f1 | sort | xargs)"
while read -r set size spanning folders; do
    said=$(cd "$abs_top_builddir" && sed -n "s/^$set //p" "$objects" |
        xargs "$cycles" -l "$size" -s "$spanning" -f "$folders" 2>&1)
    status=$?
    printf '%s\n' "$said" | sed 's/^/# /'
    point "$status" "$set: $(grep ' objects, .*; \|nm:' <<<"$said" | xargs)"
done < <(limits)
finish
