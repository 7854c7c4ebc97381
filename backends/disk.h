/*
 * Where the bytes of a virtual disk rest.
 *
 * A disk takes requests and completes each exactly once through io->done(), on
 * the loop thread, perhaps before submit returns. Requests may complete in
 * any order; whoever needs order waits. Memory named by io->iov must stay valid
 * until then. Offsets and lengths have been checked against the disk's size
 * by the caller (blk_request.c).
 */
#ifndef RINGSIDE_BACKENDS_DISK_H
#define RINGSIDE_BACKENDS_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "image_lock.h"

struct disk;
struct disk_queue;
struct driver;

enum disk_op {
    DISK_READ,
    DISK_WRITE,
    DISK_FLUSH,   /* what was completed before is durable after */
    DISK_DISCARD, /* the range may read as zeros from now on */
};

struct disk_io {
    enum disk_op op;
    uint64_t offset, length; /* bytes */
    struct iovec *iov;       /* read, write: n_iov pieces, length bytes */
    unsigned int n_iov;      /* may exceed IOV_MAX */
    void (*done)(struct disk_io *io, int err); /* 0 or -errno */

    /* The disk's own; so are the fields above while the request runs. */
    struct disk_io *next;
    struct disk_queue *queue;
    uint64_t cost;
    uint64_t file_end; /* bytes that the file had when it was opened */
    int fd, result;
};

/* What done() is told if the file was made shorter since: what was there can
 * neither be read nor be made durable. */
#define DISK_TRUNCATED (-ENODATA)

struct disk_ops {
    void (*submit)(struct disk *disk, struct disk_io *io);
    /* All that was submitted since the last kick may start now. */
    void (*kick)(struct disk *disk);
    /*
     * A large request that is done in the loop is done in slices, so that the
     * loop gets to others between them: goes on with such requests until
     * about `budget` pages are copied or none is left. NULL: there never are.
     */
    void (*work)(struct disk *disk, unsigned int budget);
    /* No request is running, nor comes: the loop has no more to do with it. */
    void (*leave)(struct disk *disk);
    /* After that, in any thread: closing a file may take as long as I/O. */
    void (*close)(struct disk *disk);
};

/* What a disk did for its guest since it was opened (blkback_ring.c). */
struct disk_stats {
    uint64_t reads, read_bytes, writes, write_bytes, flushes, discards;
    uint64_t errors; /* requests that failed, whatever they wanted */
};

struct disk {
    const struct disk_ops *ops;
    uint64_t sectors; /* of 512 bytes; a partial last one counts */
    uint32_t sector_size, physical_sector_size;
    uint32_t discard_granularity; /* bytes; if can_discard */
    bool read_only, can_discard, is_cdrom;
    struct disk_stats stats;
    /* Pages that were copied in the loop; the caller of submit and work sets
     * it to 0 and looks at it. */
    unsigned int loop_pages;
};

/*
 * How a file's I/O is done. AUTO: at once where it cannot block (tmpfs, or
 * the page cache has it), else through io_uring, else in threads. The others
 * force one way, for tests and for machines without io_uring.
 */
enum disk_io_mode {
    DISK_IO_AUTO,
    DISK_IO_INLINE, /* everything in the loop: only right for tmpfs */
    DISK_IO_URING,
    DISK_IO_THREADS,
};

/* "auto", "inline", "uring", "threads"; -EINVAL. */
int disk_io_mode_parse(const char *name);

struct disk_async;
struct event_base;

/*
 * What carries I/O that would block, one for all disks of the process: an
 * io_uring or a pool of threads. NULL for DISK_IO_INLINE. DISK_IO_AUTO takes
 * threads where io_uring is refused. -errno.
 */
int disk_async_new(struct event_base *base, enum disk_io_mode mode,
                   struct disk_async **out);
void disk_async_free(struct disk_async *a); /* nothing is running */

/*
 * Opens a raw file or block device, and marks it as used in this way
 * (image_lock.h): whether it may be is for the toolstack to find out. Its size
 * is fixed at this moment. A file
 * whose size is no multiple of 512 gets a last sector whose rest reads as
 * zeros; a write to that sector extends the file to the whole sector. With
 * DISK_IO_URING or _THREADS everything goes through `async`. -errno; -EROFS: a
 * block device that does not take writes. In any thread.
 */
int disk_file_open(const char *path, enum image_use use, enum disk_io_mode mode,
                   struct disk_async *async, struct disk **out);

#endif
