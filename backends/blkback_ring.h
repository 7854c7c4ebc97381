/*
 * One connected block ring, between blkback_ring.c (serving it) and
 * blkback_connect.c (making and ending it). Nobody else looks inside.
 */
#ifndef RINGSIDE_BACKENDS_BLKBACK_RING_H
#define RINGSIDE_BACKENDS_BLKBACK_RING_H

#include "blk_request.h"
#include "blkback.h"
#include "grant_pool.h"
#include "ringside/client.h"
#include "ring_poll.h"

/*
 * Pages that a ring's requests may hold at a time, unless the pool's share is
 * less. Enough to keep any disk busy; the requests beyond stay on the ring.
 */
#define BLK_PAGES_MAX 1024

#define MAX_RING_PAGES (1 << BLKBACK_MAX_RING_ORDER)

enum barrier_step { STEP_NONE, STEP_FLUSH_BEFORE, STEP_WRITE, STEP_FLUSH };

/* A request in flight. */
struct blk_job {
    struct disk_io io;
    struct blk_ring *ring;
    struct list link; /* free list, or ring->ending */
    struct blk_request req;
    enum barrier_step step;
    int err;              /* its result, while it is ending */
    unsigned int n_pages; /* grants held in page[] */
    unsigned int room;    /* entries of the arrays below */
    struct blk_segment *seg;
    struct grant_page **page;
    struct iovec *iov;
    grant_ref_t *ref;
};

struct blk_ring {
    struct xenbus_device *dev;
    struct disk *disk;
    struct blk_limits limits;
    struct grant_pool *grants;

    blkif_back_ring_t back; /* sring is the first page */
    struct rs_client_mapping maps[MAX_RING_PAGES];
    unsigned int n_pages;

    evtchn_port_t port;
    bool bound;
    struct ring_poll poll;

    struct blk_job *jobs; /* one per slot */
    struct list free_jobs;
    struct blk_job *mapping; /* the request at req_cons: its pages, in slices */
    struct list ending;    /* done; their pages go, in slices; then answered */
    unsigned int running;  /* jobs that the disk works on */
    unsigned int pages;    /* that jobs hold */
    unsigned int unpushed; /* responses written but not yet visible */
    struct blk_job *barrier; /* waits for the others, or runs alone */
    bool waiting;            /* the next request waits until a job ends */
    bool in_service, closing;
    bool broken; /* by the frontend: nothing more is taken from the ring */
};

/* For struct ring_poll. */
unsigned int blk_ring_service_(struct ring_poll *p, unsigned int budget);
bool blk_ring_arm_(struct ring_poll *p);

/* For struct disk_io. */
void blk_job_done_(struct disk_io *io, int err);
void blk_job_free_arrays_(struct blk_job *job);

/* Answers what is done, and forgets the request whose pages are not mapped. */
void blk_ring_settle_(struct blk_ring *r);

/* Unmaps everything and frees the ring; nothing runs. */
void blk_ring_free_(struct blk_ring *r);

#endif
