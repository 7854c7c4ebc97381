/*
 * Between disk_file.c and the carriers of its I/O (disk_uring.c,
 * disk_threads.c): steps of one request, the carriers' shape, and the queue of
 * each disk before them (disk_queue.c).
 */
#ifndef RINGSIDE_BACKENDS_DISK_IO_H
#define RINGSIDE_BACKENDS_DISK_IO_H

#include "disk.h"
#include "list.h"

struct disk_async {
    /* Starts io on io->fd; disk_queue_done() follows later, from the loop. */
    void (*submit)(struct disk_async *a, struct disk_io *io);
    /* What was submitted shall start now. */
    void (*kick)(struct disk_async *a);
    void (*free)(struct disk_async *a);

    unsigned int parallel; /* requests that one disk alone may have started */
    struct list busy;      /* disk_queue.c: queues with work, or lately */
    unsigned int n_busy;
};

/*
 * A disk's requests on their way to the carrier that all disks share. A carrier
 * works in the order of arrival, so the part that a disk gets of it is what
 * it has started of all that is started. Each may therefore have only so much
 * started at a time: much if it is alone, the same as each other if it is not.
 * The rest waits here.
 */
struct disk_queue {
    struct disk_async *async;
    struct list link; /* async->busy */
    struct disk_io *head, **tail;
    uint64_t started; /* cost of what is started, in bytes */
    unsigned int n_started;
    uint64_t last_ns; /* when something ended last */
};

void disk_queue_init(struct disk_queue *q, struct disk_async *a);
void disk_queue_fini(struct disk_queue *q); /* it is empty */
void disk_queue_add(struct disk_queue *q, struct disk_io *io);
/* Starts what may start now, of all queues. */
void disk_queue_kick(struct disk_async *a);
/* For carriers: io has ended. They call disk_queue_kick() after some. */
void disk_queue_done(struct disk_io *io, int err);

/* -ENOSYS, -EPERM: this machine offers no io_uring. */
int disk_uring_new(struct event_base *base, struct disk_async **out);
int disk_threads_new(struct event_base *base, struct disk_async **out);

/*
 * Does io to its end, or as far as it goes without blocking: `flags` is 0 or
 * RWF_NOWAIT. Returns 0 (done) or -errno; after -EAGAIN io describes the
 * rest. See disk_io_zero_rest() for reads past the end of the file.
 */
int disk_io_run(struct disk_io *io, int flags);

/*
 * As much of io as may keep the loop for some ten microseconds, with `flags`:
 * 0 (done), -EINPROGRESS (the rest is described by io), or -errno.
 */
int disk_io_slice(struct disk_io *io, int flags);

/* What disk_io_slice() does of a read or write at a time. */
#define DISK_SLICE 131072u

/* n more bytes of a read or write are done; true if those were the last. */
bool disk_io_advance(struct disk_io *io, size_t n);

/*
 * The file ended within a read: the rest of the last sector is zeros (0), but
 * what the file once had is missing (DISK_TRUNCATED).
 */
int disk_io_zero_rest(struct disk_io *io);

/* After a flush: is all that it speaks of there? 0, or DISK_TRUNCATED. */
int disk_io_check_end(const struct disk_io *io);

/* How many pieces one system call takes. */
unsigned int disk_io_iovcnt(const struct disk_io *io);

#endif
