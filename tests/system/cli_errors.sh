# Every wrong request gets exactly one line on standard error, which says what
# is wrong, nothing on standard output, and exit status 1.
. "$(dirname "$0")/tap.bash"

guest=$abs_top_builddir/tests/system/cli_guest.elf
truncate -s 1M "$tmp/disk"
truncate -s 100 "$tmp/small"
mkdir "$tmp/dir"

# wrong PATTERN ARGUMENT...
wrong()
{
    local pattern=$1 out
    shift
    out=$(timeout 20 "$ringside" "$@" </dev/null 2>"$tmp/err")
    local status=$?
    like "$* (status $status)" \
        "$status:$out:$(wc -l <"$tmp/err"):$(cat "$tmp/err")" \
        "^1::1:ringside: .*$pattern"
}

# in_file PATTERN TEXT
in_file()
{
    printf '%s\n' "$2" >"$tmp/bad.cfg"
    wrong "$1" run "$tmp/bad.cfg"
}

wrong 'which verb'
wrong "no verb 'fly'" fly
wrong 'unknown option --bogus' run --bogus
wrong 'unknown option -Z' list -Z
wrong 'needs a value' run --kernel
wrong "unexpected 'b'" run "$tmp/a" b
wrong 'needs a DOMAIN' destroy
wrong 'needs a DOMAIN' shutdown

# Files.
wrong 'no kernel given' run
wrong 'cannot open the kernel' run --kernel "$tmp/none"
wrong 'is not a file' run --kernel "$tmp/dir"
wrong 'not an ELF file' run --kernel "$tmp/disk"
wrong 'ELF file for Linux' run --kernel /bin/sh
wrong 'cannot read the configuration' create "$tmp/none.cfg"
wrong 'is not a configuration file' run "$tmp/disk"
in_file "bad.cfg:2: unknown option 'memroy'" "name = 'a'
memroy = 16"
in_file 'bad.cfg:[01]: config parsing error' "name = "
in_file 'unknown value for access' "disk = [ 'a,raw,xvda,x' ]"

# Values.
wrong "--memory: 'much' is not a number of MiB" \
    run --kernel "$guest" --memory much
wrong '--memory: 99999999 MiB is more than a guest can have, 65536 MiB' \
    run --kernel "$guest" --memory 99999999
wrong "--extra: a quote \(.\) is not closed in: say 'hello" \
    run --kernel "$guest" -e "say 'hello" -- there
wrong '--extra: one.* ends in a backslash' run --kernel "$guest" -e 'one\'
for mib in 0 1; do
    wrong 'too little for .* at least 2 MiB' run --kernel "$guest" -m $mib
done
wrong 'cannot be a domain.s name' run --kernel "$guest" --name 'a/b'
wrong 'cannot be a domain.s name' run --kernel "$guest" --name 12
wrong 'no vdev' run --kernel "$guest" --disk "$tmp/disk"
wrong 'only format raw' run --kernel "$guest" --disk "$tmp/disk,qcow2,xvda"
wrong 'must be xvda to xvdp' run --kernel "$guest" --disk "$tmp/disk,raw,hda"
wrong 'for disk xvda: No such file' \
    run --kernel "$guest" --disk "$tmp/none,raw,xvda"
wrong 'smaller than one sector' \
    run --kernel "$guest" --disk "$tmp/small,raw,xvda"
wrong 'neither a file nor a block device' \
    run --kernel "$guest" --disk "$tmp/dir,raw,xvda,r"
wrong 'not of the form KEY=VALUE' run --kernel "$guest" --vif nat
wrong "unknown key 'speed'" run --kernel "$guest" --vif speed=1
wrong '--vif: forward=80: should be tcp:HOSTPORT:GUESTPORT' \
    run --kernel "$guest" --vif forward=80
wrong 'tap= goes with type=tap, not with type=nat' \
    run --kernel "$guest" --vif type=nat,tap=q
wrong 'mac=00:16:3e:00:00:01: another vif of this guest has it' \
    run --kernel "$guest" --vif mac=00:16:3e:00:00:01 \
    --vif mac=00:16:3e:00:00:01
wrong 'no TAP device' run --kernel "$guest" --vif tap=none0
wrong 'no bridge' run --kernel "$guest" --vif bridge=none0

# No host.
for verb in list info; do
    wrong 'no host is running' $verb
done
for verb in console destroy shutdown pause unpause info list; do
    wrong 'no host is running' $verb dom
done
wrong 'no host is running' stop-host
RINGSIDE_RUNDIR=/nonexistent/run wrong 'cannot start a host' \
    create --kernel "$guest"
RINGSIDE_RUNDIR=$(printf '/tmp/%0600d' 0) wrong 'name is too long, 511 bytes' \
    list

# A host that runs no programs.
wrong "'test' runs no guests; there is sandbox" \
    run --engine test --kernel "$guest"
wrong "'bogus' runs no guests; there is sandbox" run -E bogus -k "$guest"
"$abs_top_builddir/ringsided" --engine test --rundir "$RINGSIDE_RUNDIR" \
    --daemon --no-driver
for verb in run create; do
    wrong 'started with --engine test, which runs no programs' \
        $verb --kernel "$guest"
done
ok 'such a host ends' timeout 20 "$ringside" stop-host

# Help is not an error.
ok 'help' sh -c "'$ringside' --help | grep -q 'run a guest'"
ok 'help names RINGSIDE_RUNDIR' \
    sh -c "'$ringside' --help | grep -q RINGSIDE_RUNDIR"
ok 'version' sh -c "'$ringside' --version | grep -q '^ringside [0-9]'"
for verb in run create list console shutdown destroy pause unpause info \
    stop-host doctor; do
    ok "help of $verb" \
        sh -c "'$ringside' $verb --help | grep -q '^Usage: ringside $verb'"
done
ok 'help behind -- is the guest'\''s' \
    sh -c "! '$ringside' run --kernel /none -- --help 2>/dev/null"

finish
