/*
 * netfront's handshake: <xen/io/netif.h> and <xen/io/xenbus.h>.
 *
 * A thread of its own leads the card through its states in a straight line:
 * wait for the backend, connect, wait until the backend goes, drop everything,
 * begin again. One watch on the backend's state wakes it, and so does the data
 * path when the backend breaks the protocol.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/netfront_ring.h"

/* Between two tries to connect that failed. */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

#define MTU_PLAIN 1500
#define MTU_MAX   65520

#define IN(state) (1u << XenbusState##state)
#define BACKEND_GONE                                                   \
    (IN(Unknown) | IN(Initialising) | IN(InitWait) | IN(Initialised) | \
     IN(Closing) | IN(Closed) | IN(Reconfiguring) | IN(Reconfigured))

void netfront_mac(const struct netfront *nf, uint8_t mac[6])
{
    memcpy(mac, nf->mac, sizeof(nf->mac));
}

unsigned int netfront_mtu(const struct netfront *nf)
{
    return nf->mtu;
}

static uint64_t node_uint(const char *dir, const char *leaf, uint64_t otherwise)
{
    char path[XENBUS_PATH_MAX];

    if (xenbus_path(path, dir, leaf))
        return otherwise;
    return xenbus_read_default(path, otherwise);
}

static int write_state(const struct netfront *nf, enum xenbus_state state)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, nf->dir, "state");

    return err ? err : xenbus_state_write(XENBUS_NO_TX, path, state);
}

/* The backend's state, or -errno: the store could not be asked. */
static int backend_state(const struct netfront *nf)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, nf->backend, "state");

    return err ? err : xenbus_state_ask(path);
}

static bool is_in(int state, unsigned int states)
{
    return state >= 0 && (states >> state & 1);
}

/* Waits until the backend is in one of the states; returns which. */
static int wait_backend(struct netfront *nf, unsigned int states)
{
    int state;

    while (!is_in(state = backend_state(nf), states))
        semaphore_down(&nf->attention, NEVER);
    return state;
}

/* Waits until the backend is gone, or has broken the protocol. */
static void wait_lost(struct netfront *nf)
{
    while (!nf->broken && !is_in(backend_state(nf), BACKEND_GONE))
        semaphore_down(&nf->attention, NEVER);
}

static void backend_changed(struct xenbus_watch *w, const char *path)
{
    struct netfront *nf = w->arg;

    (void)path;
    semaphore_up(&nf->attention);
}

static int watch_backend(struct netfront *nf)
{
    char path[XENBUS_PATH_MAX];
    int err = xenbus_path(path, nf->backend, "state");

    nf->watch.fn = backend_changed;
    nf->watch.arg = nf;
    return err ? err : xenbus_watch(&nf->watch, path);
}

/* What we ask for and offer. */
static int publish(const struct netfront *nf)
{
    const struct xenbus_node nodes[] = {
        { "tx-ring-ref", NULL, nf->tx_ref },
        { "rx-ring-ref", NULL, nf->rx_ref },
        { "event-channel", NULL, nf->port },
        { "request-rx-copy", NULL, 1 },
        { "feature-rx-notify", NULL, 1 },
        { "feature-sg", NULL, 1 },
        { "feature-persistent", NULL, 1 },
    };

    return xenbus_write_nodes(nf->dir, nodes, sizeof(nodes) / sizeof(nodes[0]));
}

static void set_link(struct netfront *nf, bool up)
{
    if (nf->link_up != up)
        nf->user.link(nf->user.arg, up);
    nf->link_up = up;
}

static void disconnect(struct netfront *nf)
{
    nf->connected = false;
    netfront_rings_reset(nf);
    set_link(nf, false);
    if (nf->port)
        event_close(nf->port);
    nf->port = 0;
}

static int connect(struct netfront *nf)
{
    struct xenbus_number of[] = { { "feature-sg", 0 }, { "mtu", MTU_PLAIN } };
    uint64_t mtu;
    int err;

    xenbus_read_numbers(nf->backend, of, sizeof(of) / sizeof(of[0]));
    nf->sg = of[0].value == 1;
    mtu = node_uint(nf->dir, "mtu", of[1].value);
    nf->mtu = mtu < 68 ? 68 : mtu > MTU_MAX ? MTU_MAX : (unsigned int)mtu;
    if (!nf->sg && nf->mtu > MTU_PLAIN)
        nf->mtu = MTU_PLAIN;

    netfront_rings_reset(nf);
    nf->broken = nf->warned_of_bad_frame = false;
    err = event_alloc_unbound(nf->backend_id, netfront_event, nf, &nf->port);
    if (err)
        return err;
    netfront_post(nf);
    err = publish(nf);
    if (!err)
        err = write_state(nf, XenbusStateInitialised);
    if (!err && wait_backend(nf, ~IN(InitWait)) != XenbusStateConnected)
        err = -ECONNREFUSED;
    if (!err)
        err = write_state(nf, XenbusStateConnected);
    return err;
}

