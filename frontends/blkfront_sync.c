/*
 * Block I/O for threads: requests that are waited for, several at a time when
 * the transfer is large.
 */
#include "frontends/blkfront.h"

#include "guest-kernel/upcall.h"

/* As many requests at once as a sequential transfer makes use of. */
#define TRANSFER_DEPTH 8

/* Somebody who waits for requests of its own. */
struct waiter {
    struct wait_queue queue;
    struct blk_io io[TRANSFER_DEPTH], *idle;
    unsigned int running;
    int err; /* the first */
};

static void waiter_done(struct blk_io *io, int err)
{
    struct waiter *w = io->arg;

    if (err && !w->err)
        w->err = err;
    io->next_ = w->idle;
    w->idle = io;
    w->running--;
    wait_queue_wake(&w->queue);
}

static void waiter_init(struct waiter *w)
{
    wait_queue_init(&w->queue);
    w->idle = NULL;
    w->running = TRANSFER_DEPTH;
    w->err = 0;
    for (unsigned int i = 0; i < TRANSFER_DEPTH; i++) {
        w->io[i].done = waiter_done;
        w->io[i].arg = w;
        waiter_done(&w->io[i], 0);
    }
}

static void waiter_start(struct waiter *w, struct blk *b, enum blk_op op,
                         uint64_t sector, void *buf, uint64_t sectors)
{
    bool was = upcalls_mask();
    struct blk_io *io = w->idle;
    int err;

    w->idle = io->next_;
    w->running++;
    io->op = op;
    io->sector = sector;
    io->sectors = sectors;
    io->buf = buf;
    err = blk_submit(b, io);
    if (err)
        waiter_done(io, err);
    upcalls_restore(was);
}

static int waiter_finish(struct waiter *w)
{
    wait_event(&w->queue, w->running == 0, NEVER);
    return w->err;
}

static int transfer(struct blk *b, enum blk_op op, uint64_t sector, char *buf,
                    size_t sectors)
{
    struct waiter w;

    waiter_init(&w);
    while (sectors && !w.err) {
        size_t n = sectors < BLK_IO_SECTORS ? sectors : BLK_IO_SECTORS;

        wait_event(&w.queue, w.idle != NULL, NEVER);
        waiter_start(&w, b, op, sector, buf, n);
        sector += n;
        buf += n * BLK_SECTOR;
        sectors -= n;
    }
    return waiter_finish(&w);
}

int blk_read(struct blk *b, uint64_t sector, void *buf, size_t sectors)
{
    IN_KERNEL();
    return transfer(b, BLK_READ, sector, buf, sectors);
}

int blk_write(struct blk *b, uint64_t sector, const void *buf, size_t sectors)
{
    IN_KERNEL();
    return transfer(b, BLK_WRITE, sector, (char *)(uintptr_t)buf, sectors);
}

int blk_flush(struct blk *b)
{
    IN_KERNEL();
    struct waiter w;

    if (!b->can_flush)
        return 0; /* then nothing is volatile */
    waiter_init(&w);
    waiter_start(&w, b, BLK_FLUSH, 0, NULL, 0);
    return waiter_finish(&w);
}

int blk_discard(struct blk *b, uint64_t sector, uint64_t sectors)
{
    IN_KERNEL();
    struct waiter w;

    waiter_init(&w);
    waiter_start(&w, b, BLK_DISCARD, sector, NULL, sectors);
    return waiter_finish(&w);
}

uint64_t blk_sectors(const struct blk *b)
{
    return b->sectors;
}

bool blk_read_only(const struct blk *b)
{
    return b->read_only;
}

bool blk_can_discard(const struct blk *b)
{
    return b->can_discard;
}
