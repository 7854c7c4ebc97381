/* Guests' rings; see conn_ring.h. */
#include "transport/conn_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conn/transport.h"
#include "serve/serve.h"
#include "session/session.h"
#include "store/store.h"

_Static_assert(offsetof(struct xenstore_domain_interface, req_cons) == 2048 &&
                   offsetof(struct xenstore_domain_interface, rsp_prod) ==
                       2060 &&
                   offsetof(struct xenstore_domain_interface, error) == 2072,
               "xenstore ring page");

struct ring {
    struct conn c;
    struct xenstore_domain_interface *page;
    const struct ring_ops *ops;
    void *ctx;
    uint32_t req_cons, rsp_prod; /* the store's own; the page has copies */
    bool ignored;                /* until the guest reconnects */
    bool notify; /* something changed that the guest may wait for */
};

static struct ring *ring_of(struct conn *c)
{
    return container_of(c, struct ring, c);
}

static void ring_ignore(struct ring *r, uint32_t error)
{
    if (domain_may_complain(r->c.dom))
        log_line("domain %u: ring ignored, error %u", r->c.dom->domid, error);
    conn_reset(&r->c);
    r->ignored = true;
    if (r->c.dom->features & XS_FEATURE_ERROR)
        WRITE_ONCE(r->page->error, error);
    r->notify = true;
    conn_dirty(&r->c);
}

/* Copies out of a ring of XENSTORE_RING_SIZE bytes. */
static void copy_out(void *to, const char *ring, uint32_t at, uint32_t len)
{
    uint32_t off = MASK_XENSTORE_IDX(at);
    uint32_t first = XENSTORE_RING_SIZE - off;

    if (first > len)
        first = len;
    memcpy(to, ring + off, first);
    memcpy((char *)to + first, ring, len - first);
}

static void copy_in(char *ring, uint32_t at, const void *from, uint32_t len)
{
    uint32_t off = MASK_XENSTORE_IDX(at);
    uint32_t first = XENSTORE_RING_SIZE - off;

    if (first > len)
        first = len;
    memcpy(ring + off, from, first);
    memcpy(ring, (const char *)from + first, len - first);
}

static void ring_read(struct ring *r)
{
    static char buf[XENSTORE_RING_SIZE];
    uint32_t prod = READ_ONCE(r->page->req_prod);
    uint32_t len = prod - r->req_cons;

    if (len == 0)
        return;
    if (len > XENSTORE_RING_SIZE) {
        ring_ignore(r, XENSTORE_ERROR_RINGIDX);
        return;
    }
    xen_rmb(); /* the guest's barrier between request and req_prod */
    copy_out(buf, r->page->req, r->req_cons, len);
    xen_mb(); /* the copy is done before the guest may write there again */
    r->req_cons = prod;
    WRITE_ONCE(r->page->req_cons, prod);
    r->notify = true;
    conn_input(&r->c, buf, len);
}

static void ring_write(struct ring *r)
{
    uint32_t cons = READ_ONCE(r->page->rsp_cons);
    uint32_t used = r->rsp_prod - cons, len;

    if (used > XENSTORE_RING_SIZE) {
        ring_ignore(r, XENSTORE_ERROR_RINGIDX);
        return;
    }
    len = XENSTORE_RING_SIZE - used;
    if (len > outq_bytes(&r->c.out))
        len = (uint32_t)outq_bytes(&r->c.out);
    if (!len)
        return;
    xen_mb(); /* the guest has read what it says it has before we overwrite */
    copy_in(r->page->rsp, r->rsp_prod, outq_data(&r->c.out), len);
    xen_wmb(); /* the guest's barrier between rsp_prod and the reply */
    r->rsp_prod += len;
    assert(r->rsp_prod - cons <= XENSTORE_RING_SIZE);
    WRITE_ONCE(r->page->rsp_prod, r->rsp_prod);
    outq_sent(&r->c.out, len);
    r->notify = true;
}

static void ring_flush(struct conn *c)
{
    struct ring *r = ring_of(c);

    if (outq_bytes(&c->out) && !r->ignored)
        ring_write(r);
    if (r->notify)
        r->ops->notify(r->ctx);
    r->notify = false;
}

/* ring_serve() checks by itself whether it may read. */
static void ring_reading(struct conn *c, bool on)
{
    (void)c;
    (void)on;
}