/* Connects and stays so; returns why that ended: 0, or -errno of ours. */
static int serve(struct netfront *nf)
{
    int err = connect(nf);

    if (err) {
        console_report("netfront: %s: cannot connect: %d\n", nf->dir, err);
        return err;
    }
    nf->connected = true;
    nf->retry_ms = RETRY_MIN_MS;
    set_link(nf, true);
    nf->user.wake(nf->user.arg);
    wait_lost(nf);
    return nf->broken ? -EPROTO : 0;
}

/* What we lack, memory or an event channel, may be there later: waits a while,
 * longer each time. */
static void wait_for_better_times(struct netfront *nf)
{
    uint64_t deadline = clock_deadline_ms(nf->retry_ms);

    nf->retry_ms *= 2;
    if (nf->retry_ms > RETRY_MAX_MS)
        nf->retry_ms = RETRY_MAX_MS;
    while (semaphore_down(&nf->attention, deadline) == 0)
        ;
}

static void netfront_main(void *arg)
{
    struct netfront *nf = arg;

    for (;;) {
        int err;

        wait_backend(nf, IN(InitWait));
        err = serve(nf);
        disconnect(nf);
        write_state(nf, err ? XenbusStateClosed : XenbusStateInitialising);
        if (!err)
            continue;
        /* It may try once more, as soon as it has let go. */
        wait_backend(nf, BACKEND_GONE & ~IN(Closing));
        if (err != -EPROTO)
            wait_for_better_times(nf);
        write_state(nf, XenbusStateInitialising);
    }
}

static bool poll_rings(void *arg)
{
    struct netfront *nf = arg;

    if (!nf->connected || (!RING_HAS_UNCONSUMED_RESPONSES(&nf->rx) &&
                           list_empty(&nf->tx_queue.waiters)))
        return false;
    netfront_event(nf->port, nf);
    return RING_HAS_UNCONSUMED_RESPONSES(&nf->rx) ||
           RING_HAS_UNCONSUMED_RESPONSES(&nf->tx);
}

static int read_config(struct netfront *nf)
{
    char path[XENBUS_PATH_MAX], *mac = NULL;
    int err = xenbus_path(path, nf->dir, "backend");

    if (!err)
        err = xenbus_read(XENBUS_NO_TX, path, &nf->backend, NULL);
    if (err)
        return err == -ENOENT ? -ENODEV : err;
    nf->backend_id = (domid_t)node_uint(nf->dir, "backend-id", 0);
    err = xenbus_path(path, nf->dir, "mac");
    if (!err)
        err = xenbus_read(XENBUS_NO_TX, path, &mac, NULL);
    if (!err &&
        sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &nf->mac[0], &nf->mac[1],
               &nf->mac[2], &nf->mac[3], &nf->mac[4], &nf->mac[5]) != 6)
        err = -EINVAL;
    free(mac);
    return err;
}

int netfront_start(unsigned int devid, const struct netfront_user *user,
                   struct netfront **out)
{
    struct netfront *nf = calloc(1, sizeof(*nf));
    struct thread *t;
    int err;

    if (!nf)
        return -ENOMEM;
    nf->user = *user;
    snprintf(nf->dir, sizeof(nf->dir), "device/vif/%u", devid);
    err = read_config(nf);
    if (!err)
        err = netfront_rings_new(nf);
    if (err)
        goto out;
    nf->retry_ms = RETRY_MIN_MS;
    semaphore_init(&nf->attention, 0);
    err = watch_backend(nf);
    if (err)
        goto out;
    err = -ENOMEM;
    t = thread_create("netfront", netfront_main, nf, 0);
    if (!t)
        goto out;
    thread_detach(t);
    nf->poller.poll = poll_rings;
    nf->poller.arg = nf;
    poller_add(&nf->poller);
    *out = nf;
    return 0;
out:
    xenbus_unwatch(&nf->watch);
    netfront_rings_free(nf);
    free(nf->backend);
    free(nf);
    return err;
}
