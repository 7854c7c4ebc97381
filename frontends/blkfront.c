/*
 * The block frontend's data path.
 *
 * A request takes a slot, and a pool page per 4 KiB; its data is copied to
 * (writes) or from (reads) those pages. Pages are granted at first use and stay
 * granted, also over reconnects; free ones form a stack, so that few of them
 * are in use and the backend's mappings stay warm.
 *
 * The ring and the slots are touched by threads and by event handlers: always
 * with upcalls masked. Responses are not trusted: an index that cannot be or an
 * id that is not in flight ends this connection, not the guest. Requests then
 * fail with -EIO until the backend has closed and connects anew.
 *
 * Pool pages are zeroed before they are granted, and later hold nothing but
 * what went to or came from the same backend: what lies after the end of a
 * short request is no news to it.
 */
#include "frontends/blkfront.h"

#include <errno.h>

#define SECTORS_PER_PAGE BLKFRONT_SECTORS_PER_PAGE
_Static_assert(RS_BLK_IO_SECTORS == BLKFRONT_SEGMENTS * SECTORS_PER_PAGE,
               "a request fills its slot");

/* ---- queue ---- */

static void queue_push(struct blkfront_queue *q, struct rs_blk_io *io)
{
    io->next_ = NULL;
    if (q->last)
        q->last->next_ = io;
    else
        q->first = io;
    q->last = io;
}

static struct rs_blk_io *queue_pop(struct blkfront_queue *q)
{
    struct rs_blk_io *io = q->first;

    if (io)
        q->first = io->next_;
    if (!q->first)
        q->last = NULL;
    return io;
}

/* ---- slots and pages ---- */

void blkfront_reset_slots(struct rs_blk *b)
{
    memset(b->slot, 0, sizeof(b->slot));
    b->n_free_slots = BLKFRONT_SLOTS;
    b->n_free_pages = BLKFRONT_POOL;
    for (unsigned int i = 0; i < BLKFRONT_SLOTS; i++)
        b->free_slot[i] = (uint16_t)(BLKFRONT_SLOTS - 1 - i);
    for (unsigned int i = 0; i < BLKFRONT_POOL; i++)
        b->free_page[i] = (uint16_t)(BLKFRONT_POOL - 1 - i);
}

static char *pool_page(struct rs_blk *b, unsigned int page)
{
    return b->pool + page * PAGE_SIZE;
}

static bool moves_data(const struct rs_blk_io *io)
{
    return io->op == RS_BLK_READ || io->op == RS_BLK_WRITE;
}

static unsigned int pages_of(const struct rs_blk_io *io)
{
    if (!moves_data(io))
        return 0;
    return (unsigned int)((io->sectors + SECTORS_PER_PAGE - 1) /
                          SECTORS_PER_PAGE);
}

/* Copies between the caller's buffer and the slot's pages, if it has any. */
static void copy_data(struct rs_blk *b, struct blkfront_slot *slot)
{
    size_t left = slot->io->sectors * RS_BLK_SECTOR;
    char *buf = slot->io->buf;

    for (unsigned int i = 0; i < slot->n_pages; i++) {
        size_t n = left < PAGE_SIZE ? left : PAGE_SIZE;
        char *page = pool_page(b, slot->page[i]);

        if (slot->io->op == RS_BLK_WRITE)
            memcpy(page, buf, n);
        else
            memcpy(buf, page, n);
        buf += n;
        left -= n;
    }
}

static void slot_release(struct rs_blk *b, unsigned int index)
{
    struct blkfront_slot *slot = &b->slot[index];

    while (slot->n_pages)
        b->free_page[b->n_free_pages++] = slot->page[--slot->n_pages];
    slot->io = NULL;
    invariant(index < BLKFRONT_SLOTS && b->n_free_slots < BLKFRONT_SLOTS);
    invariant(!slot->n_pages && b->n_free_pages <= BLKFRONT_POOL);
    b->free_slot[b->n_free_slots++] = (uint16_t)index;
}

/* Takes pages for io, granted; false if they cannot be had now. */
static bool take_pages(struct rs_blk *b, struct blkfront_slot *slot,
                       unsigned int n)
{
    if (n > b->n_free_pages)
        return false;
    for (slot->n_pages = 0; slot->n_pages < n; slot->n_pages++) {
        uint16_t page = b->free_page[b->n_free_pages - 1];

        if (b->pool_ref[page] == GRANT_REF_NONE &&
            grant_access(b->backend_id, pool_page(b, page), false,
                         &b->pool_ref[page])) {
            while (slot->n_pages)
                b->free_page[b->n_free_pages++] = slot->page[--slot->n_pages];
            return false;
        }
        b->n_free_pages--;
        slot->page[slot->n_pages] = page;
    }
    return true;
}

