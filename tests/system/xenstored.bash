# For system tests of the store as a daemon of its own: one daemon without a
# hypervisor in $tmp, where Debian's tools find it.
#
#   . "$(dirname "$0")/tap.bash"
#   . "$(dirname "$0")/xenstored.bash"
#   store_start OPTION...     starts it; $daemon is its process
#   store_stop [SIGNAL]       ends it (TERM) and waits
#   complains PATTERN COMMAND...   it fails with status 1 and one line on
#                             stderr that matches
#   quietly COMMAND...        without output, and not for ever
#   lines TEXT COMMAND...     a point: it succeeds, and stdin is its output

store=$abs_top_builddir/ringside-xenstored
export XENSTORED_PATH=$tmp/xs.sock
log=$tmp/log
daemon=

store_start()
{
    daemon=
    timeout 30 "$store" --hypervisor none --socket "$XENSTORED_PATH" \
        --log "$log" --pid-file "$tmp/pid" "$@" && daemon=$(cat "$tmp/pid")
}

is_gone()
{
    ! kill -0 "$1" 2>/dev/null
}

store_stop()
{
    [ -n "$daemon" ] || return 0
    kill -"${1:-TERM}" "$daemon" && until_true 20 is_gone "$daemon"
    local status=$?
    daemon=
    return $status
}

trap 'store_stop KILL; leave' EXIT

complains()
{
    local pattern=$1 out status
    shift
    out=$(timeout 20 "$@" 2>"$tmp/err")
    status=$?
    [ $status = 1 ] && [ -z "$out" ] && [ "$(wc -l <"$tmp/err")" = 1 ] &&
        [[ $(<"$tmp/err") =~ $pattern ]] && return 0
    echo "# status $status, stdout '$out', stderr:"
    sed 's/^/# /' "$tmp/err"
    return 1
}

quietly()
{
    timeout 20 "$@" >/dev/null 2>&1
}

lines()
{
    local text=$1 got status
    shift
    got=$(timeout 20 "$@" 2>&1)
    status=$?
    is "$text" "$status $got" "0 $(cat)"
}

command -v xenstore-ls >/dev/null ||
    skip_all "package xenstore-utils is not installed"
