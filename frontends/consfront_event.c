/*
 * The console ring's guest side: its start, and its event. See consfront.h.
 */
#include "frontends/consfront.h"

#include <errno.h>

void consfront_event(evtchn_port_t port, void *arg)
{
    struct consfront *c = arg;

    (void)port;
    wait_queue_wake_all(&c->changed);
}

void consfront_begin(struct consfront *c, struct xencons_interface *ring)
{
    wait_queue_init(&c->changed);
    c->ring = ring;
    c->port = 0;
    c->out_prod = READ_ONCE(ring->out_prod);
    c->in_cons = READ_ONCE(ring->in_cons);
}

int consfront_init(struct consfront *c, const struct start_info *si)
{
    if (!si->console.domU.evtchn)
        return -ENODEV;
    consfront_begin(c, (void *)(si->console.domU.mfn << PAGE_SHIFT));
    c->port = si->console.domU.evtchn;
    return event_bind(c->port, consfront_event, c);
}
