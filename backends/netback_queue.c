/*
 * Frames out of the guest's rings and into them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netback_queue.h"
#include "ring_check.h"

#define SLOTS_MAX XEN_NETIF_NR_SLOTS_MIN

struct waiting {
    struct list node;
    size_t len;
    char frame[];
};

static void queue_broken(struct vif_queue *q, const char *why)
{
    if (q->broken)
        return;
    q->broken = true;
    q->user.broken(q->user.arg, why);
}

int vif_queue_init(struct vif_queue *q, struct rs_client *client, domid_t domid,
                   void *tx_ring, void *rx_ring)
{
    struct netif_tx_sring *tx = tx_ring;
    struct netif_rx_sring *rx = rx_ring;

    BACK_RING_INIT(&q->tx, tx, PAGE_SIZE);
    BACK_RING_INIT(&q->rx, rx, PAGE_SIZE);
    list_init(&q->backlog);
    q->backlog_bytes = 0;
    q->broken = false;
    return grant_pool_new(client, domid, q->persistent, VIF_PAGES_MAX,
                          &q->pages);
}

static void backlog_drop(struct vif_queue *q, struct waiting *w)
{
    q->backlog_bytes -= w->len;
    list_del(&w->node);
    free(w);
}

void vif_queue_fini(struct vif_queue *q)
{
    q->broken = true;
    grant_pool_free(q->pages);
    q->pages = NULL;
    while (!list_empty(&q->backlog))
        backlog_drop(q, container_of(q->backlog.next, struct waiting, node));
}

/* ---- from the guest ---- */

/* One frame's requests, copied out of the ring. */
struct tx_frame {
    struct netif_tx_request slot[SLOTS_MAX];
    unsigned int slots, extras;
    size_t len;
};

/* Passes over what follows a request with NETTXF_extra_info. */
static const char *tx_extras(struct vif_queue *q, RING_IDX cons, RING_IDX prod,
                             struct tx_frame *f)
{
    struct netif_extra_info e;

    do {
        if (cons == prod)
            return "a frame's extra request is missing";
        memcpy(&e, RING_GET_REQUEST(&q->tx, cons), sizeof(e));
        cons++;
        if (e.type == XEN_NETIF_EXTRA_TYPE_NONE ||
            e.type >= XEN_NETIF_EXTRA_TYPE_MAX)
            return "an extra request of unknown type";
        if (++f->extras == XEN_NETIF_EXTRA_TYPE_MAX)
            return "a frame of too many extra requests";
    } while (e.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return NULL;
}

/*
 * Copies and checks the requests of the next frame. The first one's size is
 * that of the whole frame; it becomes the size of its own piece. NULL, or
 * which rule is broken.
 */
static const char *tx_gather(struct vif_queue *q, RING_IDX prod,
                             struct tx_frame *f)
{
    RING_IDX cons = q->tx.req_cons;
    const char *why;

    f->slots = f->extras = 0;
    do {
        struct netif_tx_request *r = &f->slot[f->slots];

        if (cons == prod)
            return "a frame's next request is missing";
        if (f->slots == SLOTS_MAX)
            return "a frame of too many requests";
        RING_COPY_REQUEST(&q->tx, cons, r);
        cons++;
        if (f->slots++ == 0) {
            f->len = r->size;
            if (r->flags & NETTXF_extra_info) {
                why = tx_extras(q, cons, prod, f);
                if (why)
                    return why;
                cons += f->extras;
            }
            continue;
        }
        if (r->size > f->slot[0].size)
            return "a frame smaller than its parts";
        f->slot[0].size -= r->size;
    } while (f->slot[f->slots - 1].flags & NETTXF_more_data);

