/*
 * One of a guest's consoles. See consback.h.
 *
 * The primary one has no handshake: the ring is the page behind grant reference
 * 0, the port was made by the domain's builder and is in the store. Of others
 * the guest says where both are, as with any device. The indices that
 * are ours (out_cons, in_prod) are kept privately; what the guest does to
 * the shared copies is its own loss.
 *
 * Output is taken at a bounded rate; beyond it the ring stays full and the
 * guest waits, so that nothing is lost. Everything goes to the log, and to the
 * terminal if somebody has it open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "consback.h"
#include "console_log.h"
#include "console_pty.h"
#include "ringside/client.h"
#include "hypercall.h"
#include "log_file.h"
#include "ring_poll.h"
#include "store.h"

#define CONSOLE_GRANT 0            /* reserved by the domain builder */
#define RATE          (4u << 20)   /* bytes per second */
#define BURST         (256u << 10) /* bytes */
#define REFILL_MS     50

struct consback {
    struct xenbus_device *dev;
    struct log_file *log;
    struct console_pty *pty; /* NULL: this machine has none */

    /* While connected. */
    struct rs_client_mapping map;
    struct xencons_interface *ring;
    XENCONS_RING_IDX out_cons, in_prod;
    evtchn_port_t port;
    bool bound;
    struct ring_poll poll;
    struct event *refill; /* waits when the rate is used up */
    uint64_t budget, refilled_ns;
};

/* ---- guest → terminal and log ---- */

/* Lets time fill the bucket. */
static void refill(struct consback *c)
{
    uint64_t now = driver_now(), ms = (now - c->refilled_ns) / 1000000;

    if (!ms)
        return;
    c->refilled_ns = now;
    c->budget = ms > 1000 ? BURST : c->budget + ms * (RATE / 1000);
    if (c->budget > BURST)
        c->budget = BURST;
}

/* An impossible index: nothing of the ring is used any more. */
static void cons_broken(struct consback *c, const char *which)
{
    ring_poll_remove(&c->poll);
    dev_fail(c->dev, "the %s ring's index is impossible", which);
}

/* Takes at most max bytes of output from the ring; returns how many. */
static size_t take_output(struct consback *c, size_t max)
{
    char buf[sizeof(c->ring->out)];
    XENCONS_RING_IDX prod = READ_ONCE(c->ring->out_prod);
    size_t n = prod - c->out_cons;

    xen_rmb(); /* bytes after the index; partner: the guest's wmb */
    if (n > sizeof(c->ring->out)) {
        cons_broken(c, "output");
        return 0;
    }
    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        buf[i] = READ_ONCE(c->ring->out[MASK_XENCONS_IDX(
            c->out_cons + (XENCONS_RING_IDX)i, c->ring->out)]);
    if (!n)
        return 0;
    xen_mb(); /* the bytes are read before their room is given back */
    c->out_cons += (XENCONS_RING_IDX)n;
    WRITE_ONCE(c->ring->out_cons, c->out_cons);
    log_file_write(c->log, buf, n);
    if (c->pty)
        console_pty_write(c->pty, buf, n);
    return n;
}

/* ---- terminal → guest ---- */

/* Moves what fits; returns how much. */
static size_t give_input(struct consback *c)
{
    char buf[sizeof(c->ring->in)];
    XENCONS_RING_IDX used = c->in_prod - READ_ONCE(c->ring->in_cons);
    size_t n;

    if (used > sizeof(c->ring->in)) { /* ahead of in_prod, or far behind */
        cons_broken(c, "input");
        return 0;
    }
    if (!c->pty || used == sizeof(c->ring->in))
        return 0; /* the guest's next event comes here */
    n = console_pty_read(c->pty, buf, sizeof(c->ring->in) - used);
    xen_mb(); /* the room was free before we fill it */
    for (size_t i = 0; i < n; i++)
        c->ring->in[MASK_XENCONS_IDX(c->in_prod + (XENCONS_RING_IDX)i,
                                     c->ring->in)] = buf[i];
    xen_wmb(); /* bytes before the index; partner: the guest's rmb */
    c->in_prod += (XENCONS_RING_IDX)n;
    WRITE_ONCE(c->ring->in_prod, c->in_prod);
    return n;
}

