/*
 * Between disk_file.c and the carriers of its I/O (disk_uring.c,
 * disk_threads.c): steps of one request, and the carriers' shape.
 */
#ifndef RINGSIDE_BACKENDS_DISK_IO_H
#define RINGSIDE_BACKENDS_DISK_IO_H

#include "disk.h"

struct disk_async {
    /* Starts io on io->fd; its done() is called later, from the loop. */
    void (*submit)(struct disk_async *a, struct disk_io *io);
    /* What was submitted shall start now. */
    void (*kick)(struct disk_async *a);
    void (*free)(struct disk_async *a);
};

/* -ENOSYS, -EPERM: this machine offers no io_uring. */
int disk_uring_new(struct event_base *base, struct disk_async **out);
int disk_threads_new(struct event_base *base, struct disk_async **out);

/*
 * Does io to its end, or as far as it goes without blocking: `flags` is 0 or
 * RWF_NOWAIT. Returns 0 (done) or -errno; after -EAGAIN io describes the
 * rest. Reads past the end of the file give zeros.
 */
int disk_io_run(struct disk_io *io, int flags);

/* n more bytes of a read or write are done; true if those were the last. */
bool disk_io_advance(struct disk_io *io, size_t n);

/* The file ended: the rest of a read is zeros. */
void disk_io_zero_rest(struct disk_io *io);

/* How many pieces one system call takes. */
unsigned int disk_io_iovcnt(const struct disk_io *io);

#endif
