/*
 * The life of a backend device; see xenbus_backend.h for the states.
 *
 * advance() is the heart: it compares what the frontend's state node says
 * with the phase that we are in, and takes the next step. It is called after
 * every event and looks at the store itself, so repeated, merged and late
 * events are all the same to it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "store.h"
#include "xenbus_room.h"

/* A device that failed this often stays Closed: no endless reconnecting. */
#define MAX_FAILURES 16

/* Between two tries of create(): as much after the first, twice as much after
 * each of the next, never more. */
#define RETRY_MIN_MS 250
#define RETRY_MAX_MS 8000

/* A create() or destroy() that hangs when we stop. */
#define STOP_PATIENCE_NS 2000000000ull

#define LOG_WINDOW_NS 10000000000ull
#define LOG_LINES     20

static void set_state(struct xenbus_device *dev, enum xenbus_state state)
{
    if (dev->state == state || dev->gone || dev->room->stopping)
        return;
    dev->state = state;
    store_write(dev->driver->store, dev->path, "state", "%u", state);
}

static enum xenbus_state frontend_state(struct xenbus_device *dev)
{
    uint64_t state = XenbusStateUnknown;

    store_read_u64(dev->driver->store, dev->frontend_path, "state",
                   XenbusStateReconfigured, &state);
    return (enum xenbus_state)state;
}

static bool shakes_hands(const struct xenbus_device *dev)
{
    return dev->devid || !dev->ops->first_is_there;
}

static bool is_online(struct xenbus_device *dev)
{
    uint64_t online = 1;

    store_read_u64(dev->driver->store, dev->path, "online", 1, &online);
    return online;
}

/* ---- messages ---- */

static void dev_vlog(struct xenbus_device *dev, const char *fmt, va_list ap)
{
    uint64_t now = driver_now();

    if (now - dev->log_window > LOG_WINDOW_NS) {
        dev->log_window = now;
        dev->log_lines = 0;
    }
    if (++dev->log_lines < LOG_LINES)
        driver_vlog(dev->name, fmt, ap);
    else if (dev->log_lines == LOG_LINES)
        driver_log("%s: more messages are held back", dev->name);
}

void dev_log(struct xenbus_device *dev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    dev_vlog(dev, fmt, ap);
    va_end(ap);
}

void dev_fail(struct xenbus_device *dev, const char *fmt, ...)
{
    char why[256];
    va_list ap;

    if (dev->failed)
        return; /* the first reason counts */
    dev->failed = true;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (!dev->tries) /* else it was told */
        dev_log(dev, "%s", why);
    if (!dev->gone && !dev->room->stopping)
        store_write(dev->driver->store, dev->path, "hotplug-error", "%s", why);
    if (dev->phase == BACKEND_CONNECTED)
        event_active(dev->room->deferred, 0, 0);
}

static void move(struct xenbus_device *dev, bool down, const char *why)
{
    dev->down = down;
    dev->moved = true;
    if (!dev->gone && !dev->room->stopping)
        store_write(dev->driver->store, dev->path, "hotplug-error", "%s", why);
    event_active(dev->room->deferred, 0, 0);
}

