/*
 * Making and ending the connection to a block ring: its pages, its event
 * channel, its jobs.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "blkback_ring.h"
#include "hypercall.h"

#define MAX_PERSISTENT 2048 /* pages kept per ring without use: 8 MiB */

static int map_ring(struct blk_ring *r, const struct blk_ring_config *config)
{
    int n = rs_client_map_grants(r->dev->driver->client, r->dev->frontend_id,
                                 config->refs, config->n_refs, false, r->maps);

    if (n < 0)
        return n;
    r->n_pages = config->n_refs;
    for (unsigned int i = 0; i < r->n_pages; i++) {
        if (r->maps[i].status != GNTST_okay) {
            dev_log(r->dev, "ring page %u (reference %u) is not granted: %d", i,
                    config->refs[i], r->maps[i].status);
            return -EFAULT;
        }
    }
    BACK_RING_INIT(&r->back, (blkif_sring_t *)r->maps[0].addr,
                   r->n_pages * PAGE_SIZE);
    return 0;
}

static int make_jobs(struct blk_ring *r)
{
    r->jobs = calloc(r->back.nr_ents, sizeof(*r->jobs));
    if (!r->jobs)
        return -ENOMEM;
    for (unsigned int i = 0; i < r->back.nr_ents; i++) {
        r->jobs[i].ring = r;
        r->jobs[i].io.done = blk_job_done_;
        list_add_tail(&r->free_jobs, &r->jobs[i].link);
    }
    return 0;
}

static int bind_port(struct blk_ring *r, evtchn_port_t remote)
{
    int rx, tx, err;

    err = (int)hypercall_evtchn_bind_interdomain(r->dev->frontend_id, remote,
                                                 &r->port);
    if (err)
        return err;
    r->bound = true;
    err = rs_client_port_fds(r->dev->driver->client, r->port, &rx, &tx);
    if (err)
        return err;
    return ring_poll_bind(&r->poll, rx);
}

static void unmap_ring(struct blk_ring *r)
{
    for (unsigned int i = 0; i < r->n_pages; i++) {
        if (r->maps[i].status == GNTST_okay)
            rs_client_unmap_grants(r->dev->driver->client, &r->maps[i], 1);
    }
}

void blk_ring_free_(struct blk_ring *r)
{
    ring_poll_remove(&r->poll);
    if (r->bound)
        hypercall_evtchn_close(r->port);
    grant_pool_free(r->grants);
    unmap_ring(r);
    for (unsigned int i = 0; r->jobs && i < r->back.nr_ents; i++)
        blk_job_free_arrays_(&r->jobs[i]);
    free(r->jobs);
    free(r);
}

int blk_ring_connect(struct xenbus_device *dev, struct disk *disk,
                     unsigned int max_indirect,
                     const struct blk_ring_config *config,
                     struct blk_ring **out)
{
    struct blk_ring *r = calloc(1, sizeof(*r));
    int err;

    if (!r)
        return -ENOMEM;
    r->dev = dev;
    r->disk = disk;
    r->limits.sectors = disk->sectors;
    r->limits.read_only = disk->read_only;
    r->limits.can_discard = disk->can_discard;
    r->limits.max_indirect = max_indirect;
    list_init(&r->free_jobs);
    list_init(&r->ending);
    ring_poll_init(dev->driver->poll, &r->poll);
    r->poll.service = blk_ring_service_;
    r->poll.arm = blk_ring_arm_;
    err = grant_pool_new(dev->driver->client, dev->frontend_id,
                         config->persistent, MAX_PERSISTENT, &r->grants);
    if (!err)
        err = map_ring(r, config);
    if (!err)
        err = make_jobs(r);
    if (!err)
        err = bind_port(r, config->port);
    if (err) {
        blk_ring_free_(r);
        return err;
    }
    /* Requests that came before we had the port have notified nobody. */
    ring_poll_kick(&r->poll);
    *out = r;
    return 0;
}

int blk_ring_disconnect(struct blk_ring *r)
{
    /* What the loop does by itself ends now; nobody calls us for it later. */
    r->disk->loop_pages = 0;
    if (r->disk->ops->work)
        r->disk->ops->work(r->disk, UINT_MAX);
    r->disk->ops->kick(r->disk); /* what it could not do after all */
    blk_ring_settle_(r);
    r->closing = true;
    ring_poll_remove(&r->poll);
    if (r->running)
        return -EINPROGRESS;
    blk_ring_free_(r);
    return 0;
}
