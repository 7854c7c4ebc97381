/*
 * Between the files of the block frontend: blkfront.c moves requests over a
 * ring, blkfront_sync.c waits for them, blkfront_buffer.c has memory that need
 * not be copied, blkfront_xenbus.c makes and loses connections,
 * blkfront_names.c knows the names. The API is <ringside/blk.h>.
 */
#ifndef RINGSIDE_FRONTENDS_BLKFRONT_H
#define RINGSIDE_FRONTENDS_BLKFRONT_H

#include <ringside/blk.h>

#include <string.h>

#include "frontends/os.h"

#include <xen/io/blkif.h>

#define BLKFRONT_SLOTS            32 /* of a ring of one page */
#define BLKFRONT_POOL             128 /* pages: half a MiB of requests in flight */
#define BLKFRONT_SEGMENTS         BLKIF_MAX_SEGMENTS_PER_REQUEST
#define BLKFRONT_SECTORS_PER_PAGE (PAGE_SIZE / RS_BLK_SECTOR)

enum blkfront_phase {
    BLKFRONT_IDLE,      /* no ring; our state is Initialising */
    BLKFRONT_WAITING,   /* ring published, state Initialised */
    BLKFRONT_CONNECTED, /* requests run */
    BLKFRONT_BROKEN,    /* the backend broke the protocol: requests fail */
    BLKFRONT_CLOSING,   /* rs_blk_close() is under way */
    BLKFRONT_GONE,      /* the disk was taken away; everything fails */
};

/* Memory of rs_blk_buffer_alloc(): contiguous pages, granted all the time. */
struct blkfront_buffer {
    struct blkfront_buffer *next;
    char *base;
    size_t n_pages;
    grant_ref_t ref[];
};

/* A request on the ring and its pool pages. */
struct blkfront_slot {
    struct rs_blk_io *io;                 /* NULL: free */
    const struct blkfront_buffer *buffer; /* its data is here: no pages */
    unsigned int n_pages;
    uint16_t page[BLKFRONT_SEGMENTS];
};

/* A list of requests; pushes at the end, or at the front. */
struct blkfront_queue {
    struct rs_blk_io *first, *last;
};

struct rs_blk {
    struct rs_blk *next; /* all open disks */
    unsigned int devid, users;
    char path[XENBUS_PATH_MAX]; /* "device/vbd/51712" */
    char backend[XENBUS_PATH_MAX];
    domid_t backend_id;
    struct xenbus_watch watch; /* the backend's state */
    enum blkfront_phase phase;
    struct wait_queue changed; /* phase, or the backend's state */
    struct mutex lock;         /* one handshake step at a time */
    bool watched;

    uint64_t sectors;
    bool read_only, can_discard, can_flush;

    /* The connection. */
    blkif_front_ring_t ring; /* sring NULL: none */
    grant_ref_t ring_ref;
    evtchn_port_t port;
    struct poller poller;
    bool polled; /* the poller is registered */

    /* Touched by event handlers: with upcalls masked. */
    struct blkfront_slot slot[BLKFRONT_SLOTS];
    uint16_t free_slot[BLKFRONT_SLOTS], free_page[BLKFRONT_POOL];
    unsigned int n_free_slots, n_free_pages;
    struct blkfront_queue waiting; /* without a slot */
    struct blkfront_buffer *buffers;

    char *pool;                          /* BLKFRONT_POOL contiguous pages */
    grant_ref_t pool_ref[BLKFRONT_POOL]; /* granted at first use */
};

/* ---- blkfront.c ---- */

/* Empty slots, all pages free. */
void blkfront_reset_slots(struct rs_blk *b);

/* After the ring is gone: its requests go back to the queue, to the front. */
void blkfront_requeue(struct rs_blk *b);

/* Puts waiting requests on the ring as far as there is room. */
void blkfront_pump(struct rs_blk *b);

/* Ends all requests with err. */
void blkfront_fail_all(struct rs_blk *b, int err);

void blkfront_event(evtchn_port_t port, void *arg);
bool blkfront_poll(void *arg);
bool blkfront_arm(void *arg);

/* ---- blkfront_names.c ---- */

/* The virtual device that a name or number means. -EINVAL. */
int blkfront_devid(const char *name, unsigned int *devid);

/* ---- blkfront_buffer.c ---- */

/* The buffer that io can use without copying, or NULL. Any context. */
const struct blkfront_buffer *blkfront_buffer_of(const struct rs_blk *b,
                                                 const struct rs_blk_io *io);
void blkfront_free_buffers(struct rs_blk *b);

/* ---- blkfront_xenbus.c ---- */

/* The watch on the backend's state. */
void blkfront_backend_changed(struct xenbus_watch *w, const char *path);

#endif
