/*
 * The console ring's guest side. See consfront.h.
 *
 * Indices run freely and are masked on use. Those of the other end are read
 * once and distrusted: a distance larger than the ring counts as full (out) or
 * as nothing (in).
 */
#include "frontends/consfront.h"

#include <errno.h>

#include "guest-kernel/events.h"

struct wait_queue consfront_changed = WAIT_QUEUE_INIT(consfront_changed);

static struct xencons_interface *ring;
static evtchn_port_t ring_port;

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
    return event_bind(ring_port, ring_event, NULL);
}

size_t consfront_unread(void)
{
    return ring ? ring->out_prod - READ_ONCE(ring->out_cons) : 0;
}

size_t consfront_room(void)
{
    uint32_t used = (uint32_t)consfront_unread();

    return !ring || used > sizeof(ring->out) ? 0 : sizeof(ring->out) - used;
}

size_t consfront_available(void)
{
    uint32_t n = ring ? READ_ONCE(ring->in_prod) - ring->in_cons : 0;

    return !ring || n > sizeof(ring->in) ? 0 : n;
}

size_t consfront_write(const char *s, size_t n)
{
    size_t room = consfront_room();
    XENCONS_RING_IDX prod;

    if (n > room)
        n = room;
    if (!n)
        return 0;
    prod = ring->out_prod;
    for (size_t i = 0; i < n; i++)
        ring->out[MASK_XENCONS_IDX(prod + i, ring->out)] = s[i];
    /* Partner: the other end reads out_prod before the bytes. */
    xen_wmb();
    WRITE_ONCE(ring->out_prod, prod + (uint32_t)n);
    event_notify(ring_port);
    return n;
}

size_t consfront_read(char *buf, size_t n)
{
    size_t available = consfront_available();
    XENCONS_RING_IDX cons;

    if (n > available)
        n = available;
    if (!n)
        return 0;
    cons = ring->in_cons;
    xen_rmb();
    for (size_t i = 0; i < n; i++)
        buf[i] = ring->in[MASK_XENCONS_IDX(cons + i, ring->in)];
    /* The other end may overwrite the bytes once it sees in_cons. */
    xen_mb();
    WRITE_ONCE(ring->in_cons, cons + (uint32_t)n);
    event_notify(ring_port);
    return n;
}

bool consfront_connected(void)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = ring_port };

    return ring && hypercall_evtchn_status(&op) == 0 &&
           op.status == EVTCHNSTAT_interdomain;
}