/* ---- requests ---- */

/* The reference of the n-th page of a request, and where data begins in it. */
static grant_ref_t ref_of(struct rs_blk *b, const struct blkfront_slot *slot,
                          unsigned int n)
{
    size_t offset;

    if (!slot->buffer)
        return b->pool_ref[slot->page[n]];
    offset = (size_t)((char *)slot->io->buf - slot->buffer->base);
    return slot->buffer->ref[offset / PAGE_SIZE + n];
}

static void fill_segments(struct rs_blk *b, struct blkif_request *req,
                          const struct blkfront_slot *slot)
{
    uint64_t left = moves_data(slot->io) ? slot->io->sectors : 0;
    unsigned int n = 0, first = 0;

    if (slot->buffer)
        first = (uintptr_t)slot->io->buf % PAGE_SIZE / RS_BLK_SECTOR;
    for (; left; n++) {
        uint64_t count = SECTORS_PER_PAGE - first;

        if (count > left)
            count = left;
        req->seg[n].gref = ref_of(b, slot, n);
        req->seg[n].first_sect = (uint8_t)first;
        req->seg[n].last_sect = (uint8_t)(first + count - 1);
        left -= count;
        first = 0;
    }
    req->nr_segments = (uint8_t)n;
}

static void fill_request(struct rs_blk *b, struct blkif_request *req,
                         unsigned int index)
{
    static const uint8_t operation[] = {
        [RS_BLK_READ] = BLKIF_OP_READ,
        [RS_BLK_WRITE] = BLKIF_OP_WRITE,
        [RS_BLK_FLUSH] = BLKIF_OP_FLUSH_DISKCACHE,
        [RS_BLK_DISCARD] = BLKIF_OP_DISCARD,
    };
    const struct rs_blk_io *io = b->slot[index].io;

    req->operation = operation[io->op];
    req->handle = (blkif_vdev_t)b->devid;
    req->id = index;
    req->sector_number = io->sector;
    if (io->op == RS_BLK_DISCARD) {
        struct blkif_request_discard *discard = (void *)req;

        discard->flag = 0;
        discard->nr_sectors = io->sectors;
    } else {
        fill_segments(b, req, &b->slot[index]);
    }
}

/* Puts io on the ring; false if there is no room. */
static bool issue(struct rs_blk *b, struct rs_blk_io *io)
{
    struct blkfront_slot *slot;
    unsigned int index;

    if (!b->n_free_slots)
        return false;
    index = b->free_slot[b->n_free_slots - 1];
    slot = &b->slot[index];
    slot->buffer = blkfront_buffer_of(b, io);
    if (!take_pages(b, slot, slot->buffer ? 0 : pages_of(io)))
        return false;
    b->n_free_slots--;
    slot->io = io;
    if (io->op == RS_BLK_WRITE)
        copy_data(b, slot);
    fill_request(b, RING_GET_REQUEST(&b->ring, b->ring.req_prod_pvt), index);
    b->ring.req_prod_pvt++;
    return true;
}

static void push(struct rs_blk *b)
{
    bool notify;

    /* Partner: the backend's check before it sleeps on req_event. */
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&b->ring, notify);
    if (notify)
        event_notify(b->port);
}

void blkfront_pump(struct rs_blk *b)
{
    bool any = false;

    if (b->phase != BLKFRONT_CONNECTED)
        return;
    while (b->waiting.first && issue(b, b->waiting.first)) {
        queue_pop(&b->waiting);
        any = true;
    }
    if (any)
        push(b);
}

static int check(const struct rs_blk *b, const struct rs_blk_io *io)
{
    if (b->phase == BLKFRONT_GONE || b->phase == BLKFRONT_CLOSING)
        return -ENODEV;
    if (b->phase == BLKFRONT_BROKEN)
        return -EIO;
    if (io->op == RS_BLK_FLUSH)
        return b->can_flush ? 0 : -EOPNOTSUPP;
    if (io->op != RS_BLK_READ && b->read_only)
        return -EROFS;
    if (io->op == RS_BLK_DISCARD && !b->can_discard)
        return -EOPNOTSUPP;
    if (!io->sectors || io->sector > b->sectors ||
        io->sectors > b->sectors - io->sector ||
        (moves_data(io) && io->sectors > RS_BLK_IO_SECTORS))
        return -EINVAL;
    return 0;
}

