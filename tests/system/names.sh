# A guest looks up names at a server that takes two seconds: at first, and after
# it was idle for so long that all its timers stopped. What it slept through is
# not taken for time that it waited.
. "$(dirname "$0")/tap.bash"

command -v python3 >/dev/null || skip_all "python3 is not there"

cat >"$tmp/server.py" <<'END'
import socket, struct, sys, time

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    server.bind(("127.0.0.1", 53))
except OSError:
    sys.exit(3)
server.settimeout(120)
print("ready", flush=True)
first = {}
while True:
    try:
        query, who = server.recvfrom(600)
    except TimeoutError:
        break
    first.setdefault(query[:2], time.monotonic())
    if time.monotonic() - first[query[:2]] < 1.5:
        continue
    server.sendto(query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, 1, 0, 0)
                  + query[12:] + b"\xc0\x0c"
                  + struct.pack(">HHIH", 1, 1, 60, 4)
                  + bytes([192, 0, 2, len(first)]), who)
END
python3 "$tmp/server.py" >"$tmp/server.out" &
server=$!
is_up() { [ -s "$tmp/server.out" ] || ! kill -0 $server 2>/dev/null; }
until_true 10 is_up
if ! kill -0 $server 2>/dev/null; then
    skip_all "port 53 of 127.0.0.1 is not to be had"
fi

out=$(timeout 100 "$ringside" run --quiet \
    --kernel "$abs_top_builddir/tests/system/names_guest.elf" \
    --vif type=nat,host-loopback=1 \
    --extra 'ip=10.0.2.15/24,10.0.2.2,10.0.2.2' \
    -- one.example 35 two.example 3 192.0.2.77 </dev/null | tr -d '\r')
kill $server
like 'a name' "$out" '^one\.example: 192\.0\.2\.1'
like 'one after a long sleep' "$out" 'two\.example: 192\.0\.2\.2'
like 'a number' "$out" '192\.0\.2\.77: 192\.0\.2\.77$'

finish
