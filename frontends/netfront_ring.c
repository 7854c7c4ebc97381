/*
 * Frames into netfront's rings and out of them.
 *
 * Receiving: all pages of a pool lie on the ring; a frame takes its pages along
 * to the user, who gives them back one by one. Sending: frames are copied into
 * pages of the other pool. A received response stands in the slot of its
 * request, which tells the page; one to a sent frame names its page, which must
 * be with the backend. A backend whose indices or answers are impossible is not
 * believed any more: the card goes down until the backend connects anew. A
 * received frame that makes no sense is dropped, and the log says so once.
 *
 * The pages are granted for the life of the card. They are zeroed before, and
 * later hold nothing but frames that went to or came from the same backend:
 * what lies after the end of a short frame is no news to it.
 */
#include <errno.h>
#include <string.h>

#include "frontends/netfront_ring.h"
#include "inet_checksum.h"

#define SLOT(i)          ((i) % NETFRONT_PAGES)
#define SEND_PATIENCE_MS 500
#define PAGES_LOW        (NETFRONT_PAGES / 4)
#define POLL_TURNS       16 /* looks at the ring before others have theirs */

_Static_assert(__CONST_RING_SIZE(netif_tx, PAGE_SIZE) == NETFRONT_PAGES,
               "a transmit slot for each page");
_Static_assert(__CONST_RING_SIZE(netif_rx, PAGE_SIZE) == NETFRONT_PAGES,
               "a receive slot for each page");

/* ---- pools ---- */

static int pool_new(struct netfront_pool *p, domid_t backend)
{
    p->pages = pages_alloc_zeroed(NETFRONT_PAGES);
    if (!p->pages)
        return -ENOMEM;
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++) {
        int err =
            grant_access(backend, p->pages + i * PAGE_SIZE, false, &p->refs[i]);

        if (err)
            return err;
        p->free[p->n_free++] = (uint16_t)i;
    }
    return 0;
}

static void *pool_page(const struct netfront_pool *p, unsigned int page)
{
    return p->pages + page * PAGE_SIZE;
}

int netfront_rings_new(struct netfront *nf)
{
    int err;

    wait_queue_init(&nf->tx_queue);
    nf->tx_page = pages_alloc_zeroed(1);
    nf->rx_page = pages_alloc_zeroed(1);
    if (!nf->tx_page || !nf->rx_page)
        return -ENOMEM;
    err = grant_access(nf->backend_id, nf->tx_page, false, &nf->tx_ref);
    if (!err)
        err = grant_access(nf->backend_id, nf->rx_page, false, &nf->rx_ref);
    if (!err)
        err = pool_new(&nf->tx_pool, nf->backend_id);
    if (!err)
        err = pool_new(&nf->rx_pool, nf->backend_id);
    return err;
}

static void pool_free(struct netfront_pool *p)
{
    for (unsigned int i = 0; p->pages && i < NETFRONT_PAGES; i++)
        grant_end_and_free(p->refs[i], pool_page(p, i));
    p->pages = NULL;
}

void netfront_rings_free(struct netfront *nf)
{
    pool_free(&nf->tx_pool);
    pool_free(&nf->rx_pool);
    grant_end_and_free(nf->tx_ref, nf->tx_page);
    grant_end_and_free(nf->rx_ref, nf->rx_page);
}

static void rings_init(struct netfront *nf)
{
    struct netif_tx_sring *tx = nf->tx_page;
    struct netif_rx_sring *rx = nf->rx_page;

    memset(tx, 0, PAGE_SIZE);
    memset(rx, 0, PAGE_SIZE);
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    FRONT_RING_INIT(&nf->tx, tx, PAGE_SIZE);
    FRONT_RING_INIT(&nf->rx, rx, PAGE_SIZE);
}

