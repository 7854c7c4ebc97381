/*
 * The block frontend's connections.
 *
 * The watch on the backend's state drives everything, in the xenbus thread:
 * step() compares that state with the phase and goes on. While connected, any
 * state but Connected means that the backend went away (the driver domain may
 * have died): the ring is given up, our state goes back to Initialising, and
 * the handshake begins anew when the backend says InitWait. Requests stay with
 * us all the while. See backends/xenbus_backend.h for the other side.
 */
#include "frontends/blkfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_TIMEOUT  (10 * NS_PER_S)
#define CLOSE_TIMEOUT (1 * NS_PER_S)

static struct rs_blk *disks;
static struct mutex opening = MUTEX_INIT(opening); /* open, close: one by one */

/* ---- nodes ---- */

static int set_state(struct rs_blk *b, enum xenbus_state state)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, b->path, "state");

    return err ? err : xenbus_state_write(XENBUS_NO_TX, path, state);
}

/* -errno: the store could not be asked. */
static int backend_state(struct rs_blk *b)
{
    char path[XENBUS_PATH_MAX];

    return xenbus_path(path, b->backend, "state") ? XenbusStateUnknown
                                                  : xenbus_state_ask(path);
}

static uint64_t backend_number(struct rs_blk *b, const char *node,
                               uint64_t otherwise)
{
    char path[XENBUS_PATH_MAX];

    return xenbus_path(path, b->backend, node)
               ? otherwise
               : xenbus_read_default(path, otherwise);
}

/* ---- the ring ---- */

/* Gives the ring up; the page is freed when the backend has let it go. */
static void ring_release(struct rs_blk *b)
{
    bool was = upcalls_mask();

    if (b->polled)
        poller_remove(&b->poller);
    b->polled = false;
    upcalls_restore(was);
    if (b->port)
        event_close(b->port);
    b->port = 0;
    if (b->ring_ref != GRANT_REF_NONE)
        grant_end_and_free(b->ring_ref, b->ring.sring);
    else
        pages_free(b->ring.sring, 1);
    b->ring_ref = GRANT_REF_NONE;
    b->ring.sring = NULL;
}

static int ring_make(struct rs_blk *b)
{
    blkif_sring_t *sring = pages_alloc_zeroed(1);
    int err;

    if (!sring)
        return -ENOMEM;
    XEN_FRONT_RING_INIT(&b->ring, sring, PAGE_SIZE);
    err = grant_access(b->backend_id, sring, false, &b->ring_ref);
    if (err)
        b->ring_ref = GRANT_REF_NONE;
    if (!err)
        err = event_alloc_unbound(b->backend_id, blkfront_event, b, &b->port);
    if (err)
        ring_release(b);
    return err;
}

/* ---- steps ---- */

static void set_phase(struct rs_blk *b, enum blkfront_phase phase)
{
    b->phase = phase;
    wait_queue_wake_all(&b->changed);
}

static int publish(struct rs_blk *b)
{
    const struct xenbus_node nodes[] = {
        { "ring-ref", NULL, b->ring_ref },
        { "event-channel", NULL, b->port },
        { "protocol", "x86_64-abi", 0 },
        { "feature-persistent", NULL, 1 },
    };

    return xenbus_write_nodes(b->path, nodes, sizeof(nodes) / sizeof(nodes[0]));
}

/* The backend waits for us: offer a ring. */
static void offer(struct rs_blk *b)
{
    int err = ring_make(b);

    if (!err)
        err = publish(b);
    if (!err)
        err = set_state(b, XenbusStateInitialised);
    if (err) {
        if (b->ring.sring)
            ring_release(b);
        set_phase(b, BLKFRONT_GONE);
        blkfront_fail_all(b, -EIO);
    } else {
        set_phase(b, BLKFRONT_WAITING);
    }
}

static void use(struct rs_blk *b)
{
    struct xenbus_number of[] = {
        { "sectors", 0 },
        { "info", 0 },
        { "feature-flush-cache", 0 },
        { "feature-discard", 0 },
    };
    bool was;

    xenbus_read_numbers(b->backend, of, sizeof(of) / sizeof(of[0]));
    b->sectors = of[0].value;
    b->read_only = of[1].value & VDISK_READONLY;
    b->can_flush = of[2].value != 0;
    b->can_discard = of[3].value != 0;
    set_state(b, XenbusStateConnected);
    was = upcalls_mask();
    set_phase(b, BLKFRONT_CONNECTED);
    poller_add(&b->poller);
    b->polled = true;
    blkfront_pump(b);
    /* What the backend answers before the next idle wait shall be heard. */
    blkfront_event(b->port, b);
    upcalls_restore(was);
}

