#!/bin/bash
# docs/abi.md says the truth: every hypercall and sub-operation of Xen's headers
# is in its table once, with a state that the code bears out, and with tests
# that are there and name it.
. "$(dirname "$0")/tap.bash"

doc=$abs_top_srcdir/docs/abi.md
code=$abs_top_srcdir/hypervisor

# The prefix of a hypercall's sub-operations in the headers.
declare -A prefix=(
    [callback_op]=CALLBACKOP [console_io]=CONSOLEIO
    [event_channel_op]=EVTCHNOP [grant_table_op]=GNTTABOP [hvm_op]=HVMOP
    [memory_op]=XENMEM [sched_op]=SCHEDOP [vcpu_op]=VCPUOP
    [xen_version]=XENVER)

# Of the headers: "memory_op populate_physmap", "iret -". What is a number of
# something else (an operation of an operation, a kind of resource) is not it.
in_headers()
{
    local op
    printf '#include <xen/%s.h>\n' xen event_channel grant_table memory sched \
        vcpu version callback hvm/hvm_op >"$tmp/abi.c"
    "${CC:-cc}" -D__XEN_TOOLS__ -include stdint.h -E -dM "$tmp/abi.c" |
        awk '$3 ~ /^\(?[0-9]+\)?$/ { print $2 }' >"$tmp/names"
    for op in "${!prefix[@]}"; do
        sed -n "s/^${prefix[$op]}_\([a-z0-9_]*\)\$/$op \1/p" "$tmp/names"
    done | grep -vE ' (resource|altp2m|(access|paging|sharing)_op)_'
    sed -n 's/^__HYPERVISOR_\([a-z0-9_]*\)$/\1/p' "$tmp/names" |
        grep -vE '^arch_|_compat$' | while read -r op; do
        [ -n "${prefix[$op]}" ] || echo "$op -"
    done
}

# Of the document: "memory_op populate_physmap STATE TESTS...".
in_document()
{
    awk -F' *[|] *' '
        /^\|/ && NF == 6 && $2 != "hypercall" && $2 !~ /^-/ {
            calls = $2 != "" ? $2 : calls
            state = $4
            sub(/[^a-z].*/, "", state)
            tests = $5
            gsub(/[`,]/, " ", tests)
            n = split(calls, call, /, */)
            m = split($3 == "" ? "-" : $3, op, /, */)
            for (i = 1; i <= n; i++)
                for (k = 1; k <= m; k++)
                    print call[i], op[k], state, tests
        }' "$doc"
}

# The code without whole-line comments.
sed '/^ *\(\/\*\|\*\)/d' "$code"/*.c "$code"/hypercalls/*.c \
    "$code"/emulate/*.c >"$tmp/core"
sed '/^ *\(\/\*\|\*\)/d' "$code"/sandbox/stub/*.c >"$tmp/engine"

constant() # CALL OP
{
    [ "$2" = - ] && echo "__HYPERVISOR_$1" || echo "${prefix[$1]}_$2"
}

source_of() # TEST
{
    ls "$abs_top_srcdir/$1.c" "$abs_top_srcdir/$1.sh" 2>/dev/null
}

# Does the state agree with where the code names it?
state_holds() # CALL OP STATE
{
    local name
    name=$(constant "$1" "$2")
    case $3 in
    ok|part) grep -qw "$name" "$tmp/core" ;;
    engine) grep -qw "$name" "$tmp/engine" ;;
    refused) true ;;
    none) ! grep -qw "$name" "$tmp/core" "$tmp/engine" ;;
    *) false ;;
    esac
}

# The tests are there; one of them names what the core is said to do.
tests_hold() # CALL OP STATE TEST...
{
    local call=$1 op=$2 state=$3 named=0 test source
    shift 3
    [ "$state" != none ] || return 0
    [ $# -gt 0 ] || return 1
    for test; do
        source=$(source_of "$test")
        [ -n "$source" ] || return 1
        ! grep -qw "$(constant "$call" "$op")" "$source" || named=1
    done
    [ "$state" = engine ] || [ "$op" = - ] || [ $named = 1 ]
}

in_headers | sort -u >"$tmp/headers"
in_document >"$tmp/rows"
cut -d' ' -f1,2 "$tmp/rows" | sort >"$tmp/document"

is "the headers are read" "$(grep -cx \
    -e 'grant_table_op copy' -e 'xen_version version' -e 'multicall -' \
    "$tmp/headers")" 3
is "nothing is in the table twice" "$(uniq -d "$tmp/document")" ""
is "everything of the headers is in the table" \
    "$(comm -23 "$tmp/headers" "$tmp/document")" ""
is "nothing else is" "$(comm -13 "$tmp/headers" "$tmp/document")" ""

wrong=
unproved=
while read -r call op state tests; do
    state_holds "$call" "$op" "$state" || wrong+="$call $op $state; "
    # shellcheck disable=SC2086
    tests_hold "$call" "$op" "$state" $tests || unproved+="$call $op: $tests; "
done <"$tmp/rows"
is "the states are those of the code" "$wrong" ""
is "the tests are there, and are about it" "$unproved" ""
finish
