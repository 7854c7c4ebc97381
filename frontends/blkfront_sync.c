/*
 * Block I/O for threads: requests that are waited for, several at a time when
 * the transfer is large.
 */
#include "frontends/blkfront.h"

/* As many requests at once as a sequential transfer makes use of. */
#define TRANSFER_DEPTH 8

/* Somebody who waits for requests of its own. */
struct waiter {
    struct wait_queue queue;
    struct rs_blk_io io[TRANSFER_DEPTH], *idle;
    unsigned int running;
    int err; /* the first */
};

static void waiter_done(struct rs_blk_io *io, int err)
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

static void waiter_start(struct waiter *w, struct rs_blk *b, enum rs_blk_op op,
                         uint64_t sector, void *buf, uint64_t sectors)
{
    bool was = upcalls_mask();
    struct rs_blk_io *io = w->idle;
    int err;

    w->idle = io->next_;
    w->running++;
    io->op = op;
    io->sector = sector;
    io->sectors = sectors;
    io->buf = buf;
    err = rs_blk_submit(b, io);
    if (err)
        waiter_done(io, err);
    upcalls_restore(was);
}

static int waiter_finish(struct waiter *w)
{
    wait_event(&w->queue, w->running == 0, NEVER);
    return w->err;
}

static int transfer(struct rs_blk *b, enum rs_blk_op op, uint64_t sector,
                    char *buf, size_t sectors)
{
    struct waiter w;

    waiter_init(&w);
    while (sectors && !w.err) {
        size_t n = sectors < RS_BLK_IO_SECTORS ? sectors : RS_BLK_IO_SECTORS;

        wait_event(&w.queue, w.idle != NULL, NEVER);
        waiter_start(&w, b, op, sector, buf, n);
        sector += n;
        buf += n * RS_BLK_SECTOR;
        sectors -= n;
    }
    return waiter_finish(&w);
}

int rs_blk_read(struct rs_blk *b, uint64_t sector, void *buf, size_t sectors)
{
    IN_KERNEL();
    return transfer(b, RS_BLK_READ, sector, buf, sectors);
}

int rs_blk_write(struct rs_blk *b, uint64_t sector, const void *buf,
                 size_t sectors)
{
    IN_KERNEL();
    return transfer(b, RS_BLK_WRITE, sector, (char *)(uintptr_t)buf, sectors);
}

int rs_blk_flush(struct rs_blk *b)
{
    IN_KERNEL();
    struct waiter w;

    if (!b->can_flush)
        return 0; /* then nothing is volatile */
    waiter_init(&w);
    waiter_start(&w, b, RS_BLK_FLUSH, 0, NULL, 0);
    return waiter_finish(&w);
}

int rs_blk_discard(struct rs_blk *b, uint64_t sector, uint64_t sectors)
{
    IN_KERNEL();
    struct waiter w;

    waiter_init(&w);
    waiter_start(&w, b, RS_BLK_DISCARD, sector, NULL, sectors);
    return waiter_finish(&w);
}

uint64_t rs_blk_sectors(const struct rs_blk *b)
{
    return b->sectors;
}

bool rs_blk_read_only(const struct rs_blk *b)
{
    return b->read_only;
}

bool rs_blk_can_discard(const struct rs_blk *b)
{
    return b->can_discard;
}
