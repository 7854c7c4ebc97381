/*
 * Between the files of the block backend: blkback.c speaks with the store,
 * blkback_connect.c maps rings, blkback_ring.c serves them.
 */
#ifndef RINGSIDE_BACKENDS_BLKBACK_H
#define RINGSIDE_BACKENDS_BLKBACK_H

#include "disk.h"
#include "xenbus_backend.h"

#define BLKBACK_MAX_RING_ORDER 4

extern const struct backend_ops blkback_ops;

/* What the frontend told about its ring. */
struct blk_ring_config {
    grant_ref_t refs[1 << BLKBACK_MAX_RING_ORDER];
    unsigned int n_refs; /* a power of two */
    evtchn_port_t port;  /* the frontend's */
    bool persistent;     /* it keeps its grants */
};

struct blk_ring;

/*
 * Maps the ring, binds the event channel, starts serving requests to `disk`
 * (offering max_indirect segments). -errno, with everything undone.
 */
int blk_ring_connect(struct xenbus_device *dev, struct disk *disk,
                     unsigned int max_indirect,
                     const struct blk_ring_config *config,
                     struct blk_ring **out);

/*
 * Stops serving and unmaps everything; frees the ring. -EINPROGRESS: requests
 * are still running in the disk; then xenbus_backend_disconnected() is called
 * when the last has ended.
 */
int blk_ring_disconnect(struct blk_ring *ring);

#endif
