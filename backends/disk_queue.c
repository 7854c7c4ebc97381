/* A disk's part of the carrier of its I/O; see disk_io.h. */
#include "disk_io.h"
#include "driver.h"

/* What may be started of a disk: alone, and beside others. */
#define WINDOW_ALONE  (4u << 20)
#define WINDOW_SHARED (512u << 10)

/* A disk whose last request ended so long ago is no competitor. */
#define RECENT_NS 10000000

/* Beside its bytes: what any request costs, and what takes as long as much. */
#define COST_REQUEST 4096
#define COST_FLUSH   (256u << 10)

void disk_queue_init(struct disk_queue *q, struct disk_async *a)
{
    q->async = a;
    list_init(&q->link);
    q->head = NULL;
    q->tail = &q->head;
    q->started = 0;
    q->n_started = 0;
    q->last_ns = 0;
}

static void leave(struct disk_queue *q)
{
    list_del(&q->link);
    q->async->n_busy--;
}

void disk_queue_fini(struct disk_queue *q)
{
    if (!list_empty(&q->link))
        leave(q);
}

static uint64_t cost_of(const struct disk_io *io)
{
    if (io->op == DISK_FLUSH || io->op == DISK_DISCARD)
        return COST_FLUSH;
    return COST_REQUEST + io->length;
}

void disk_queue_add(struct disk_queue *q, struct disk_io *io)
{
    io->queue = q;
    io->cost = cost_of(io);
    io->next = NULL;
    *q->tail = io;
    q->tail = &io->next;
    if (!list_empty(&q->link))
        return;
    list_add_tail(&q->async->busy, &q->link);
    q->async->n_busy++;
}

/* Something may always be started of a disk, however large. */
static bool may_start(const struct disk_queue *q)
{
    const struct disk_async *a = q->async;
    uint64_t window = WINDOW_ALONE;
    unsigned int n = a->parallel;

    if (!q->head || !q->n_started)
        return q->head;
    if (a->n_busy > 1) {
        window /= a->n_busy;
        window = window < WINDOW_SHARED ? window : WINDOW_SHARED;
        n /= a->n_busy;
    }
    return q->started + q->head->cost <= window && q->n_started < n;
}

static void start_one(struct disk_queue *q)
{
    struct disk_io *io = q->head;

    q->head = io->next;
    if (!q->head)
        q->tail = &q->head;
    q->started += io->cost;
    q->n_started++;
    q->async->submit(q->async, io);
}

/* Who has had nothing to do for a while leaves the others more. */
static void forget_idle(struct disk_async *a)
{
    uint64_t now = driver_now();
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &a->busy)
    {
        struct disk_queue *q = container_of(pos, struct disk_queue, link);

        if (!q->head && !q->n_started && now - q->last_ns > RECENT_NS)
            leave(q);
    }
}

/* One of each in turn: the carrier takes them in this order. */
void disk_queue_kick(struct disk_async *a)
{
    struct list *pos;
    bool more = true;

    if (list_empty(&a->busy))
        return;
    forget_idle(a);
    while (more) {
        more = false;
        list_for_each(pos, &a->busy) {
            struct disk_queue *q = container_of(pos, struct disk_queue, link);

            if (may_start(q)) {
                start_one(q);
                more = true;
            }
        }
    }
    a->kick(a);
}

void disk_queue_done(struct disk_io *io, int err)
{
    struct disk_queue *q = io->queue;

    q->started -= io->cost;
    q->n_started--;
    q->last_ns = driver_now();
    io->done(io, err);
}
