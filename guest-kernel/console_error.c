/*
 * Standard error on a console of its own: `device/console/1`, if the toolstack
 * has made one that is called "stderr".
 *
 * Xen's way for consoles beside the primary one: the guest makes the ring and
 * the event channel, and shakes hands in the store. All of that happens at the
 * first write, so that a guest which has nothing to say here pays nothing.
 *
 * The ring outlives the driver domain: what that had not read when it ended its
 * successor finds there, as with the primary console. A watch on the
 * backend's state leads the handshake, in the xenbus thread.
 */
#include "guest-kernel/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/console_ring.h"
#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/xenbus.h"

#define DIR "device/console/1"

static struct {
    struct console console;
    struct xenbus_watch watch; /* of the backend's state */
    char *backend;
    domid_t backend_id;
    grant_ref_t ref;
    enum xenbus_state state; /* ours */
    bool tried, refused;     /* to connect; by a backend that never would */
    bool begun;              /* we have looked whether there is one */
    bool works;              /* there is */
    struct mutex lock;       /* of these two */
    struct wait_queue changed;
} error = {
    .console.patience = CONSOLE_PATIENCE,
    .lock = MUTEX_INIT(error.lock),
    .changed = WAIT_QUEUE_INIT(error.changed),
};

static void set_state(enum xenbus_state state)
{
    if (xenbus_state_write(XENBUS_NO_TX, DIR "/state", state) == 0)
        error.state = state;
    wait_queue_wake_all(&error.changed);
}

/* An event channel for each connection; the ring stays. */
static void connect(void)
{
    struct consfront *front = &error.console.front;
    struct xenbus_node nodes[] = { { "ring-ref", NULL, error.ref },
                                   { "port", NULL, 0 } };

    error.tried = true;
    if (event_alloc_unbound(error.backend_id, consfront_event, front,
                            &front->port))
        return;
    nodes[1].number = front->port;
    if (xenbus_write_nodes(DIR, nodes, 2) == 0)
        set_state(XenbusStateInitialised);
}

/* The backend has let go of us, or may never have had us. */
static void disconnect(void)
{
    struct consfront *front = &error.console.front;
    evtchn_port_t port = front->port;

    error.refused |= !error.tried;
    wait_queue_wake_all(&error.changed);
    if (!port)
        return; /* it has been told */
    front->port = 0;
    event_close(port);
    set_state(XenbusStateInitialising);
}

static void backend_changed(struct xenbus_watch *w, const char *path)
{
    (void)path;
    switch (xenbus_state_ask(w->path)) {
    case XenbusStateInitWait:
        if (!error.console.front.port)
            connect();
        break;
    case XenbusStateConnected:
        if (error.state == XenbusStateInitialised)
            set_state(XenbusStateConnected);
        break;
    case XenbusStateUnknown:
    case XenbusStateClosing:
    case XenbusStateClosed:
        disconnect();
        break;
    default: /* it begins, or the store could not be asked */
        break;
    }
}

/* 0, or -errno: the toolstack has made no console for this. */
static int read_config(void)
{
    uint64_t id = 0;
    char *name;
    int err = xenbus_read(XENBUS_NO_TX, DIR "/name", &name, NULL);

    if (err)
        return err;
    err = strcmp(name, "stderr") ? -ENOENT : 0;
    free(name);
    if (!err)
        err = xenbus_read_uint(XENBUS_NO_TX, DIR "/backend-id", &id);
    if (!err)
        err = xenbus_read(XENBUS_NO_TX, DIR "/backend", &error.backend, NULL);
    error.backend_id = (domid_t)id;
    return err;
}

static int make_ring(void)
{
    void *page = pages_alloc_zeroed(1);
    int err = page ? 0 : -ENOMEM;

    if (!err)
        err = grant_access(error.backend_id, page, false, &error.ref);
    if (err)
        pages_free(page, 1);
    else
        consfront_begin(&error.console.front, page);
    return err;
}

static int watch_backend(void)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, error.backend, "state");

    error.watch.fn = backend_changed;
    error.state = XenbusStateInitialising;
    return err ? err : xenbus_watch(&error.watch, path);
}

/* Nobody comes: as if there were no such console. */
static void give_up(void)
{
    struct consfront *front = &error.console.front;

    xenbus_unwatch(&error.watch);
    if (front->port)
        event_close(front->port);
    front->port = 0;
    set_state(XenbusStateClosed);
    if (front->ring)
        grant_end_and_free(error.ref, front->ring);
    front->ring = NULL;
    free(error.backend);
    error.backend = NULL;
}

/* True if the backend reads what we write. */
static bool begin(void)
{
    int err = read_config();

    if (err)
        return false;
    err = make_ring();
    if (!err)
        err = watch_backend();
    if (!err)
        err = wait_event(&error.changed,
                         error.state == XenbusStateConnected || error.refused,
                         clock_now() + CONSOLE_PATIENCE);
    if (!err && !error.refused)
        return true;
    give_up();
    return false;
}

void console_write_error(const char *s, size_t n)
{
    size_t left = n;

    mutex_lock(&error.lock);
    if (!error.begun)
        error.works = begin();
    error.begun = true;
    mutex_unlock(&error.lock);
    if (error.works)
        left = console_put(&error.console, s, n);
    if (left)
        console_write(s + n - left, left);
}

void console_flush_error(void)
{
    if (error.works)
        console_finish(&error.console);
}
