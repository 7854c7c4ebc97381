# examples/embed: guests on libringside alone, without store, driver domain and
# console ring. What they write goes to the hypervisor's log of them.
. "$(dirname "$0")/tap.bash"

embed=$abs_top_builddir/examples/embed/embed
guests=$abs_top_builddir/tests/guest
run() { timeout 60 "$embed" "$@" </dev/null 2>"$tmp/err"; }

out=$(run "$abs_top_builddir/examples/hello/hello.elf" one "'two words'")
is 'exit status 0' $? 0
like 'it says hello' "$out" 'Hello'
like 'its arguments' "$out" 'argument 2: two words'

out=$(run "$guests/exit7.elf")
is 'exit status 7' $? 7
like 'all of its output' "$out" 'last words, without a newline; a handler ran'

out=$(run "$abs_top_builddir/examples/echo-console/echo-console.elf")
is 'input ends where there is none' $? 0
like 'and it goes on' "$out" 'Goodbye'

out=$(run "$guests/fault_stack_thread.elf")
is 'a crash is status 1' $? 1
like 'with its report' "$out" 'stack overflow'

run "$guests/events.elf" >"$tmp/out"
is 'events without a driver domain' $? 0
run "$guests/time.elf" >"$tmp/out"
is 'timers without one' $? 0

# The same with every name of the library's inside defined in the program.
for embed in "$abs_top_builddir"/tests/embed/names-{static,shared}; do
    ok "${embed##*/}: its own domain_destroy" \
        grep -q ' T domain_destroy$' <(nm "$embed")
    out=$(run "$abs_top_builddir/examples/hello/hello.elf" one)
    is "${embed##*/}: exit status 0" $? 0
    like "${embed##*/}: a guest ran" "$out" 'argument 1: one'
done

embed=$abs_top_builddir/examples/embed/embed
run "$embed" >"$tmp/out"
is 'not a guest: status' $? 1
like 'not a guest: why' "$(cat "$tmp/err")" 'cannot boot: .+'
finish
