/* A vchan that is set up: waiting, reading, writing, the end. See vchan.h. */
#include "guest-kernel/vchan.h"

#include <errno.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/upcall.h"

/* Nobody tells that a domain died; so often an end looks that waits or polls.
 */
#define PEER_CHECK_NS (1000 * NS_PER_MS)

/* ---- the state of the other end ---- */

static bool is_open(struct rs_vchan *v)
{
    uint8_t live = READ_ONCE(*v->end.peer_live);

    if (v->end.broken && !v->warned_of_break) {
        v->warned_of_break = true;
        console_report("vchan: domain %u broke the protocol\n", v->peer);
    }
    return !v->end.broken && !v->peer_died &&
           (live == VCHAN_HERE || (live == VCHAN_NOT_YET && v->path));
}

/* Its domain is gone, or has closed its port, without a word. */
static void check_peer(struct rs_vchan *v)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = v->port };

    if (READ_ONCE(*v->end.peer_live) == VCHAN_NOT_YET)
        return;
    if (hypercall_evtchn_status(&op) || op.status != EVTCHNSTAT_interdomain)
        v->peer_died = true;
}

/* For calls that do not wait: the look that a wait would have taken. */
static void check_peer_if_due(struct rs_vchan *v)
{
    uint64_t now = clock_now();

    if (now < v->peer_check_at)
        return;
    v->peer_check_at = now + PEER_CHECK_NS;
    check_peer(v);
}

bool rs_vchan_is_open(struct rs_vchan *v)
{
    IN_KERNEL();
    check_peer_if_due(v);
    return is_open(v);
}

/* ---- waiting ---- */

/* Which of the things that somebody may wait for are there. */
static unsigned int ready(struct rs_vchan *v)
{
    unsigned int what = 0;

    if (!is_open(v))
        return VCHAN_WAIT_DATA | VCHAN_WAIT_ROOM | VCHAN_WAIT_PEER;
    if ((v->waiting & VCHAN_WAIT_DATA) && vchan_readable(&v->end))
        what |= VCHAN_WAIT_DATA;
    if ((v->waiting & VCHAN_WAIT_ROOM) && vchan_writable(&v->end))
        what |= VCHAN_WAIT_ROOM;
    if (READ_ONCE(*v->end.peer_live) != VCHAN_NOT_YET)
        what |= VCHAN_WAIT_PEER;
    return what;
}

static bool poll(void *arg)
{
    struct rs_vchan *v = arg;

    if (!v->waiting || !(ready(v) & v->waiting))
        return false;
    wait_queue_wake_all(&v->changed);
    return true;
}

static bool arm(void *arg)
{
    struct rs_vchan *v = arg;
    unsigned int tell = v->waiting & (VCHAN_WAIT_DATA | VCHAN_WAIT_ROOM);

    if (tell)
        vchan_request_event(&v->end, (uint8_t)tell);
    return poll(v);
}

void vchan_event(evtchn_port_t port, void *arg)
{
    struct rs_vchan *v = arg;

    (void)port;
    wait_queue_wake_all(&v->changed);
}

void vchan_start(struct rs_vchan *v)
{
    v->poller = (struct poller){ .poll = poll, .arm = arm, .arg = v };
    poller_add(&v->poller);
}

/* Waits for `what`, or for the end of the channel. 0, or -ETIMEDOUT. */
static int wait_for(struct rs_vchan *v, unsigned int what, uint64_t deadline)
{
    bool was = upcalls_mask();
    int err = 0;

    v->waiting |= what;
    while (!err && !(ready(v) & what)) {
        uint64_t next = clock_now() + PEER_CHECK_NS;

        if (next < deadline) {
            if (wait_queue_sleep(&v->changed, next))
                check_peer(v);
        } else {
            err = wait_queue_sleep(&v->changed, deadline);
        }
    }
    v->waiting &= ~what;
    upcalls_restore(was);
    return err;
}

int rs_vchan_accept(struct rs_vchan *v, uint64_t timeout)
{
    IN_KERNEL();
    return wait_for(v, VCHAN_WAIT_PEER, clock_deadline(timeout));
}

/* ---- reading and writing ---- */

static void notify(struct rs_vchan *v, uint8_t what)
{
    if (vchan_must_notify(&v->end, what))
        event_notify(v->port);
}

long rs_vchan_read(struct rs_vchan *v, void *buf, size_t n)
{
    IN_KERNEL();
    for (;;) {
        /* In this order: what was written before the end is still read. */
        bool open = is_open(v);
        size_t got = vchan_get(&v->end, buf, n);

        if (got) {
            notify(v, VCHAN_NOTIFY_READ);
            return (long)got;
        }
        if (v->end.broken)
            return -EPROTO;
        if (!open || !n)
            return 0;
        wait_for(v, VCHAN_WAIT_DATA, NEVER);
    }
}

long rs_vchan_write(struct rs_vchan *v, const void *buf, size_t n)
{
    IN_KERNEL();
    size_t done = 0;

    while (done < n) {
        size_t put;

        if (!is_open(v))
            return v->end.broken ? -EPROTO : -EPIPE;
        put = vchan_put(&v->end, (const char *)buf + done, n - done);
        if (put)
            notify(v, VCHAN_NOTIFY_WRITE);
        else
            wait_for(v, VCHAN_WAIT_ROOM, NEVER);
        done += put;
    }
    return (long)n;
}

size_t rs_vchan_readable(struct rs_vchan *v)
{
    IN_KERNEL();
    check_peer_if_due(v);
    return vchan_readable(&v->end);
}

size_t rs_vchan_writable(struct rs_vchan *v)
{
    IN_KERNEL();
    check_peer_if_due(v);
    return vchan_writable(&v->end);
}

void rs_vchan_close(struct rs_vchan *v)
{
    IN_KERNEL();
    if (!v)
        return;
    poller_remove(&v->poller);
    xen_mb(); /* everything that was written, before the end */
    WRITE_ONCE(*v->end.live, VCHAN_GONE);
    event_notify(v->port);
    vchan_free(v);
}