static void pty_input(void *arg)
{
    struct consback *c = arg;

    if (c->ring && !c->dev->failed && give_input(c))
        rs_client_notify(c->dev->driver->client, c->port);
}

/* ---- service ---- */

/* The rate bounds it more than any budget: a ring's worth is a unit. */
static unsigned int cons_service(struct ring_poll *p, unsigned int budget)
{
    struct consback *c = container_of(p, struct consback, poll);
    size_t out, in;

    (void)budget;
    refill(c);
    out = take_output(c, c->budget);
    c->budget -= out;
    if (!p->active)
        return 0;
    in = give_input(c);
    if (out || in)
        rs_client_notify(c->dev->driver->client, c->port);
    return out || in;
}

static bool cons_arm(struct ring_poll *p)
{
    struct consback *c = container_of(p, struct consback, poll);
    struct timeval later = { .tv_usec = REFILL_MS * 1000 };

    xen_mb(); /* our indices before the look at the guest's */
    if (READ_ONCE(c->ring->out_prod) == c->out_cons)
        return false;
    if (c->budget)
        return true;
    event_add(c->refill, &later);
    return false;
}

static void budget_again(evutil_socket_t fd, short what, void *arg)
{
    struct consback *c = arg;

    (void)fd;
    (void)what;
    ring_poll_kick(&c->poll);
}

/* ---- the device ---- */

/*
 * The name of the terminal. A guest may write into the directory of each
 * frontend but the primary console's, and whoever opens what is named there
 * believes us: of other consoles it is in our own.
 */
static void publish_tty(struct consback *c)
{
    struct xenbus_device *dev = c->dev;
    const char *where = dev->devid ? dev->path : dev->frontend_path;
    int err = console_pty_open(dev->driver->base, pty_input, c, &c->pty);

    if (err)
        dev_log(dev, "no pseudo terminal: %s", strerror(-err));
    else
        store_write(dev->driver->store, where, "tty", "%s",
                    console_pty_name(c->pty));
}

/* Where the log of a console is: others have a directory for each number. */
static char *log_dir(const struct xenbus_device *dev)
{
    const char *rundir = dev->driver->rundir;
    char *dir;
    int n = dev->devid ? asprintf(&dir, "%s/console/%u", rundir, dev->devid)
                       : asprintf(&dir, "%s/console", rundir);

    return n < 0 ? NULL : dir;
}

static int open_log(struct consback *c)
{
    struct xenbus_device *dev = c->dev;
    char dir[64], id[16], *name, *logs = log_dir(dev);
    int err = -ENOMEM;

    snprintf(dir, sizeof(dir), "/local/domain/%u", dev->frontend_id);
    snprintf(id, sizeof(id), "%u", dev->frontend_id);
    name = store_read(dev->driver->store, dir, "name");
    if (logs)
        err = console_log_open(logs, name && *name ? name : id,
                               CONSOLE_LOG_LIMIT, &c->log);
    if (err)
        dev_fail(dev, "log in %s: %s", logs ? logs : "?", strerror(-err));
    free(logs);
    free(name);
    return err;
}

static int cons_destroy(struct xenbus_device *dev)
{
    struct consback *c = dev->priv;

    console_pty_close(c->pty);
    log_file_close(c->log);
    free(c);
    return 0;
}

static int cons_create(struct xenbus_device *dev)
{
    struct consback *c = calloc(1, sizeof(*c));
    int err;

    if (!c)
        return -ENOMEM;
    c->dev = dev;
    dev->priv = c;
    err = open_log(c);
    if (err) {
        cons_destroy(dev);
        return err;
    }
    publish_tty(c);
    return 0;
}