    for (unsigned int i = 0; i < f->slots; i++)
        if (f->slot[i].offset + f->slot[i].size > PAGE_SIZE)
            return "a request that leaves its page";
    return NULL;
}

/* Answers the requests of a frame, in their order on the ring. */
static void tx_respond(struct vif_queue *q, const struct tx_frame *f,
                       int16_t status)
{
    for (unsigned int i = 0; i < f->slots; i++) {
        struct netif_tx_response r = { .id = f->slot[i].id, .status = status };

        *RING_GET_RESPONSE(&q->tx, q->tx.rsp_prod_pvt++) = r;
        for (unsigned int j = 0; i == 0 && j < f->extras; j++)
            RING_GET_RESPONSE(&q->tx, q->tx.rsp_prod_pvt++)->status =
                NETIF_RSP_NULL;
    }
    q->tx.req_cons += f->slots + f->extras;
}

/* Our copy of the frame that is being sent. There is one thread. */
static char sent[LINK_FRAME_MAX];

/*
 * Copies the frame out of the guest. -EFAULT: a page is not granted; -EAGAIN:
 * this process has no handle for it now.
 */
static int tx_copy(struct vif_queue *q, const struct tx_frame *f)
{
    struct grant_page *pages[SLOTS_MAX];
    grant_ref_t refs[SLOTS_MAX] = { 0 };
    size_t at = 0;
    int err;

    for (unsigned int i = 0; i < f->slots; i++)
        refs[i] = f->slot[i].gref;
    err = grant_pool_get(q->pages, refs, f->slots, true, pages);
    if (err)
        return err;
    for (unsigned int i = 0; i < f->slots; i++) {
        const struct netif_tx_request *r = &f->slot[i];

        memcpy(sent + at, (char *)pages[i]->addr + r->offset, r->size);
        at += r->size;
    }
    grant_pool_put(q->pages, pages, f->slots);
    return 0;
}

/*
 * Takes one frame; returns how many requests it was, 0 if the ring broke or the
 * frame must wait.
 */
static unsigned int tx_one(struct vif_queue *q, RING_IDX prod)
{
    struct tx_frame f;
    const char *why = tx_gather(q, prod, &f);
    int err;

    if (why) {
        queue_broken(q, why);
        return 0;
    }
    if (f.extras || f.len < LINK_HEADER || f.len > sizeof(sent)) {
        q->stats.tx_errors++;
        tx_respond(q, &f, NETIF_RSP_ERROR);
        return f.slots + f.extras;
    }
    err = tx_copy(q, &f);
    if (err) {
        if (err == -EFAULT)
            queue_broken(q, "a request with a reference that is not granted");
        return 0;
    }
    if (f.slot[0].flags & NETTXF_csum_blank)
        vif_checksum_fill_(sent, f.len);
    q->stats.tx_frames++;
    q->stats.tx_bytes += f.len;
    tx_respond(q, &f, NETIF_RSP_OKAY);
    if (vif_filter_passes(&q->filter, sent, f.len))
        q->link->ops->send(q->link, sent, f.len);
    else
        q->stats.tx_dropped++; /* as a switch would */
    return f.slots;
}

static unsigned int tx_service(struct vif_queue *q, unsigned int budget)
{
    RING_IDX prod = READ_ONCE(q->tx.sring->req_prod);
    unsigned int done = 0, n;
    int notify;

    xen_rmb(); /* the requests after the index; partner: the guest's wmb */
    if (!ring_new_requests(prod, q->tx.req_cons, q->tx.rsp_prod_pvt,
                           q->tx.nr_ents, &n)) {
        queue_broken(q, "the transmit ring's producer index is impossible");
        return 0;
    }
    while (q->tx.req_cons != prod && done < budget && !q->broken) {
        n = tx_one(q, prod);
        if (!n)
            break;
        done += n;
    }
    if (!done)
        return 0;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&q->tx, notify);
    if (notify)
        q->user.notify_tx(q->user.arg);
    q->link->ops->flush(q->link);
    return done;
}

/* ---- to the guest ---- */