void netfront_rings_reset(struct netfront *nf)
{
    if (nf->rx.sring)
        for (RING_IDX i = nf->rx.rsp_cons; i != nf->rx.req_prod_pvt; i++)
            nf->rx_pool.free[nf->rx_pool.n_free++] = nf->posted[SLOT(i)];
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++) {
        if (nf->tx_busy[i])
            nf->tx_pool.free[nf->tx_pool.n_free++] = (uint16_t)i;
        nf->tx_busy[i] = false;
    }
    rings_init(nf);
    nf->connection++;
    wait_queue_wake_all(&nf->tx_queue);
}

/*
 * The backend broke the protocol. Nothing of it is looked at any more; the
 * card's thread tells the user, and connects again when the backend does.
 */
static void give_up(struct netfront *nf, const char *why)
{
    console_report("netfront: %s: the backend broke the protocol: %s\n",
                   nf->dir, why);
    nf->connected = false;
    nf->broken = true;
    wait_queue_wake_all(&nf->tx_queue);
    semaphore_up(&nf->attention);
}

/* ---- receiving ---- */

static unsigned int posted_count(const struct netfront *nf)
{
    return nf->rx.req_prod_pvt - nf->rx.rsp_cons;
}

void netfront_post(struct netfront *nf)
{
    struct netfront_pool *pool = &nf->rx_pool;
    int notify;

    if (!pool->n_free || RING_FULL(&nf->rx))
        return;
    while (pool->n_free && !RING_FULL(&nf->rx)) {
        unsigned int page = pool->free[--pool->n_free];
        RING_IDX i = nf->rx.req_prod_pvt++;

        nf->posted[SLOT(i)] = (uint16_t)page;
        *RING_GET_REQUEST(&nf->rx, i) = (struct netif_rx_request){
            .id = (uint16_t)SLOT(i),
            .gref = pool->refs[page],
        };
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nf->rx, notify);
    if (notify)
        event_notify(nf->port);
}

void netfront_release(struct netfront *nf, unsigned int page)
{
    invariant(page < NETFRONT_PAGES && nf->rx_pool.n_free < NETFRONT_PAGES);
    nf->rx_pool.free[nf->rx_pool.n_free++] = (uint16_t)page;
    if (nf->connected && posted_count(nf) < NETFRONT_PAGES / 2)
        netfront_post(nf);
}

bool netfront_short_of_pages(const struct netfront *nf)
{
    return posted_count(nf) + nf->rx_pool.n_free < PAGES_LOW;
}

static void warn_of_bad_frame(struct netfront *nf)
{
    if (nf->warned_of_bad_frame)
        return;
    nf->warned_of_bad_frame = true;
    console_report("netfront: %s: dropped a frame that makes no sense\n",
                   nf->dir);
}

/* A frame as it comes off the ring. */
struct rx_frame {
    struct netfront_piece piece[NETFRONT_PIECES_MAX];
    unsigned int n;
    size_t len;
    bool checked, bad;
    bool failed; /* the backend says so */
};

static void rx_piece(struct netfront *nf, struct rx_frame *f, RING_IDX i,
                     const struct netif_rx_response *r)
{
    unsigned int page = nf->posted[SLOT(i)];

    if (f->n == NETFRONT_PIECES_MAX) {
        f->bad = true;
        netfront_release(nf, page);
        return;
    }
    f->piece[f->n].page = page;
    f->piece[f->n].data = (char *)pool_page(&nf->rx_pool, page) + r->offset;
    f->piece[f->n].len = (unsigned int)r->status;
    f->n++;
    if (r->status < 0)
        f->failed = true;
    if (r->status <= 0 || r->offset + r->status > (int)PAGE_SIZE ||
        (r->flags & NETRXF_extra_info))
        f->bad = true;
    else
        f->len += (size_t)r->status;
}

/*
 * Is the whole frame that begins at the consumer there, up to prod? One that
 * is longer than any may be counts as whole, to be dropped.
 */
static bool rx_complete(const struct netfront *nf, RING_IDX prod)
{
    for (RING_IDX i = nf->rx.rsp_cons; i != prod; i++)
        if (!(RING_GET_RESPONSE(&nf->rx, i)->flags & NETRXF_more_data))
            return true;
    return prod - nf->rx.rsp_cons > NETFRONT_PIECES_MAX;
}

