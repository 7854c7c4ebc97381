/*
 * The console ring's guest side: its bytes. See consfront.h.
 *
 * Indices run freely and are masked on use. Our own are kept here; those of the
 * other end are read once per call and distrusted: a distance larger than the
 * ring counts as full (out) or as nothing (in), and as broken.
 */
#include "frontends/consfront.h"

static void notify(const struct consfront *c)
{
    if (c->port)
        event_notify(c->port);
}

/* Distances as the other end's indices have them, true or not. */
static uint32_t out_used(const struct consfront *c)
{
    return c->ring ? c->out_prod - READ_ONCE(c->ring->out_cons) : 0;
}

static uint32_t in_used(const struct consfront *c)
{
    return c->ring ? READ_ONCE(c->ring->in_prod) - c->in_cons : 0;
}

bool consfront_out_broken(const struct consfront *c)
{
    return out_used(c) > sizeof(c->ring->out);
}

bool consfront_in_broken(const struct consfront *c)
{
    return in_used(c) > sizeof(c->ring->in);
}

void consfront_repair(struct consfront *c)
{
    if (consfront_out_broken(c)) {
        c->out_prod = READ_ONCE(c->ring->out_cons);
        WRITE_ONCE(c->ring->out_prod, c->out_prod);
    }
    if (consfront_in_broken(c)) {
        c->in_cons = READ_ONCE(c->ring->in_prod);
        WRITE_ONCE(c->ring->in_cons, c->in_cons);
    }
}

size_t consfront_unread(const struct consfront *c)
{
    uint32_t used = out_used(c);

    return used > sizeof(c->ring->out) ? 0 : used;
}

size_t consfront_room(const struct consfront *c)
{
    uint32_t used = out_used(c);

    return !c->ring || used > sizeof(c->ring->out)
               ? 0
               : sizeof(c->ring->out) - used;
}

size_t consfront_available(const struct consfront *c)
{
    uint32_t used = in_used(c);

    return used > sizeof(c->ring->in) ? 0 : used;
}

size_t consfront_write(struct consfront *c, const char *s, size_t n)
{
    size_t room = consfront_room(c);

    if (n > room)
        n = room;
    if (!n)
        return 0;
    for (size_t i = 0; i < n; i++)
        c->ring->out[MASK_XENCONS_IDX(c->out_prod + i, c->ring->out)] = s[i];
    /* Partner: the other end reads out_prod before the bytes. */
    xen_wmb();
    invariant(n <= sizeof(c->ring->out));
    c->out_prod += (uint32_t)n;
    WRITE_ONCE(c->ring->out_prod, c->out_prod);
    notify(c);
    return n;
}

size_t consfront_read(struct consfront *c, char *buf, size_t n)
{
    size_t available = consfront_available(c);

    if (n > available)
        n = available;
    if (!n)
        return 0;
    xen_rmb(); /* bytes after in_prod; partner: the other end's wmb */
    for (size_t i = 0; i < n; i++)
        buf[i] = c->ring->in[MASK_XENCONS_IDX(c->in_cons + i, c->ring->in)];
    /* The other end may overwrite the bytes once it sees in_cons. */
    xen_mb();
    c->in_cons += (uint32_t)n;
    WRITE_ONCE(c->ring->in_cons, c->in_cons);
    notify(c);
    return n;
}

bool consfront_connected(const struct consfront *c)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = c->port };

    return c->ring && c->port && hypercall_evtchn_status(&op) == 0 &&
           op.status == EVTCHNSTAT_interdomain;
}