static void lost(struct rs_blk *b)
{
    bool was = upcalls_mask();

    b->phase = BLKFRONT_IDLE; /* handlers touch the ring no more */
    upcalls_restore(was);
    ring_release(b);
    blkfront_requeue(b);
    set_state(b, XenbusStateInitialising);
    set_phase(b, BLKFRONT_IDLE);
}

/*
 * The backend broke the protocol. It hears that we closed; once it has let go,
 * it may try again.
 */
static void broken(struct rs_blk *b, int theirs)
{
    if (b->ring.sring) {
        ring_release(b);
        set_state(b, XenbusStateClosed);
        theirs = backend_state(b);
    }
    if (theirs >= 0 && theirs != XenbusStateConnected &&
        theirs != XenbusStateClosing) {
        set_state(b, XenbusStateInitialising);
        set_phase(b, BLKFRONT_IDLE);
    }
}

static void taken_away(struct rs_blk *b)
{
    set_phase(b, BLKFRONT_GONE);
    if (b->ring.sring)
        ring_release(b);
    blkfront_fail_all(b, -ENODEV);
    set_state(b, XenbusStateClosed);
}

/* Has the backend given up: could it never open the disk? */
static bool is_hopeless(struct rs_blk *b)
{
    char path[XENBUS_PATH_MAX], *value;
    bool hopeless;

    if (xenbus_path(path, b->backend, "hotplug-status") ||
        xenbus_read(XENBUS_NO_TX, path, &value, NULL))
        return false;
    hopeless = !strcmp(value, "error");
    free(value);
    return hopeless;
}

/* Has the toolstack taken the disk away for good, or never had it? */
static bool is_offline(struct rs_blk *b, int theirs)
{
    if (theirs == XenbusStateClosing || theirs == XenbusStateClosed)
        return backend_number(b, "online", 0) == 0 || is_hopeless(b);
    return theirs == XenbusStateUnknown;
}

static void step(struct rs_blk *b)
{
    int theirs = backend_state(b);

    if (theirs < 0 || b->phase == BLKFRONT_GONE || b->phase == BLKFRONT_CLOSING)
        return; /* when the store is back, the watch says so */
    if (is_offline(b, theirs)) {
        taken_away(b);
        return;
    }
    if ((b->phase == BLKFRONT_CONNECTED && theirs != XenbusStateConnected) ||
        (b->phase == BLKFRONT_WAITING && theirs >= XenbusStateClosing)) {
        lost(b);
        theirs = backend_state(b);
    }
    if (b->phase == BLKFRONT_BROKEN) {
        broken(b, theirs);
        theirs = backend_state(b);
    }
    if (b->phase == BLKFRONT_IDLE && theirs == XenbusStateInitWait)
        offer(b);
    else if (b->phase == BLKFRONT_WAITING && theirs == XenbusStateConnected)
        use(b);
}

void blkfront_backend_changed(struct xenbus_watch *w, const char *path)
{
    struct rs_blk *b = w->arg;

    (void)path;
    mutex_lock(&b->lock);
    step(b);
    mutex_unlock(&b->lock);
    wait_queue_wake_all(&b->changed);
}

/* ---- opening and closing ---- */

static struct rs_blk *find(unsigned int devid)
{
    struct rs_blk *b = disks;

    while (b && b->devid != devid)
        b = b->next;
    return b;
}

static int read_backend(struct rs_blk *b)
{
    char path[XENBUS_PATH_MAX], *value;
    uint64_t id;
    int err = xenbus_path(path, b->path, "backend-id");

    if (err || xenbus_read_uint(XENBUS_NO_TX, path, &id))
        return -ENODEV;
    b->backend_id = (domid_t)id;
    err = xenbus_path(path, b->path, "backend");
    if (err || xenbus_read(XENBUS_NO_TX, path, &value, NULL))
        return -ENODEV;
    if (snprintf(b->backend, sizeof(b->backend), "%s", value) >=
        (int)sizeof(b->backend))
        err = -ENAMETOOLONG;
    free(value);
    return err;
}