/* Takes one frame off the ring and hands it on; false: none is complete. */
static bool rx_one(struct netfront *nf, RING_IDX prod)
{
    struct rx_frame f = { .n = 0 };
    struct netif_rx_response r;

    if (!rx_complete(nf, prod))
        return false;
    do {
        RING_IDX i = nf->rx.rsp_cons++;

        RING_COPY_RESPONSE(&nf->rx, i, &r);
        if (!f.n)
            f.checked = r.flags & (NETRXF_data_validated | NETRXF_csum_blank);
        rx_piece(nf, &f, i, &r);
    } while ((r.flags & NETRXF_more_data) && nf->rx.rsp_cons != prod);

    if (r.flags & NETRXF_more_data)
        f.bad = true; /* too long, or the flag was changed meanwhile */
    if (f.bad && !f.failed)
        warn_of_bad_frame(nf);
    if (f.bad)
        for (unsigned int i = 0; i < f.n; i++)
            netfront_release(nf, f.piece[i].page);
    else
        nf->user.receive(nf->user.arg, f.piece, f.n, f.len, f.checked);
    return true;
}

/* Takes back the page of one frame that was sent. */
static bool tx_answered(struct netfront *nf, const struct netif_tx_response *r)
{
    /* NETIF_RSP_NULL answers extra information, which we never send. */
    if (r->status == NETIF_RSP_NULL || r->id >= NETFRONT_PAGES ||
        !nf->tx_busy[r->id])
        return false;
    nf->tx_busy[r->id] = false;
    invariant(r->id < NETFRONT_PAGES && nf->tx_pool.n_free < NETFRONT_PAGES);
    nf->tx_pool.free[nf->tx_pool.n_free++] = r->id;
    return true;
}

/* Takes back the pages of frames that were sent. */
static void tx_reap(struct netfront *nf)
{
    RING_IDX prod = READ_ONCE(nf->tx.sring->rsp_prod);
    struct netif_tx_response r;

    xen_rmb(); /* the responses after the index; partner: netback's wmb */
    if (prod - nf->tx.rsp_cons > nf->tx.req_prod_pvt - nf->tx.rsp_cons) {
        give_up(nf, "a transmit index that cannot be");
        return;
    }
    while (nf->tx.rsp_cons != prod) {
        RING_COPY_RESPONSE(&nf->tx, nf->tx.rsp_cons, &r);
        nf->tx.rsp_cons++;
        if (!tx_answered(nf, &r)) {
            give_up(nf, "an answer to a frame that it does not have");
            return;
        }
    }
}

/* Hands on what is complete up to prod. */
static void rx_take(struct netfront *nf, RING_IDX prod)
{
    unsigned int connection = nf->connection;

    /* The user may send, which may wait, while a connection ends. */
    while (nf->connected && nf->connection == connection &&
           nf->rx.rsp_cons != prod && rx_one(nf, prod))
        ;
}

void netfront_poll(struct netfront *nf)
{
    int more = 1;

    for (unsigned int turn = 0; more && nf->connected; turn++) {
        RING_IDX prod = READ_ONCE(nf->rx.sring->rsp_prod);

        xen_rmb(); /* the responses after the index; partner: netback's wmb */
        if (prod - nf->rx.rsp_cons > posted_count(nf)) {
            give_up(nf, "a receive index that cannot be");
            return;
        }
        if (turn == POLL_TURNS) {
            nf->user.wake(nf->user.arg);
            return;
        }
        rx_take(nf, prod);
        if (nf->connected)
            tx_reap(nf);
        if (!nf->connected)
            return;
        netfront_post(nf);
        RING_FINAL_CHECK_FOR_RESPONSES(&nf->rx, more);
        if (more && nf->rx.rsp_cons != prod) {
            /* A frame is not complete: sleep until there is more of it. */
            WRITE_ONCE(nf->rx.sring->rsp_event, prod + 1);
            xen_mb(); /* partner: netback's, before its look at the event */
            more = READ_ONCE(nf->rx.sring->rsp_prod) != prod;
        }
    }
}