void dev_down(struct xenbus_device *dev, const char *fmt, ...)
{
    char why[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    dev_log(dev, "%s", why);
    move(dev, true, why);
}

void dev_up(struct xenbus_device *dev)
{
    dev_log(dev, "is up again");
    move(dev, false, "");
}

/* ---- steps ---- */

static void device_free(struct xenbus_device *dev)
{
    list_del(&dev->link);
    list_del(&dev->by_domain);
    if (dev->watch)
        store_unwatch(dev->driver->store, dev->watch);
    if (dev->retry)
        event_free(dev->retry);
    free(dev->path);
    free(dev->frontend_path);
    free(dev);
}

/* true when all is given back, false if that takes a while. */
static bool device_release(struct xenbus_device *dev)
{
    if (dev->phase == BACKEND_IDLE) {
        dev->phase = BACKEND_ENDING;
        if (dev->ops->destroy(dev) == 0)
            dev->phase = BACKEND_RELEASED;
    }
    return dev->phase == BACKEND_RELEASED || dev->phase == BACKEND_FAILED;
}

/* Now, or when what is under way has ended. */
static void device_destroy(struct xenbus_device *dev)
{
    if (device_release(dev))
        device_free(dev);
}

/* true when nothing is connected (any more), false if that takes a while. */
static bool device_disconnect(struct xenbus_device *dev)
{
    if (dev->phase == BACKEND_CONNECTED) {
        dev->phase = BACKEND_DISCONNECTING;
        if (dev->ops->disconnect(dev) == 0)
            dev->phase = BACKEND_IDLE;
    }
    return dev->phase != BACKEND_DISCONNECTING;
}

static void device_connect(struct xenbus_device *dev)
{
    int err;

    dev->failed = false;
    if (dev->ops->frontend_nodes)
        store_read_ahead(dev->driver->store, dev->frontend_path,
                         dev->ops->frontend_nodes);
    err = dev->ops->connect(dev);
    if (err) {
        dev_fail(dev, "cannot connect: %s", strerror(-err));
        dev->failed = false;
        dev->failures++;
        set_state(dev, XenbusStateClosed);
        return;
    }
    dev->phase = BACKEND_CONNECTED;
    set_state(dev, XenbusStateConnected);
    if (dev->failed) /* during connect(), but it went on */
        event_active(dev->room->deferred, 0, 0);
}

/*
 * The end that a tool asked for. It may use at once what the device had, so
 * that is given back before it sees Closed. A console's terminal stays until
 * its directory goes: the guest's last words may still be in it.
 */
static void close_for_good(struct xenbus_device *dev)
{
    dev->closing = true;
    if (!device_disconnect(dev))
        return;
    if (shakes_hands(dev) && !device_release(dev))
        return;
    set_state(dev, XenbusStateClosed);
}

/* The frontend is at its start: offer ourselves, if we may. */
static void offer(struct xenbus_device *dev)
{
    if (dev->state == XenbusStateInitWait)
        return;
    if (!is_online(dev))
        close_for_good(dev);
    else if (dev->failures < MAX_FAILURES)
        set_state(dev, XenbusStateInitWait);
}

static void advance(struct xenbus_device *dev)
{
    enum xenbus_state theirs = frontend_state(dev);
    bool ready =
        theirs == XenbusStateInitialised || theirs == XenbusStateConnected;

    if (dev->closing)
        close_for_good(dev); /* perhaps it can now */
    else if (dev->down && device_disconnect(dev))
        set_state(dev, XenbusStateClosed);
    if (dev->closing || dev->down ||
        (dev->phase != BACKEND_IDLE && dev->phase != BACKEND_CONNECTED))
        return;
    if (ready) {
        if (dev->phase == BACKEND_IDLE && dev->state == XenbusStateInitWait)
            device_connect(dev);
        return;
    }
    /* Whatever else it says, it is not, or no longer, connected to us. */
    if (!device_disconnect(dev))
        return;
    switch (theirs) {
    case XenbusStateInitialising:
    case XenbusStateInitWait:
        offer(dev);
        break;
    case XenbusStateClosing:
        set_state(dev, XenbusStateClosing);
        break;
    default: /* Closed, or its directory is not there (any more, or yet) */
        if (theirs != XenbusStateClosed && dev->state == XenbusStateInitWait)
            break;
        if (is_online(dev))
            set_state(dev, XenbusStateClosed);
        else
            close_for_good(dev);
        break;
    }
}

static void frontend_changed(void *arg, const char *path)
{
    (void)path;
    advance(arg);
}

void xenbus_backend_destroyed(struct xenbus_device *dev)
{
    dev->phase = BACKEND_RELEASED;
    if (dev->gone)
        device_destroy(dev);
    else if (!dev->room->stopping)
        close_for_good(dev);
}

void xenbus_backend_disconnected(struct xenbus_device *dev)
{
    dev->phase = BACKEND_IDLE;
    if (dev->gone)
        device_destroy(dev);
    else if (dev->failed)
        event_active(dev->room->deferred, 0, 0);
    else if (!dev->room->stopping)
        advance(dev);
}

/* Takes devices down whose backend called dev_fail(), or moves them. */
static void run_deferred(evutil_socket_t fd, short what, void *arg)
{
    struct xenbus_room *room = arg;
    struct list *pos, *tmp;

    (void)fd;
    (void)what;
    list_for_each_safe(pos, tmp, &room->devices)
    {
        struct xenbus_device *dev =
            container_of(pos, struct xenbus_device, link);

        if (dev->moved) {
            dev->moved = false;
            advance(dev);
        }
        if (!dev->failed || dev->phase == BACKEND_NEW ||
            !device_disconnect(dev))
            continue;
        dev->failed = false;
        dev->failures++;
        set_state(dev, XenbusStateClosed);
        advance(dev);
    }
}

/* ---- coming and going ---- */

static struct xenbus_device *device_new(struct xenbus_room *room,
                                        const struct backend_ops *ops,
                                        domid_t frontend_id, unsigned int devid)
{
    struct xenbus_device *dev = calloc(1, sizeof(*dev));

    if (!dev) {
        driver_log("%s %u/%u: no memory", ops->type, frontend_id, devid);
        return NULL;
    }
    dev->driver = room->driver;
    dev->room = room;
    dev->ops = ops;
    dev->frontend_id = frontend_id;
    dev->devid = devid;
    list_init(&dev->link);
    list_init(&dev->by_domain);
    snprintf(dev->name, sizeof(dev->name), "%s %u/%u", ops->type, frontend_id,
             devid);
    if (asprintf(&dev->path, BACKEND_ROOT "/%s/%u/%u", ops->type, frontend_id,
                 devid) < 0)
        dev->path = NULL;
    if (dev->path) {
        if (ops->own_nodes)
            store_read_ahead(room->driver->store, dev->path, ops->own_nodes);
        dev->frontend_path =
            store_read(room->driver->store, dev->path, "frontend");
    }
    if (dev->frontend_path)
        return dev;
    free(dev->path);
    free(dev);
    return NULL;
}

/*
 * Says where we stand: InitWait, or Closed to a frontend that still believes
 * in a connection with an earlier life of this process.
 */
static int greet(struct xenbus_device *dev)
{
    static const char *const own[] = { "state", "online", NULL };
    enum xenbus_state theirs = frontend_state(dev);
    uint64_t found = XenbusStateUnknown;
    char *path;

    /* Now, and not before create(): a tool may have asked us to close. */
    store_read_ahead(dev->driver->store, dev->path, own);
    store_read_u64(dev->driver->store, dev->path, "state",
                   XenbusStateReconfigured, &found);
    if (!is_online(dev))
        close_for_good(dev);
    else if (dev->down)
        set_state(dev, XenbusStateClosed);
    else if (found > XenbusStateInitialising &&
             (theirs == XenbusStateInitialised ||
              theirs == XenbusStateConnected))
        set_state(dev, XenbusStateClosed);
    else
        offer(dev);
    if (dev->watch)
        return 0;
    if (asprintf(&path, "%s/state", dev->frontend_path) < 0)
        return -ENOMEM;
    dev->watch = store_watch(dev->driver->store, path, frontend_changed, dev);
    free(path);
    return dev->watch ? 0 : -EIO;
}

static void start(struct xenbus_device *dev);

static void try_again(evutil_socket_t fd, short what, void *arg)
{
    struct xenbus_device *dev = arg;

    (void)fd;
    (void)what;
    if (!dev->closing)
        start(dev);
}

/*
 * What the device needs, an image or a port, is not there. At first that is the
 * toolstack's to tell its user, who knows better. But a guest that has had
 * its device gets it back as soon as it can be had.
 */
static void retry_later(struct xenbus_device *dev)
{
    unsigned int ms = RETRY_MAX_MS;
    struct timeval pause;

    if (!dev->served || dev->phase != BACKEND_FAILED)
        return;
    if (dev->tries < 8 && RETRY_MIN_MS << dev->tries < RETRY_MAX_MS)
        ms = RETRY_MIN_MS << dev->tries;
    dev->tries++;
    pause.tv_sec = ms / 1000;
    pause.tv_usec = ms % 1000 * 1000;
    if (!dev->retry)
        dev->retry = evtimer_new(dev->driver->base, try_again, dev);
    if (dev->retry)
        event_add(dev->retry, &pause);
}

static void tell_created(struct xenbus_device *dev)
{
    if (!dev->tries)
        return;
    dev->tries = 0;
    dev_log(dev, "is back");
    store_write(dev->driver->store, dev->path, "hotplug-error", "%s", "");
}

static void create_failed(struct xenbus_device *dev, int err)
{
    dev_fail(dev, "cannot create: %s", strerror(-err));
    if (dev->phase == BACKEND_NEW)
        dev->phase = BACKEND_FAILED;
    else
        device_release(dev);
    store_write(dev->driver->store, dev->path, "hotplug-status", "error");
    set_state(dev, XenbusStateClosed);
    retry_later(dev);
}

/* create() has ended: from here to the first state of ours. */
static void created(struct xenbus_device *dev, int err)
{
    if (!err) {
        dev->phase = BACKEND_IDLE;
        err = store_write(dev->driver->store, dev->path, "hotplug-status",
                          "connected");
    }
    if (!err)
        tell_created(dev);
    if (!err && dev->closing)
        close_for_good(dev);
    else if (!err && !shakes_hands(dev))
        device_connect(dev);
    else if (!err)
        err = greet(dev);
    if (err)
        create_failed(dev, err);
}

void xenbus_backend_created(struct xenbus_device *dev, int err)
{
    if (!dev->gone) {
        created(dev, err);
        return;
    }
    dev->phase = err ? BACKEND_FAILED : BACKEND_IDLE;
    device_destroy(dev);
}

static void start(struct xenbus_device *dev)
{
    int err;

    dev->phase = BACKEND_NEW;
    dev->failed = false;
    err = dev->ops->create(dev);
    if (err != -EINPROGRESS)
        created(dev, err);
}

void xenbus_device_found(struct xenbus_room *room,
                         const struct backend_ops *ops, domid_t frontend_id,
                         unsigned int devid, uint64_t found)
{
    struct xenbus_device *dev = device_new(room, ops, frontend_id, devid);

    if (!dev)
        return;
    dev->served = found > XenbusStateInitialising;
    list_add_tail(&room->devices, &dev->link);
    list_add_tail(bucket(&room->by_domain, frontend_id), &dev->by_domain);
    start(dev);
}

void xenbus_device_gone(struct xenbus_device *dev)
{
    dev->gone = true;
    if (device_disconnect(dev))
        device_destroy(dev);
}

void xenbus_device_touched(struct xenbus_device *dev, uint64_t now)
{
    if (now == (uint64_t)dev->state) {
        /* Our own word, or what a tool wrote was before it. */
        if (now == XenbusStateClosed && !dev->closing && !is_online(dev))
            close_for_good(dev);
        return;
    }
    if (now == XenbusStateInitialising && dev->phase != BACKEND_NEW) {
        /* Removed and made anew before we saw that it was gone. */
        struct xenbus_room *room = dev->room;
        const struct backend_ops *ops = dev->ops;
        domid_t frontend_id = dev->frontend_id;
        unsigned int devid = dev->devid;

        xenbus_device_gone(dev);
        xenbus_device_found(room, ops, frontend_id, devid, now);
    } else if (now == XenbusStateClosing && !is_online(dev)) {
        dev->state = XenbusStateClosing;
        close_for_good(dev);
    }
}

int xenbus_backend_start(struct driver *driver,
                         const struct backend_ops *const *ops, unsigned int n,
                         struct xenbus_room **out)
{
    struct xenbus_room *room = calloc(1, sizeof(*room));

    if (!room)
        return -ENOMEM;
    room->driver = driver;
    room->ops = ops;
    room->n_ops = n;
    list_init(&room->devices);
    buckets_init(&room->by_domain);
    room->deferred = event_new(driver->base, -1, 0, run_deferred, room);
    if (room->deferred)
        room->watch =
            store_watch(driver->store, BACKEND_ROOT, xenbus_scan_event, room);
    if (!room->watch) {
        if (room->deferred)
            event_free(room->deferred);
        free(room);
        return -EIO;
    }
    *out = room;
    return 0;
}

/* Is there nothing to wait for but what hangs outside of us? */
static bool only_hanging(const struct xenbus_room *room)
{
    struct list *pos;

    list_for_each(pos, &room->devices) {
        enum backend_phase phase =
            container_of(pos, struct xenbus_device, link)->phase;

        if (phase != BACKEND_NEW && phase != BACKEND_ENDING)
            return false;
    }
    return true;
}

static void look_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Runs the loop until something happens, but not for long. */
static int run_a_while(struct event_base *base)
{
    const struct timeval t = { .tv_usec = 50000 };

    event_base_once(base, -1, EV_TIMEOUT, look_again, NULL, &t);
    return event_base_loop(base, EVLOOP_ONCE);
}

void xenbus_backend_stop(struct xenbus_room *room)
{
    uint64_t begun = driver_now();
    struct list *pos, *tmp;

    room->stopping = true;
    store_unwatch(room->driver->store, room->watch);
    list_for_each_safe(pos, tmp, &room->devices)
        xenbus_device_gone(container_of(pos, struct xenbus_device, link));
    while (!list_empty(&room->devices)) {
        if (only_hanging(room) && driver_now() - begun > STOP_PATIENCE_NS)
            return; /* threads still know their devices */
        if (run_a_while(room->driver->base) != 0)
            break;
    }
    event_free(room->deferred);
    free(room);
}

/* ---- counters ---- */

static bool is_made(const struct xenbus_device *dev)
{
    return dev->phase != BACKEND_NEW && dev->phase != BACKEND_FAILED &&
           dev->phase != BACKEND_ENDING && dev->phase != BACKEND_RELEASED;
}

void xenbus_backend_tell(struct xenbus_room *room, struct evbuffer *out)
{
    struct list *pos;

    list_for_each(pos, &room->devices) {
        struct xenbus_device *dev =
            container_of(pos, struct xenbus_device, link);

        if (!dev->ops->tell || !is_made(dev))
            continue;
        evbuffer_add_printf(out, "%s %u %u", dev->ops->type, dev->frontend_id,
                            dev->devid);
        dev->ops->tell(dev, out);
        evbuffer_add(out, "\n", 1);
    }
}