int rs_blk_submit(struct rs_blk *b, struct rs_blk_io *io)
{
    bool was = upcalls_mask();
    int err = check(b, io);

    if (!err) {
        queue_push(&b->waiting, io);
        blkfront_pump(b);
    }
    upcalls_restore(was);
    return err;
}

/* ---- responses ---- */

static int error_of(int16_t status)
{
    switch (status) {
    case BLKIF_RSP_OKAY:
        return 0;
    case BLKIF_RSP_EOPNOTSUPP:
        return -EOPNOTSUPP;
    default:
        return -EIO;
    }
}

/* false: the response belongs to nothing in flight. */
static bool complete(struct rs_blk *b, const struct blkif_response *rsp)
{
    struct blkfront_slot *slot;
    struct rs_blk_io *io;
    int err;

    if (rsp->id >= BLKFRONT_SLOTS || !b->slot[rsp->id].io)
        return false;
    slot = &b->slot[rsp->id];
    io = slot->io;
    err = error_of(rsp->status);
    if (!err && io->op == RS_BLK_READ)
        copy_data(b, slot);
    slot_release(b, (unsigned int)rsp->id);
    io->done(io, err);
    return true;
}

/* The watch's thread takes the connection apart. */
static void give_up(struct rs_blk *b, const char *why)
{
    console_report("blk %u: the backend broke the protocol: %s\n", b->devid,
                   why);
    b->phase = BLKFRONT_BROKEN;
    blkfront_fail_all(b, -EIO);
    wait_queue_wake_all(&b->changed);
    xenbus_watch_kick(&b->watch);
}

/* Takes what the backend answered; true if that was anything. */
static bool take_responses(struct rs_blk *b)
{
    struct blkif_response rsp;
    RING_IDX prod;

    if (b->phase != BLKFRONT_CONNECTED)
        return false;
    prod = READ_ONCE(b->ring.sring->rsp_prod);
    if (prod == b->ring.rsp_cons)
        return false;
    xen_rmb(); /* responses after the index; partner: the backend's push */
    if (prod - b->ring.rsp_cons > b->ring.req_prod_pvt - b->ring.rsp_cons) {
        give_up(b, "a response index that cannot be");
        return true;
    }
    while (b->ring.rsp_cons != prod) {
        RING_COPY_RESPONSE(&b->ring, b->ring.rsp_cons, &rsp);
        b->ring.rsp_cons++;
        if (!complete(b, &rsp)) {
            give_up(b, "an answer to a request that it does not have");
            return true;
        }
    }
    blkfront_pump(b);
    return true;
}

/* Called by the idle loop; upcalls are masked. */
bool blkfront_poll(void *arg)
{
    return take_responses(arg);
}

/* Asks for an event at the next response; true if one is there already. */
bool blkfront_arm(void *arg)
{
    struct rs_blk *b = arg;
    int more = 0;

    if (b->phase != BLKFRONT_CONNECTED)
        return false;
    /* Partner: RING_PUSH_RESPONSES_AND_CHECK_NOTIFY in the backend. */
    RING_FINAL_CHECK_FOR_RESPONSES(&b->ring, more);
    return more && take_responses(b);
}

void blkfront_event(evtchn_port_t port, void *arg)
{
    (void)port;
    do
        take_responses(arg);
    while (blkfront_arm(arg));
}

/* ---- when connections come and go ---- */

void blkfront_requeue(struct rs_blk *b)
{
    bool was = upcalls_mask();
    struct blkfront_queue again = { NULL, NULL };

    for (unsigned int i = 0; i < BLKFRONT_SLOTS; i++) {
        if (b->slot[i].io)
            queue_push(&again, b->slot[i].io);
    }
    if (again.first) {
        again.last->next_ = b->waiting.first;
        if (!b->waiting.last)
            b->waiting.last = again.last;
        b->waiting.first = again.first;
    }
    blkfront_reset_slots(b);
    upcalls_restore(was);
}

void blkfront_fail_all(struct rs_blk *b, int err)
{
    bool was = upcalls_mask();
    struct rs_blk_io *io;

    blkfront_requeue(b);
    while ((io = queue_pop(&b->waiting)) != NULL)
        io->done(io, err);
    upcalls_restore(was);
}