static void cons_release(struct consback *c)
{
    ring_poll_remove(&c->poll);
    if (c->refill)
        event_free(c->refill);
    if (c->bound)
        hypercall_evtchn_close(c->port);
    if (c->map.addr && c->map.status == GNTST_okay)
        rs_client_unmap_grants(c->dev->driver->client, &c->map, 1);
    c->refill = NULL;
    c->bound = false;
    c->ring = NULL;
    c->map.addr = NULL;
}

static int find_ring(const struct xenbus_device *dev, grant_ref_t *ref)
{
    uint64_t number = CONSOLE_GRANT;
    int err = 0;

    /* The primary console's node is a frame number, of the builder's. */
    if (dev->devid)
        err = store_read_u64(dev->driver->store, dev->frontend_path, "ring-ref",
                             UINT32_MAX, &number);
    *ref = (grant_ref_t)number;
    return err;
}

static int map_ring(struct consback *c)
{
    XENCONS_RING_IDX prod, cons;
    grant_ref_t ref;
    int n = find_ring(c->dev, &ref);

    if (!n)
        n = rs_client_map_grants(c->dev->driver->client, c->dev->frontend_id,
                                 &ref, 1, false, &c->map);
    if (n < 0)
        return n;
    if (c->map.status != GNTST_okay) {
        c->map.addr = NULL;
        return -EFAULT;
    }
    c->ring = c->map.addr;
    /* An earlier driver domain may have been here before us. */
    c->out_cons = READ_ONCE(c->ring->out_cons);
    c->in_prod = READ_ONCE(c->ring->in_prod);
    /* And may have left nonsense: what it had not read is lost then. */
    prod = READ_ONCE(c->ring->out_prod);
    if (prod - c->out_cons > sizeof(c->ring->out)) {
        c->out_cons = prod;
        WRITE_ONCE(c->ring->out_cons, prod);
    }
    cons = READ_ONCE(c->ring->in_cons);
    if (c->in_prod - cons > sizeof(c->ring->in)) {
        c->in_prod = cons;
        WRITE_ONCE(c->ring->in_prod, cons);
    }
    return 0;
}

static int bind_port(struct consback *c)
{
    struct xenbus_device *dev = c->dev;
    uint64_t port;
    int err, rx, tx;

    err = store_read_u64(dev->driver->store, dev->frontend_path, "port",
                         UINT32_MAX, &port);
    if (!err)
        err = (int)hypercall_evtchn_bind_interdomain(
            dev->frontend_id, (evtchn_port_t)port, &c->port);
    if (err)
        return err;
    c->bound = true;
    err = rs_client_port_fds(c->dev->driver->client, c->port, &rx, &tx);
    return err ? err : ring_poll_bind(&c->poll, rx);
}

static int cons_connect(struct xenbus_device *dev)
{
    struct consback *c = dev->priv;
    int err;

    ring_poll_init(dev->driver->poll, &c->poll);
    c->poll.service = cons_service;
    c->poll.arm = cons_arm;
    c->poll.never_poll = true;
    c->budget = BURST;
    c->refilled_ns = driver_now();
    c->refill = evtimer_new(dev->driver->base, budget_again, c);
    err = c->refill ? map_ring(c) : -ENOMEM;
    if (!err)
        err = bind_port(c);
    if (err) {
        cons_release(c);
        return err;
    }
    ring_poll_kick(&c->poll); /* it may have written before we came */
    return 0;
}

/* Passes on what is left in the ring: the last words of a dying guest. */
static int cons_disconnect(struct xenbus_device *dev)
{
    struct consback *c = dev->priv;

    if (!dev->failed)
        take_output(c, sizeof(c->ring->out));
    cons_release(c);
    return 0;
}

const struct backend_ops consback_ops = {
    .type = "console",
    .first_is_there = true,
    .create = cons_create,
    .connect = cons_connect,
    .disconnect = cons_disconnect,
    .destroy = cons_destroy,
};