/* ---- sending ---- */

/* Waits until `n` pages are free; upcalls may wake us. */
static int tx_room(struct netfront *nf, unsigned int n)
{
    uint64_t deadline = clock_deadline_ms(SEND_PATIENCE_MS);
    int more;

    for (;;) {
        if (!nf->connected)
            return -ENETDOWN;
        if (nf->tx_pool.n_free >= n)
            return 0;
        tx_reap(nf);
        if (!nf->connected || nf->tx_pool.n_free >= n)
            continue;
        RING_FINAL_CHECK_FOR_RESPONSES(&nf->tx, more);
        if (!more &&
            wait_event(&nf->tx_queue,
                       !nf->connected || RING_HAS_UNCONSUMED_RESPONSES(&nf->tx),
                       deadline))
            return -ENOBUFS;
    }
}

int netfront_send_begin(struct netfront *nf, size_t len)
{
    unsigned int n = (unsigned int)pages_for(len);
    int err;

    if (!len || len > nf->mtu + ETHERNET_HEADER || n > NETFRONT_PIECES_MAX ||
        (n > 1 && !nf->sg))
        return -EMSGSIZE;
    err = tx_room(nf, n);
    if (err)
        return err;
    for (unsigned int i = 0; i < n; i++)
        nf->send_pages[i] = nf->tx_pool.free[--nf->tx_pool.n_free];
    nf->send_len = len;
    nf->send_at = 0;
    return 0;
}

void netfront_send_append(struct netfront *nf, const void *data, size_t n)
{
    const char *from = data;

    while (n && nf->send_at < nf->send_len) {
        size_t at = nf->send_at % PAGE_SIZE, len = PAGE_SIZE - at;
        char *page =
            pool_page(&nf->tx_pool, nf->send_pages[nf->send_at / PAGE_SIZE]);

        if (len > n)
            len = n;
        memcpy(page + at, from, len);
        from += len;
        n -= len;
        nf->send_at += len;
    }
}

/*
 * Leaves the checksum to the backend: its field holds the sum of the pseudo
 * header, as the protocol wants it.
 */
static uint16_t tx_checksum_flags(struct netfront *nf)
{
    size_t linear = nf->send_len < PAGE_SIZE ? nf->send_len : PAGE_SIZE;
    struct inet_segment s;

    if (!inet_segment_find(pool_page(&nf->tx_pool, nf->send_pages[0]), linear,
                           nf->send_len, &s))
        return 0;
    memcpy(s.field, &s.pseudo, sizeof(s.pseudo));
    return NETTXF_csum_blank | NETTXF_data_validated;
}

void netfront_send_end(struct netfront *nf)
{
    uint16_t flags = tx_checksum_flags(nf);
    unsigned int n = (unsigned int)pages_for(nf->send_len);
    int notify;

    for (unsigned int i = 0; i < n; i++) {
        unsigned int page = nf->send_pages[i];
        size_t rest = nf->send_len - i * PAGE_SIZE;
        size_t own = rest < PAGE_SIZE ? rest : PAGE_SIZE;

        nf->tx_busy[page] = true;
        *RING_GET_REQUEST(&nf->tx, nf->tx.req_prod_pvt++) =
            (struct netif_tx_request){
                .gref = nf->tx_pool.refs[page],
                .id = (uint16_t)page,
                .size = (uint16_t)(i ? own : nf->send_len),
                .flags = (i ? 0 : flags) | (i + 1 < n ? NETTXF_more_data : 0),
            };
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nf->tx, notify);
    if (notify)
        event_notify(nf->port);
}

void netfront_event(evtchn_port_t port, void *arg)
{
    struct netfront *nf = arg;

    (void)port;
    if (!nf->connected)
        return;
    if (RING_HAS_UNCONSUMED_RESPONSES(&nf->tx))
        wait_queue_wake_all(&nf->tx_queue);
    if (RING_HAS_UNCONSUMED_RESPONSES(&nf->rx))
        nf->user.wake(nf->user.arg);
}
