/*
 * Block devices of a guest: <ringside/blk.h>.
 *
 * A disk is opened by the name that the toolstack gave it ("xvda"). Sectors
 * have 512 bytes. Buffers are any memory of the guest; data is copied to and
 * from a pool of pages that the backend keeps mapped, unless the buffer is
 * one of rs_blk_buffer_alloc().
 *
 * When the backend dies, requests wait; when it is back, those without an
 * answer are issued again. So a request may be done twice, never not at all,
 * and what was flushed before stays. Functions return 0 or -errno: -ENODEV (no
 * such disk, or it was taken away), -EINVAL (outside the disk), -EROFS,
 * -EIO (the backend failed), -EOPNOTSUPP (it cannot do that).
 */
#ifndef RINGSIDE_BLK_H
#define RINGSIDE_BLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_BLK_SECTOR 512

struct rs_blk;

/*
 * Opens a disk: "xvda".."xvdz", a partition of it ("xvda1"), or the number of
 * its virtual device ("51712"). Waits for its backend, 10 seconds at most
 * (-ETIMEDOUT). A disk that is open already is shared: each open needs its
 * close.
 */
int rs_blk_open(const char *name, struct rs_blk **out);
void rs_blk_close(struct rs_blk *b);

/* The numbers of this guest's disks, ascending; returns how many there are. */
int rs_blk_list(unsigned int *devids, unsigned int max);

uint64_t rs_blk_sectors(const struct rs_blk *b);
bool rs_blk_read_only(const struct rs_blk *b);
bool rs_blk_can_discard(const struct rs_blk *b);

/* ---- for threads: return when it is done ---- */

int rs_blk_read(struct rs_blk *b, uint64_t sector, void *buf, size_t sectors);
int rs_blk_write(struct rs_blk *b, uint64_t sector, const void *buf,
                 size_t sectors);
/* All writes that were done before are durable. */
int rs_blk_flush(struct rs_blk *b);
/* The content of these sectors is not needed any more. */
int rs_blk_discard(struct rs_blk *b, uint64_t sector, uint64_t sectors);

/* ---- asynchronous ---- */

enum rs_blk_op { RS_BLK_READ, RS_BLK_WRITE, RS_BLK_FLUSH, RS_BLK_DISCARD };

/* The most that one read or write request moves. */
#define RS_BLK_IO_SECTORS 88

struct rs_blk_io {
    enum rs_blk_op op;
    uint64_t sector, sectors;
    void *buf; /* reads, writes: valid until done; writes may be copied again */
    /*
     * The end of the request. Called with upcalls masked, perhaps from an
     * event handler: may submit requests and wake threads, may not block.
     */
    void (*done)(struct rs_blk_io *io, int err);
    void *arg; /* the caller's */

    struct rs_blk_io *next_; /* blkfront's */
};

/*
 * Starts a request, or queues it if the ring is full; never blocks. Any
 * context. Requests are not ordered among each other. -errno: it was not
 * taken, done() is not called.
 */
int rs_blk_submit(struct rs_blk *b, struct rs_blk_io *io);

/* ---- buffers that need no copying ---- */

/*
 * Memory for the I/O of this disk, zeroed, page aligned, at least so many
 * bytes. The backend may look at it and change it at any time. Requests whose
 * buf lies in it, at a multiple of 512 bytes from its start, go to and from it
 * directly. NULL: no memory.
 */
void *rs_blk_buffer_alloc(struct rs_blk *b, size_t bytes);

/*
 * No request uses it. Pages that the backend still has mapped become free
 * memory when it lets them go. rs_blk_close() frees those that are left.
 */
void rs_blk_buffer_free(struct rs_blk *b, void *buf);

#ifdef __cplusplus
}
#endif

#endif