static void ring_violation(struct conn *c, uint32_t error)
{
    ring_ignore(ring_of(c), error);
}

static void ring_restart(struct conn *c)
{
    struct ring *r = ring_of(c);

    r->req_cons = r->rsp_prod = 0;
    r->ignored = false;
    WRITE_ONCE(r->page->req_cons, 0);
    WRITE_ONCE(r->page->req_prod, 0);
    WRITE_ONCE(r->page->rsp_cons, 0);
    WRITE_ONCE(r->page->rsp_prod, 0);
    WRITE_ONCE(r->page->error, XENSTORE_ERROR_NONE);
    xen_mb(); /* the guest looks at the rings once it is told it may */
    WRITE_ONCE(r->page->connection, XENSTORE_CONNECTED);
    r->notify = true;
    conn_dirty(c);
}

/* A ring without output or notification does not become dirty. */
static void ring_serve(struct conn *c)
{
    struct ring *r = ring_of(c);

    conn_resume(c);
    if (READ_ONCE(r->page->connection) == XENSTORE_RECONNECT) {
        conn_reset(c);
        ring_restart(c);
    } else if (c->more) {
        conn_serve_more(c);
    } else if (!r->ignored && !c->held) {
        ring_read(r);
    }
    if ((r->notify || outq_bytes(&c->out) || c->dead) && list_empty(&c->dirty))
        list_add_tail(&c->store->dirty, &c->dirty);
}

static bool ring_pending(struct conn *c)
{
    const struct ring *r = ring_of(c);

    if (c->more || r->ignored || c->held)
        return c->more;
    return READ_ONCE(r->page->req_prod) != r->req_cons;
}

static void ring_free(struct conn *c)
{
    struct ring *r = ring_of(c);

    if (c->dom->ring == c)
        c->dom->ring = NULL;
    r->ops->release(r->ctx);
    free(r);
}

static void ring_save(const struct conn *c, struct transport *t)
{
    const struct ring *r = container_of(c, struct ring, c);

    t->ring = true;
    t->req_cons = r->req_cons;
    t->rsp_prod = r->rsp_prod;
    t->ignored = r->ignored;
    r->ops->save(r->ctx, t);
}

static const struct conn_ops ring_conn_ops = {
    .kind = "ring",
    .flush = ring_flush,
    .reading = ring_reading,
    .serve = ring_serve,
    .pending = ring_pending,
    .violation = ring_violation,
    .restart = ring_restart,
    .free = ring_free,
    .save = ring_save,
};

static struct ring *ring_new(struct store *s, struct domain *d,
                             struct xenstore_domain_interface *page,
                             const struct ring_ops *ops, void *ctx)
{
    struct ring *r = calloc(1, sizeof(*r));

    if (!r || fair_join(&s->fair)) {
        free(r);
        return NULL;
    }
    conn_init(&r->c, s, d, &ring_conn_ops);
    r->page = page;
    r->ops = ops;
    r->ctx = ctx;
    r->notify = true;
    conn_dirty(&r->c);
    return r;
}

struct conn *conn_ring_new(struct store *s, struct domain *d,
                           struct xenstore_domain_interface *page,
                           const struct ring_ops *ops, void *ctx)
{
    struct ring *r = ring_new(s, d, page, ops, ctx);

    if (!r)
        return NULL;
    r->req_cons = READ_ONCE(page->req_cons);
    r->rsp_prod = READ_ONCE(page->rsp_prod);
    WRITE_ONCE(page->server_features, d->features);
    WRITE_ONCE(page->error, XENSTORE_ERROR_NONE);
    WRITE_ONCE(page->connection, XENSTORE_CONNECTED);
    return &r->c;
}

/*
 * The indices of the store come from its state: those in the page are the
 * guest's to change.
 */
struct conn *conn_ring_adopt(struct store *s, struct domain *d,
                             struct xenstore_domain_interface *page,
                             const struct transport *t,
                             const struct ring_ops *ops, void *ctx)
{
    struct ring *r = ring_new(s, d, page, ops, ctx);

    if (!r)
        return NULL;
    r->req_cons = t->req_cons;
    r->rsp_prod = t->rsp_prod;
    r->ignored = t->ignored;
    return &r->c;
}

void conn_ring_move(struct conn *c, struct xenstore_domain_interface *page)
{
    ring_of(c)->page = page;
}

void *conn_ring_ctx(struct conn *c)
{
    return ring_of(c)->ctx;
}
