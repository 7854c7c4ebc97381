/*
 * The handshake that all backends share.
 *
 * The toolstack makes a directory per device, as xl does:
 *   /local/domain/1/backend/<type>/<frontend domid>/<devid>/
 *     frontend, frontend-id, online, state = 1 (Initialising), ...
 * This room watches those directories and each frontend's state, and drives
 * the device through <xen/io/xenbus.h>'s states. A backend only supplies the
 * four functions of struct backend_ops; it never reads or writes a state node.
 *
 *   ours           reached when                              calls
 *   Initialising   the toolstack made the directory
 *   InitWait       the backend's own side is ready           create()
 *   Connected      the frontend is Initialised or Connected  connect()
 *   Closing        the frontend closes, vanishes, or we fail disconnect()
 *   Closed         nothing of the frontend is mapped any more
 *   InitWait       a frontend that closed is Initialising again
 *   Closed         a tool wants that, for good               destroy()
 *   Closed         create() fails for a device that was      create(), again
 *                  served before, by another driver domain   and again
 *   (gone)         the directory was removed                 destroy(), if not
 * yet
 *
 * A driver domain that starts where an earlier one died finds frontends that
 * believe to be connected. It says Closed, waits until such a frontend has left
 * Initialised/Connected (its rings are of no use to us), and only then says
 * InitWait. Each side waits for the other, so merged watch events do no
 * harm. A frontend therefore treats every backend state but Connected, while it
 * is connected, as "the backend went away": it drops its rings, goes to
 * Initialising, and connects anew when it sees InitWait; requests without
 * an answer are then issued again.
 */
#ifndef RINGSIDE_BACKENDS_XENBUS_BACKEND_H
#define RINGSIDE_BACKENDS_XENBUS_BACKEND_H

#include "driver.h"
#include "list.h"
#include "xen_compat.h"

struct evbuffer;
struct event;
struct xenbus_device;
struct xenbus_room;

struct backend_ops {
    const char *type; /* directory name: "vbd", "vif", "console" */

    /*
     * What create() and connect() usually read of our own directory ("frontend"
     * is read first) and of the frontend's, up to a NULL: read in one go before
     * they are called. NULL: nothing.
     */
    const char *const *own_nodes;
    const char *const *frontend_nodes;

    /*
     * Device 0 has no frontend state to wait for (the primary console):
     * connect() follows create() at once.
     */
    bool first_is_there;

    /*
     * The directory was found: read what the toolstack wrote, open what is
     * needed, publish the features. Sets dev->priv. -errno: the device goes to
     * Closed, with the reason in its "hotplug-error" node (dev_fail() may have
     * said it). -EINPROGRESS: it takes a while; the backend calls
     * xenbus_backend_created() later, once.
     */
    int (*create)(struct xenbus_device *dev);

    /*
     * The frontend is ready: read its nodes, map its rings, bind its event
     * channel, publish what must be known before Connected. On -errno
     * everything of this call has been undone; the device goes to Closed.
     */
    int (*connect)(struct xenbus_device *dev);

    /*
     * Undo connect(): after this no page of the frontend may be touched.
     * Returns 0 when done, or -EINPROGRESS when I/O into the frontend's pages
     * still runs; then the backend calls xenbus_backend_disconnected() later,
     * once. Called only when connected.
     */
    int (*disconnect)(struct xenbus_device *dev);

    /*
     * Undo create(); the device is not connected. When a tool that closes it
     * sees Closed all is free again: a port, a file, a TAP device. 0, or
     * -EINPROGRESS: xenbus_backend_destroyed() follows, once.
     */
    int (*destroy)(struct xenbus_device *dev);

    /*
     * Appends what the device did since it was made, as " name=number" each
     * (stats_socket.h). The names stay. NULL: it counts nothing.
     */
    void (*tell)(struct xenbus_device *dev, struct evbuffer *out);
};

enum backend_phase {
    BACKEND_NEW,           /* create() has not ended */
    BACKEND_FAILED,        /* create() failed */
    BACKEND_IDLE,          /* created, not connected */
    BACKEND_CONNECTED,     /* between connect() and disconnect() */
    BACKEND_DISCONNECTING, /* disconnect() said -EINPROGRESS */
    BACKEND_ENDING,        /* destroy() said -EINPROGRESS */
    BACKEND_RELEASED,      /* destroy() has ended; only freed from here */
};

struct xenbus_device {
    /* For backends. */
    struct driver *driver;
    const struct backend_ops *ops;
    void *priv; /* the backend's own */
    domid_t frontend_id;
    unsigned int devid;
    char *path;          /* our directory */
    char *frontend_path; /* the frontend's directory */
    char name[40];       /* "vbd 3/51712", for messages */

    /* For this room only. */
    struct xenbus_room *room;
    struct list link, by_domain;
    struct store_watch *watch; /* the frontend's state */
    enum backend_phase phase;
    enum xenbus_state state; /* as we wrote it last */
    bool closing;            /* a tool wants the device closed for good */
    bool gone;   /* the directory is gone: destroyed when disconnected */
    bool failed; /* dev_fail() was called */
    bool down;   /* dev_down() was called, and not dev_up() since */
    bool moved;  /* one of the two was, and the loop is to act on it */
    bool served; /* before, by a driver domain that died: what it needs may
                  * be away for a while, and is no mistake of the user's */
    unsigned int tries;  /* of create() that failed */
    struct event *retry; /* of create(), NULL until it fails */
    unsigned int failures;
    uint64_t log_window; /* dev_log(): start of the current window */
    unsigned int log_lines;
};

/*
 * Starts watching for devices of the n given kinds; devices that exist are
 * picked up from the loop. ops must stay valid.
 */
int xenbus_backend_start(struct driver *driver,
                         const struct backend_ops *const *ops, unsigned int n,
                         struct xenbus_room **out);

/*
 * Disconnects and frees all devices without writing their states, runs the
 * loop until pending disconnects have ended (the driver domain is stopping).
 * What hangs in a create() or destroy() is left after a while, as it is.
 */
void xenbus_backend_stop(struct xenbus_room *room);

/* A line for each device: "vbd 5 51712 reads=12 …" (type, domid, devid). */
void xenbus_backend_tell(struct xenbus_room *room, struct evbuffer *out);

/* The end of a create(), disconnect() or destroy() that returned
 * -EINPROGRESS. */
void xenbus_backend_created(struct xenbus_device *dev, int err);
void xenbus_backend_disconnected(struct xenbus_device *dev);
void xenbus_backend_destroyed(struct xenbus_device *dev);

/*
 * The device cannot go on (a broken ring, a bad parameter): logs and
 * publishes the reason, and disconnects once the caller has returned to the
 * loop. In create() and connect() it only records the reason; return -errno
 * after it.
 */
void dev_fail(struct xenbus_device *dev, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The device cannot serve for now, through no fault of its frontend: logs and
 * publishes the reason, and disconnects from the loop; it stays Closed, and the
 * frontend knows that its device is down, until dev_up() offers it anew. Also
 * in create(): it is made, and down.
 */
void dev_down(struct xenbus_device *dev, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void dev_up(struct xenbus_device *dev);

/* A line on the log that names the device; bounded, so guests cannot flood. */
void dev_log(struct xenbus_device *dev, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
