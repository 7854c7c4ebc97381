/*
 * The console ring's guest side. See consfront.h.
 *
 * Indices run freely and are masked on use. Our own are kept here; those of the
 * other end are read once per call and distrusted: a distance larger than the
 * ring counts as full (out) or as nothing (in), and as broken.
 */
#include "frontends/consfront.h"

#include <errno.h>

#include "guest-kernel/events.h"

struct wait_queue consfront_changed = WAIT_QUEUE_INIT(consfront_changed);

static struct xencons_interface *ring;
static evtchn_port_t ring_port;
static XENCONS_RING_IDX out_prod, in_cons;

static void ring_event(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    wait_queue_wake_all(&consfront_changed);
}

int consfront_init(const struct start_info *si)
{
    if (!si->console.domU.evtchn)
        return -ENODEV;
    ring = (void *)(si->console.domU.mfn << PAGE_SHIFT);
    ring_port = si->console.domU.evtchn;
    out_prod = READ_ONCE(ring->out_prod);
    in_cons = READ_ONCE(ring->in_cons);
    return event_bind(ring_port, ring_event, NULL);
}

/* Distances as the other end's indices have them, true or not. */
static uint32_t out_used(void)
{
    return ring ? out_prod - READ_ONCE(ring->out_cons) : 0;
}

static uint32_t in_used(void)
{
    return ring ? READ_ONCE(ring->in_prod) - in_cons : 0;
}

bool consfront_out_broken(void)
{
    return out_used() > sizeof(ring->out);
}

bool consfront_in_broken(void)
{
    return in_used() > sizeof(ring->in);
}

void consfront_repair(void)
{
    if (consfront_out_broken()) {
        out_prod = READ_ONCE(ring->out_cons);
        WRITE_ONCE(ring->out_prod, out_prod);
    }
    if (consfront_in_broken()) {
        in_cons = READ_ONCE(ring->in_prod);
        WRITE_ONCE(ring->in_cons, in_cons);
    }
}

size_t consfront_unread(void)
{
    uint32_t used = out_used();

    return used > sizeof(ring->out) ? 0 : used;
}

size_t consfront_room(void)
{
    uint32_t used = out_used();

    return !ring || used > sizeof(ring->out) ? 0 : sizeof(ring->out) - used;
}

size_t consfront_available(void)
{
    uint32_t used = in_used();

    return used > sizeof(ring->in) ? 0 : used;
}

size_t consfront_write(const char *s, size_t n)
{
    size_t room = consfront_room();

    if (n > room)
        n = room;
    if (!n)
        return 0;
    for (size_t i = 0; i < n; i++)
        ring->out[MASK_XENCONS_IDX(out_prod + i, ring->out)] = s[i];
    /* Partner: the other end reads out_prod before the bytes. */
    xen_wmb();
    out_prod += (uint32_t)n;
    WRITE_ONCE(ring->out_prod, out_prod);
    event_notify(ring_port);
    return n;
}

size_t consfront_read(char *buf, size_t n)
{
    size_t available = consfront_available();

    if (n > available)
        n = available;
    if (!n)
        return 0;
    xen_rmb(); /* bytes after in_prod; partner: the other end's wmb */
    for (size_t i = 0; i < n; i++)
        buf[i] = ring->in[MASK_XENCONS_IDX(in_cons + i, ring->in)];
    /* The other end may overwrite the bytes once it sees in_cons. */
    xen_mb();
    in_cons += (uint32_t)n;
    WRITE_ONCE(ring->in_cons, in_cons);
    event_notify(ring_port);
    return n;
}

bool consfront_connected(void)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = ring_port };

    return ring && hypercall_evtchn_status(&op) == 0 &&
           op.status == EVTCHNSTAT_interdomain;
}
