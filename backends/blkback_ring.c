/*
 * Serving one block ring.
 *
 * A request is copied from the ring once, checked (blk_request.c), its pages
 * are looked up or mapped (grant_pool.c), and the disk reads into or
 * writes from them. Responses are pushed in batches. The frontend is asked for
 * an event only before the ring goes to sleep (ring_poll.c), and gets one only
 * if it asked.
 *
 * One guest's disk must not keep the others from theirs. A ring's requests hold
 * a bounded number of pages, so of grant handles and of bytes in the disk; the
 * next request is looked at but stays on the ring, where the frontend sees that
 * it is not taken. A turn ends when its budget is used (ring_poll.h), also
 * in the middle of a large request: when it is done in the loop (disk.h, work),
 * while its pages are mapped, and while they are unmapped. Until all are mapped
 * a request stays on the ring; it is answered when all are unmapped.
 *
 * A write barrier waits until everything before it is done, while nothing
 * behind it is taken from the ring; then flush, write, flush.
 *
 * The pages of a ring need not be contiguous, so a slot may lie in two pieces:
 * slots are copied through ring_copy(), only the indices are used in place.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "blkback_ring.h"
#include "ring_check.h"

#define PUSH_BATCH 8 /* responses that may wait for the end of a turn */

/* A unit of work: to map a page; to unmap one; to find so many again. */
#define PAGES_PER_UNIT 16
/* Pages that are mapped or unmapped between two looks at the budget. */
#define SLICE_PAGES 64

/* ---- the shared ring ---- */

/* Copies one slot from (or to, if `write`) the ring. */
static void ring_copy(struct blk_ring *r, RING_IDX idx, void *buf, size_t len,
                      bool write)
{
    size_t at = offsetof(struct blkif_sring, ring) +
                (idx & (r->back.nr_ents - 1)) * sizeof(union blkif_sring_entry);

    while (len) {
        size_t in_page = at % PAGE_SIZE;
        size_t n = len < PAGE_SIZE - in_page ? len : PAGE_SIZE - in_page;
        char *shared = (char *)r->maps[at / PAGE_SIZE].addr + in_page;

        memcpy(write ? shared : buf, write ? buf : shared, n);
        buf = (char *)buf + n;
        at += n;
        len -= n;
    }
    barrier(); /* the compiler must not read the slot again later */
}

static void push_responses(struct blk_ring *r)
{
    bool notify;

    if (!r->unpushed)
        return;
    r->unpushed = 0;
    /* Partner: the frontend's check before it sleeps on rsp_event. */
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&r->back, notify);
    if (notify)
        rs_client_notify(r->dev->driver->client, r->port);
}

static void respond(struct blk_ring *r, const struct blk_request *req, int err)
{
    struct blkif_response rsp;

    memset(&rsp, 0, sizeof(rsp)); /* padding must not leak our memory */
    rsp.id = req->id;
    rsp.operation = req->operation;
    rsp.status = err == 0             ? BLKIF_RSP_OKAY
                 : err == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP
                                      : BLKIF_RSP_ERROR;
    ring_copy(r, r->back.rsp_prod_pvt++, &rsp, sizeof(rsp), true);
    if (++r->unpushed >= PUSH_BATCH || !r->in_service)
        push_responses(r);
}

/* ---- jobs ---- */

void blk_job_free_arrays_(struct blk_job *job)
{
    free(job->seg);
    free(job->page);
    free(job->iov);
    free(job->ref);
    job->seg = NULL;
    job->page = NULL;
    job->iov = NULL;
    job->ref = NULL;
    job->room = 0;
}

/* Room for n segments; kept for later requests in the same slot. */
static int job_reserve(struct blk_job *job, unsigned int n)
{
    if (n <= job->room)
        return 0;
    if (n < BLKIF_MAX_SEGMENTS_PER_REQUEST)
        n = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    blk_job_free_arrays_(job);
    job->seg = calloc(n, sizeof(*job->seg));
    job->page = calloc(n, sizeof(*job->page));
    job->iov = calloc(n, sizeof(*job->iov));
    job->ref = calloc(n, sizeof(*job->ref));
    if (!job->seg || !job->page || !job->iov || !job->ref) {
        blk_job_free_arrays_(job);
        return -ENOMEM;
    }
    job->room = n;
    return 0;
}