static unsigned int pages_of(size_t len)
{
    return (unsigned int)((len + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* Has the guest posted buffers for `slots` pages? */
static bool rx_room(struct vif_queue *q, unsigned int slots)
{
    RING_IDX prod = READ_ONCE(q->rx.sring->req_prod);
    unsigned int n;

    xen_rmb(); /* the requests after the index; partner: the guest's wmb */
    if (!ring_new_requests(prod, q->rx.req_cons, q->rx.rsp_prod_pvt,
                           q->rx.nr_ents, &n)) {
        queue_broken(q, "the receive ring's producer index is impossible");
        return false;
    }
    return n >= slots;
}

/*
 * Takes the next n posted buffers: their ids in `id`, their pages in `pages`,
 * to be put back. false: the queue broke, or this process has no handles.
 */
static bool rx_take(struct vif_queue *q, unsigned int n, uint16_t *id,
                    struct grant_page **pages)
{
    grant_ref_t refs[SLOTS_MAX] = { 0 };
    int err;

    for (unsigned int i = 0; i < n; i++) {
        struct netif_rx_request r;

        RING_COPY_REQUEST(&q->rx, q->rx.req_cons + i, &r);
        id[i] = r.id;
        refs[i] = r.gref;
    }
    err = grant_pool_get(q->pages, refs, n, false, pages);
    if (err == -EFAULT)
        queue_broken(q, "a buffer with a reference that is not granted");
    if (err) {
        q->stats.rx_dropped++;
        return false;
    }
    q->rx.req_cons += n;
    return true;
}

/* Copies one frame into posted buffers; there is room for it. */
static void rx_deliver(struct vif_queue *q, const char *frame, size_t len)
{
    uint16_t flags = q->link->ops->trusted ? NETRXF_data_validated : 0;
    struct grant_page *pages[SLOTS_MAX];
    unsigned int slots = pages_of(len);
    uint16_t id[SLOTS_MAX];
    int notify;

    if (!rx_take(q, slots, id, pages))
        return;
    for (unsigned int i = 0; i < slots; i++) {
        size_t at = i * PAGE_SIZE;
        size_t n = len - at < PAGE_SIZE ? len - at : PAGE_SIZE;
        struct netif_rx_response r = { .id = id[i], .status = (int16_t)n };

        memcpy(pages[i]->addr, frame + at, n);
        r.flags = i == 0 ? flags : 0;
        if (i + 1 < slots)
            r.flags |= NETRXF_more_data;
        *RING_GET_RESPONSE(&q->rx, q->rx.rsp_prod_pvt++) = r;
    }
    grant_pool_put(q->pages, pages, slots);
    q->stats.rx_frames++;
    q->stats.rx_bytes += len;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&q->rx, notify);
    if (notify)
        q->user.notify_rx(q->user.arg);
}

static void rx_keep(struct vif_queue *q, const void *frame, size_t len)
{
    struct waiting *w = NULL;

    if (q->backlog_bytes + len <= VIF_BACKLOG_MAX)
        w = malloc(sizeof(*w) + len);
    if (!w) {
        q->stats.rx_dropped++;
        return;
    }
    w->len = len;
    memcpy(w->frame, frame, len);
    list_add_tail(&q->backlog, &w->node);
    q->backlog_bytes += len;
    if (q->backlog_bytes > VIF_BACKLOG_FULL)
        q->link->ops->pause(q->link, true);
}

void vif_queue_receive(struct vif_queue *q, const void *frame, size_t len)
{
    unsigned int slots = pages_of(len);

    if (q->broken || len < LINK_HEADER)
        return;
    if (slots > (q->sg ? SLOTS_MAX : 1)) {
        q->stats.rx_dropped++;
        return;
    }
    if (list_empty(&q->backlog) && rx_room(q, slots))
        rx_deliver(q, frame, len);
    else if (!q->broken)
        rx_keep(q, frame, len);
}

static bool backlog_ready(struct vif_queue *q)
{
    if (q->broken || list_empty(&q->backlog))
        return false;
    return rx_room(
        q, pages_of(container_of(q->backlog.next, struct waiting, node)->len));
}

static unsigned int backlog_service(struct vif_queue *q, unsigned int budget)
{
    unsigned int done = 0;

    while (done < budget && backlog_ready(q)) {
        struct waiting *w = container_of(q->backlog.next, struct waiting, node);

        done += pages_of(w->len);
        rx_deliver(q, w->frame, w->len);
        backlog_drop(q, w);
    }
    if (done && q->backlog_bytes <= VIF_BACKLOG_FULL)
        q->link->ops->pause(q->link, false);
    return done;
}

/* ---- both ---- */

unsigned int vif_queue_service(struct vif_queue *q)
{
    unsigned int done;

    if (q->broken)
        return 0;
    done = backlog_service(q, VIF_BATCH);
    if (!q->broken)
        done += tx_service(q, VIF_BATCH);
    return done;
}

bool vif_queue_arm(struct vif_queue *q)
{
    if (q->broken)
        return false;
    WRITE_ONCE(q->tx.sring->req_event, q->tx.req_cons + 1);
    if (!list_empty(&q->backlog))
        WRITE_ONCE(q->rx.sring->req_event,
                   READ_ONCE(q->rx.sring->req_prod) + 1);
    /*
     * Our event index before our look at the producer; partner: the guest's
     * barrier between its producer and its look at the event index.
     */
    xen_mb();
    return READ_ONCE(q->tx.sring->req_prod) != q->tx.req_cons ||
           backlog_ready(q);
}