static void blk_free(struct rs_blk *b)
{
    struct rs_blk **p = &disks;

    while (*p && *p != b)
        p = &(*p)->next;
    if (*p)
        *p = b->next;
    if (b->watched)
        xenbus_unwatch(&b->watch);
    if (b->ring.sring)
        ring_release(b);
    blkfront_free_buffers(b);
    for (unsigned int i = 0; b->pool && i < BLKFRONT_POOL; i++) {
        char *page = b->pool + i * PAGE_SIZE;

        if (b->pool_ref[i] == GRANT_REF_NONE)
            pages_free(page, 1);
        else
            grant_end_and_free(b->pool_ref[i], page);
    }
    free(b);
}

static int blk_new(unsigned int devid, struct rs_blk **out)
{
    struct rs_blk *b = calloc(1, sizeof(*b));
    int err;

    if (!b)
        return -ENOMEM;
    b->devid = devid;
    b->users = 1;
    b->poller = (struct poller){ blkfront_poll, blkfront_arm, b, { 0 } };
    b->watch.fn = blkfront_backend_changed;
    b->watch.arg = b;
    wait_queue_init(&b->changed);
    mutex_init(&b->lock);
    blkfront_reset_slots(b);
    snprintf(b->path, sizeof(b->path), "device/vbd/%u", devid);
    b->next = disks;
    disks = b;
    err = read_backend(b);
    if (!err) {
        b->pool = pages_alloc_zeroed(BLKFRONT_POOL);
        err = b->pool ? 0 : -ENOMEM;
    }
    if (err)
        blk_free(b);
    else
        *out = b;
    return err;
}

/* Starts the handshake. A disk that was closed before is offered again. */
static int blk_start(struct rs_blk *b)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, b->path, "state");

    if (!err && xenbus_state_read(path) != XenbusStateInitialising)
        err = set_state(b, XenbusStateInitialising);
    if (!err)
        err = xenbus_path(path, b->backend, "state");
    if (!err)
        err = xenbus_watch(&b->watch, path);
    b->watched = !err;
    return err;
}

static bool is_settled(const struct rs_blk *b)
{
    return b->phase == BLKFRONT_CONNECTED || b->phase == BLKFRONT_GONE;
}

/* The disk with this number, ours to use once more; made if need be. */
static int get(unsigned int devid, struct rs_blk **out)
{
    int err;

    *out = find(devid);
    if (*out) {
        (*out)->users++;
        return 0;
    }
    err = blk_new(devid, out);
    if (!err) {
        err = blk_start(*out);
        if (err)
            blk_free(*out);
    }
    return err;
}

static void close_wait(struct rs_blk *b, enum xenbus_state at_least)
{
    char path[XENBUS_PATH_MAX];
    unsigned int states = 1u << XenbusStateUnknown | 1u << XenbusStateClosed;

    if (at_least == XenbusStateClosing)
        states |= 1u << XenbusStateClosing;
    if (!xenbus_path(path, b->backend, "state"))
        xenbus_state_wait(path, states, clock_now() + CLOSE_TIMEOUT);
}

static void put(struct rs_blk *b)
{
    bool connected = b->phase == BLKFRONT_CONNECTED;

    if (--b->users)
        return;
    mutex_lock(&b->lock);
    if (b->phase != BLKFRONT_GONE) {
        set_phase(b, BLKFRONT_CLOSING);
        blkfront_fail_all(b, -ENODEV);
    }
    mutex_unlock(&b->lock);
    if (connected) {
        set_state(b, XenbusStateClosing);
        close_wait(b, XenbusStateClosing);
    }
    set_state(b, XenbusStateClosed);
    if (connected)
        close_wait(b, XenbusStateClosed);
    blk_free(b);
}

int rs_blk_open(const char *name, struct rs_blk **out)
{
    IN_KERNEL();
    unsigned int devid;
    struct rs_blk *b;
    int err = blkfront_devid(name, &devid);

    if (err)
        return err;
    mutex_lock(&opening);
    err = get(devid, &b);
    if (!err) {
        err =
            wait_event(&b->changed, is_settled(b), clock_now() + OPEN_TIMEOUT);
        if (!err && b->phase == BLKFRONT_GONE)
            err = -ENODEV;
        if (err)
            put(b);
        else
            *out = b;
    }
    mutex_unlock(&opening);
    return err;
}

void rs_blk_close(struct rs_blk *b)
{
    IN_KERNEL();
    mutex_lock(&opening);
    put(b);
    mutex_unlock(&opening);
}