/* Reads the segments from the request's indirect pages. */
static int gather_indirect(struct blk_ring *r, struct blk_job *job)
{
    struct grant_page *page[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
    struct blkif_request_segment segs[BLK_SEGS_PER_INDIRECT];
    struct blk_request *req = &job->req;
    unsigned int done = 0;
    int err;

    err = grant_pool_get(r->grants, req->indirect, req->n_indirect, true, page);
    if (err)
        return err;
    for (unsigned int i = 0; !err && i < req->n_indirect; i++) {
        unsigned int n = req->n_segments - done;

        if (n > BLK_SEGS_PER_INDIRECT)
            n = BLK_SEGS_PER_INDIRECT;
        memcpy(segs, page[i]->addr, n * sizeof(segs[0]));
        barrier(); /* what is checked below is the copy */
        err = blk_request_add_segments(req, segs, n, job->seg + done);
        done += n;
    }
    grant_pool_put(r->grants, page, req->n_indirect);
    return err;
}

static unsigned int slice_of(unsigned int pages)
{
    return pages < SLICE_PAGES ? pages : SLICE_PAGES;
}

/*
 * Maps the pages of the segments, a slice at least, and more while there are
 * units left. -EINPROGRESS: it has to go on.
 */
static int job_map(struct blk_job *job, int *left)
{
    struct blk_ring *r = job->ring;

    while (job->n_pages < job->req.n_segments) {
        unsigned int some = slice_of(job->req.n_segments - job->n_pages);
        uint64_t before = grant_pool_total(r->grants);
        int err = grant_pool_get(r->grants, job->ref + job->n_pages, some,
                                 job->req.action != BLK_READ,
                                 job->page + job->n_pages);

        if (err)
            return err;
        job->n_pages += some;
        r->pages += some;
        *left -= (int)(some / PAGES_PER_UNIT +
                       (grant_pool_total(r->grants) - before));
        if (*left <= 0 && job->n_pages < job->req.n_segments)
            return -EINPROGRESS;
    }
    return 0;
}

/* Joins neighbouring pages to few pieces. */
static void build_iov(struct blk_job *job)
{
    unsigned int n = job->req.n_segments, k = 0;

    for (unsigned int i = 0; i < n; i++) {
        char *at = (char *)job->page[i]->addr + job->seg[i].offset;
        struct iovec *last = k ? &job->iov[k - 1] : NULL;

        if (last && (char *)last->iov_base + last->iov_len == at)
            last->iov_len += job->seg[i].length;
        else
            job->iov[k++] = (struct iovec){ at, job->seg[i].length };
    }
    job->io.iov = job->iov;
    job->io.n_iov = k;
}

/* From a slot's copy, parsed, to what lacks only its pages. */
static int job_prepare(struct blk_ring *r, struct blk_job *job,
                       const struct blkif_request *slot)
{
    struct blk_request *req = &job->req;
    int err = 0;

    if (req->n_segments)
        err = job_reserve(job, req->n_segments);
    if (!err && req->n_indirect)
        err = gather_indirect(r, job);
    else if (!err && req->n_segments)
        err =
            blk_request_add_segments(req, slot->seg, req->n_segments, job->seg);
    if (!err)
        err = blk_request_check_range(req, &r->limits);
    for (unsigned int i = 0; !err && i < req->n_segments; i++)
        job->ref[i] = job->seg[i].gref;
    job->io.offset = req->sector << BLK_SECTOR_SHIFT;
    job->io.length = req->sectors << BLK_SECTOR_SHIFT;
    return err;
}

/* There are as many jobs as slots, and each request in flight holds a slot. */
static struct blk_job *job_get(struct blk_ring *r)
{
    struct list *first = r->free_jobs.next;

    assert(!list_empty(&r->free_jobs));
    list_del(first);
    return container_of(first, struct blk_job, link);
}

/* A barrier counts as the write that it is, and as a flush. */
static void job_count(const struct blk_job *job, int err)
{
    struct disk_stats *s = &job->ring->disk->stats;
    uint64_t bytes = job->req.sectors << BLK_SECTOR_SHIFT;
    enum blk_action action = job->req.action;

    if (err) {
        s->errors++;
        return;
    }
    s->reads += action == BLK_READ;
    s->read_bytes += action == BLK_READ ? bytes : 0;
    s->discards += action == BLK_DISCARD;
    s->flushes += action == BLK_FLUSH || action == BLK_BARRIER;
    if (action == BLK_WRITE || (action == BLK_BARRIER && job->req.n_segments)) {
        s->writes++;
        s->write_bytes += bytes;
    }
}

static void job_put(struct blk_job *job)
{
    struct blk_ring *r = job->ring;

    grant_pool_put(r->grants, job->page, job->n_pages);
    r->pages -= job->n_pages;
    job->n_pages = 0;
    list_add_head(&r->free_jobs, &job->link);
}

/*
 * Gives pages back, a slice at least, and more while there are units left; true
 * if it has none any more.
 */
static bool job_unmap(struct blk_job *job, int *left)
{
    struct blk_ring *r = job->ring;

    while (job->n_pages) {
        unsigned int some = slice_of(job->n_pages);
        unsigned int before = grant_pool_mapped(r->grants);

        job->n_pages -= some;
        r->pages -= some;
        grant_pool_put(r->grants, job->page + job->n_pages, some);
        *left -= (int)(before - grant_pool_mapped(r->grants));
        if (*left <= 0)
            break;
    }
    return !job->n_pages;
}

/* Answers it, and lets what waited for it go on. */
static void job_answer(struct blk_job *job)
{
    struct blk_ring *r = job->ring;

    job_put(job);
    job_count(job, job->err);
    respond(r, &job->req, job->err);
    if (r->waiting && !r->broken)
        ring_poll_kick(&r->poll);
    r->waiting = false;
}

/* The end of a job. A ring that is broken is not served any more. */
static void job_end(struct blk_job *job, int err)
{
    struct blk_ring *r = job->ring;
    int left = 1; /* as long as it costs nothing */

    job->err = err;
    if (r->closing) {
        job_put(job);
    } else if (r->broken || job_unmap(job, &left)) {
        job_answer(job);
    } else {
        list_add_tail(&r->ending, &job->link);
        if (!r->in_service)
            ring_poll_kick(&r->poll);
    }
}

/* Goes on with the jobs that are ending, while there are units left. */
static void end_some(struct blk_ring *r, int *left)
{
    while (!list_empty(&r->ending) && *left > 0) {
        struct blk_job *job =
            container_of(r->ending.next, struct blk_job, link);

        if (!job_unmap(job, left))
            return;
        list_del(&job->link);
        job_answer(job);
    }
}

void blk_ring_settle_(struct blk_ring *r)
{
    int left = INT_MAX;

    end_some(r, &left);
    if (r->mapping)
        job_put(r->mapping);
    r->mapping = NULL;
}

static void job_submit(struct blk_job *job, enum disk_op op)
{
    struct blk_ring *r = job->ring;

    r->running++;
    job->io.op = op;
    r->disk->ops->submit(r->disk, &job->io);
    /* Outside of a turn it was a barrier's step, and may have to go on. */
    if (!r->in_service && !r->broken)
        ring_poll_kick(&r->poll);
}

/* ---- barriers ---- */

/* The next step of the barrier; true when it has ended. */
static bool barrier_step(struct blk_ring *r)
{
    struct blk_job *job = r->barrier;

    switch (job->step) {
    case STEP_NONE:
        job->step = STEP_FLUSH_BEFORE;
        job_submit(job, DISK_FLUSH);
        return false;
    case STEP_FLUSH_BEFORE:
        if (job->req.n_segments) {
            job->step = STEP_WRITE;
            job_submit(job, DISK_WRITE);
            return false;
        }
        return true;
    case STEP_WRITE:
        job->step = STEP_FLUSH;
        job_submit(job, DISK_FLUSH);
        return false;
    default:
        return true;
    }
}

/*
 * Something ended. Runs the waiting barrier if it is alone, and wakes the
 * ring up when the barrier is over.
 */
static void barrier_advance(struct blk_ring *r, int err)
{
    struct blk_job *job = r->barrier;

    if (!job || r->running)
        return;
    if (r->closing || err) {
        job_end(job, err);
    } else {
        if (!barrier_step(r)) {
            r->disk->ops->kick(r->disk);
            return;
        }
        job_end(job, 0);
    }
    r->barrier = NULL;
    if (!r->closing && !r->broken)
        ring_poll_kick(&r->poll);
}

/* A disk that fails is the host's trouble, so the log says what it was. */
static void job_log(const struct blk_job *job, int err)
{
    static const char *const words[] = {
        [DISK_READ] = "read",
        [DISK_WRITE] = "write",
        [DISK_FLUSH] = "flush",
        [DISK_DISCARD] = "discard",
    };

    dev_log(job->ring->dev, "%s of %" PRIu64 " sectors at %" PRIu64 ": %s",
            words[job->io.op], job->req.sectors, job->req.sector,
            err == DISK_TRUNCATED ? "the image has become shorter"
                                  : strerror(-err));
}

void blk_job_done_(struct disk_io *io, int err)
{
    struct blk_job *job = container_of(io, struct blk_job, io);
    struct blk_ring *r = job->ring;

    r->running--;
    if (err && err != -EOPNOTSUPP)
        job_log(job, err);
    if (job == r->barrier) {
        barrier_advance(r, err);
    } else {
        job_end(job, err);
        barrier_advance(r, 0);
    }
    if (r->closing && !r->running) {
        struct xenbus_device *dev = r->dev;

        blk_ring_free_(r);
        xenbus_backend_disconnected(dev);
    }
}

/* ---- service ---- */

static void job_start(struct blk_job *job)
{
    static const enum disk_op op_of[] = {
        [BLK_READ] = DISK_READ,
        [BLK_WRITE] = DISK_WRITE,
        [BLK_FLUSH] = DISK_FLUSH,
        [BLK_DISCARD] = DISK_DISCARD,
    };
    struct blk_ring *r = job->ring;

    if (job->req.action != BLK_BARRIER) {
        job_submit(job, op_of[job->req.action]);
        return;
    }
    job->step = STEP_NONE;
    r->barrier = job;
    barrier_advance(r, 0);
}

/* May a request of so many pages be taken? One may, whatever its size. */
static bool has_room(const struct blk_ring *r, unsigned int pages)
{
    unsigned int max = grant_pool_share();

    if (max > BLK_PAGES_MAX)
        max = BLK_PAGES_MAX;
    return !r->pages || r->pages + pages <= max;
}

/* Makes the next request r->mapping; false: it has to wait. */
static bool look_at_next(struct blk_ring *r)
{
    struct blkif_request slot;
    struct blk_request req;
    struct blk_job *job;
    int err;

    ring_copy(r, r->back.req_cons, &slot, sizeof(slot), false);
    err = blk_request_parse(&slot, &r->limits, &req);
    if (!err && !has_room(r, req.n_segments)) {
        r->waiting = true;
        return false;
    }
    job = job_get(r);
    job->req = req;
    job->err = err ? err : job_prepare(r, job, &slot);
    r->mapping = job;
    return true;
}

/*
 * Takes the next request from the ring, once its pages are mapped; false: it
 * stays there for this turn, or until a job ends.
 */
static bool take_one(struct blk_ring *r, int *left)
{
    struct blk_job *job;
    int err;

    if (!r->mapping && !look_at_next(r))
        return false;
    job = r->mapping;
    err = job->err ? job->err : job_map(job, left);
    if (err == -EINPROGRESS)
        return false;
    r->mapping = NULL;
    if (err == -EAGAIN) { /* others hold all handles */
        r->waiting = r->running > 0;
        job_put(job);
        return false;
    }
    (*left)--;
    r->back.req_cons++;
    if (err) {
        job_end(job, err);
    } else {
        build_iov(job);
        job_start(job);
    }
    return true;
}

/*
 * How many requests the frontend has added. An impossible index ends the
 * ring's service for good: what is in flight is answered, the rest is not
 * looked at.
 */
static unsigned int new_requests(struct blk_ring *r)
{
    RING_IDX prod = READ_ONCE(r->back.sring->req_prod);
    unsigned int n;

    xen_rmb(); /* slots after the index; partner: RING_PUSH_REQUESTS */
    if (r->broken)
        return 0;
    if (ring_new_requests(prod, r->back.req_cons, r->back.rsp_prod_pvt,
                          r->back.nr_ents, &n))
        return n;
    r->broken = true;
    ring_poll_remove(&r->poll);
    dev_fail(r->dev, "the ring's producer index is impossible");
    return 0;
}

unsigned int blk_ring_service_(struct ring_poll *p, unsigned int budget)
{
    struct blk_ring *r = container_of(p, struct blk_ring, poll);
    unsigned int requests = new_requests(r);
    struct disk *disk = r->disk;
    int left = (int)budget;

    if (r->broken)
        return 0;
    r->in_service = true;
    disk->loop_pages = 0;
    if (disk->ops->work)
        disk->ops->work(disk, budget);
    end_some(r, &left);
    while (requests-- && left > (int)disk->loop_pages && !r->barrier &&
           !r->waiting)
        if (!take_one(r, &left))
            break;
    left -= (int)disk->loop_pages;
    if (left < (int)budget)
        disk->ops->kick(disk);
    push_responses(r);
    r->in_service = false;
    return (unsigned int)((int)budget - left);
}

bool blk_ring_arm_(struct ring_poll *p)
{
    struct blk_ring *r = container_of(p, struct blk_ring, poll);

    if (!list_empty(&r->ending))
        return true;
    if (r->barrier || r->waiting || r->broken)
        return false; /* the end of a job kicks us */
    if (new_requests(r))
        return true;
    WRITE_ONCE(r->back.sring->req_event, r->back.req_cons + 1);
    xen_mb(); /* partner: RING_PUSH_REQUESTS_AND_CHECK_NOTIFY */
    return new_requests(r) > 0;
}
