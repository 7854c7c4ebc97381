/*
 * netback: virtual network cards (vif) and what they are plugged into.
 *
 * The link is opened when the toolstack makes the device, so that a port that
 * is taken or a TAP device that does not exist is known before the guest runs.
 * It stays open over reconnects of the guest, paused while nobody listens.
 *
 * Nodes that we read in our directory: type, mac, ip, antispoof, forward,
 * host-loopback, tap, bridge, vifname, mtu (docs/network.md says what they
 * mean).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "hypercall.h"
#include "ringside/client.h"
#include "netback.h"
#include "netback_queue.h"
#include "ring_poll.h"
#include "store.h"
#include "xenbus_backend.h"

#define MTU_PLAIN 1500

/* An event channel to the frontend; tx and rx may share one. */
struct vif_channel {
    evtchn_port_t port;
    bool bound;
    struct event *event;
};

struct vif {
    struct xenbus_device *dev;
    struct list others; /* in all_vifs */
    uint8_t mac[6];     /* zero: the toolstack wrote none */
    struct link *link;
    unsigned int mtu;
    bool connected;
    struct ring_poll poll;
    struct vif_channel tx, rx;
    struct rs_client_mapping rings[2];
    struct vif_queue queue;
};

/* Of all guests, while they hold what they were given. */
static struct list all_vifs = LIST_INIT(all_vifs);

static struct vif *vif_of(struct ring_poll *p)
{
    return container_of(p, struct vif, poll);
}

/* ---- what the queue and the link call ---- */

static void vif_notify_tx(void *arg)
{
    struct vif *vif = arg;

    rs_client_notify(vif->dev->driver->client, vif->tx.port);
}

static void vif_notify_rx(void *arg)
{
    struct vif *vif = arg;

    rs_client_notify(vif->dev->driver->client,
                     vif->rx.bound ? vif->rx.port : vif->tx.port);
}

static void vif_broken(void *arg, const char *why)
{
    struct vif *vif = arg;

    dev_fail(vif->dev, "%s", why);
}

static void vif_receive(void *arg, const void *frame, size_t len)
{
    struct vif *vif = arg;

    if (!vif->connected)
        return;
    vif_queue_receive(&vif->queue, frame, len);
    if (!list_empty(&vif->queue.backlog))
        ring_poll_kick(&vif->poll);
}

static void vif_carrier(void *arg, const char *why)
{
    struct vif *vif = arg;

    if (why)
        dev_down(vif->dev, "%s", why);
    else
        dev_up(vif->dev);
}

/* A request and the copy of its page: two units. */
static unsigned int vif_service(struct ring_poll *p, unsigned int budget)
{
    (void)budget; /* VIF_BATCH is about as much; the rest is owed */
    return 2 * vif_queue_service(&vif_of(p)->queue);
}

static bool vif_arm(struct ring_poll *p)
{
    return vif_queue_arm(&vif_of(p)->queue);
}

static void vif_event(evutil_socket_t fd, short what, void *arg)
{
    struct vif *vif = arg;
    uint64_t n;

    (void)what;
    if (read(fd, &n, sizeof(n)) == sizeof(n))
        ring_poll_kick(&vif->poll);
}

/* ---- the link ---- */

/* Copies the string of a node, or "". */
static void vif_node(struct vif *vif, const char *node, char *buf, size_t n)
{
    char *s = store_read(vif->dev->driver->store, vif->dev->path, node);

    snprintf(buf, n, "%s", s ? s : "");
    free(s);
}

/* NULL with a reason if the type is not one of ours. */
static const struct link_ops *vif_link_ops(struct vif *vif,
                                           struct link_config *config)
{
    struct xenbus_device *dev = vif->dev;
    char type[16];

    vif_node(vif, "type", type, sizeof(type));
    if (strcmp(type, "nat") == 0)
        return &link_slirp;
    if (strcmp(type, "tap") == 0) {
        vif_node(vif, "tap", config->device, sizeof(config->device));
        return &link_tap;
    }
    if (strcmp(type, "bridge") == 0) {
        vif_node(vif, "bridge", config->bridge, sizeof(config->bridge));
        vif_node(vif, "vifname", config->device, sizeof(config->device));
        if (!config->device[0])
            snprintf(config->device, sizeof(config->device), "vif%u.%u",
                     dev->frontend_id, dev->devid);
        return &link_tap;
    }
    dev_fail(dev, "unknown vif type \"%s\"", type);
    return NULL;
}

/* The node's hardware address; false, and zeros, if there is none. */
static bool vif_read_mac(struct vif *vif, uint8_t mac[6])
{
    char text[20];
    int n = 0;

    vif_node(vif, "mac", text, sizeof(text));
    if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1],
               &mac[2], &mac[3], &mac[4], &mac[5], &n) == 6 &&
        n == 17 && !text[n])
        return true;
    memset(mac, 0, 6);
    return false;
}

/* The vif that has this address, or NULL. */
static const struct vif *vif_with_mac(const uint8_t mac[6])
{
    static const uint8_t none[6];
    struct list *pos;

    list_for_each(pos, &all_vifs) {
        const struct vif *vif = container_of(pos, struct vif, others);

        if (!memcmp(vif->mac, mac, 6) && memcmp(mac, none, 6))
            return vif;
    }
    return NULL;
}

/*
 * Two cards with one address on one wire take each other's frames, now and
 * then. One toolstack may not see what another is making: we see all.
 */
static int vif_claim_mac(struct vif *vif)
{
    struct xenbus_device *dev = vif->dev;
    const struct vif *other;
    char dir[32], *name;
    uint8_t mac[6];

    vif_read_mac(vif, mac);
    other = vif_with_mac(mac);
    if (!other) {
        memcpy(vif->mac, mac, sizeof(mac));
        list_add_tail(&all_vifs, &vif->others);
        return 0;
    }
    snprintf(dir, sizeof(dir), "/local/domain/%u", other->dev->frontend_id);
    name = store_read(dev->driver->store, dir, "name");
    dev_fail(dev,
             "mac %02x:%02x:%02x:%02x:%02x:%02x: vif %u of %s has it; give "
             "each guest its own",
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], other->dev->devid,
             name ? name : dir);
    free(name);
    return -EEXIST;
}

/*
 * The antispoof check: on, unless the toolstack says otherwise or has written
 * no hardware address to compare with.
 */
static int vif_read_filter(struct vif *vif)
{
    struct vif_filter *filter = &vif->queue.filter;
    char text[20];

    filter->check_mac = vif_read_mac(vif, filter->mac);
    vif_node(vif, "ip", text, sizeof(text));
    if (text[0]) {
        if (inet_pton(AF_INET, text, &filter->ip) != 1) {
            dev_fail(vif->dev, "ip is no IPv4 address");
            return -EINVAL;
        }
        filter->check_ip = filter->check_mac;
    }
    vif_node(vif, "antispoof", text, sizeof(text));
    if (strcmp(text, "0") == 0)
        filter->check_mac = filter->check_ip = false;
    return 0;
}

/* Reads the configuration and opens the link. */
static int vif_open_link(struct vif *vif)
{
    struct xenbus_device *dev = vif->dev;
    struct store *store = dev->driver->store;
    struct link_user user = { .receive = vif_receive,
                              .carrier = vif_carrier,
                              .arg = vif };
    struct link_config config = { .mtu = 0 };
    const struct link_ops *ops;
    char why[160] = "";
    uint64_t mtu;
    char *text;
    int err;

    ops = vif_link_ops(vif, &config);
    if (!ops)
        return -EINVAL;
    mtu = ops->trusted ? LINK_MTU_MAX : MTU_PLAIN;
    err = store_read_u64(store, dev->path, "mtu", LINK_MTU_MAX, &mtu);
    if ((err && err != -ENOENT) || mtu < LINK_MTU_MIN) {
        dev_fail(dev, "mtu must be %d to %d", LINK_MTU_MIN, LINK_MTU_MAX);
        return -EINVAL;
    }
    vif->mtu = config.mtu = (unsigned int)mtu;
    config.again = dev->served;
    config.host_loopback = store_read_flag(store, dev->path, "host-loopback");
    err = vif_read_filter(vif);
    if (err)
        return err;
    memcpy(config.mac, vif->queue.filter.mac, sizeof(config.mac));
    text = store_read(store, dev->path, "forward");
    err = link_parse_forwards(text ? text : "", &config, why, sizeof(why));
    free(text);
    if (!err)
        err = ops->open(dev->driver->base, &config, &user, &vif->link, why,
                        sizeof(why));
    if (err) {
        dev_fail(dev, "%s", why[0] ? why : strerror(-err));
        return err;
    }
    ops->pause(vif->link, true);
    return 0;
}

/* What the frontend may use; <xen/io/netif.h> tells what each means, and that
 * what is not there cannot be used. */
static void vif_publish(struct vif *vif)
{
    static const char *const features[] = {
        "feature-rx-copy",
        "feature-sg",
        "feature-persistent",
        "feature-split-event-channels",
    };
    struct xenbus_device *dev = vif->dev;
    struct store *store = dev->driver->store;

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        store_write_soon(store, dev->path, features[i], "1");
    store_write_soon(store, dev->path, "mtu", "%u", vif->mtu);
}

static int vif_destroy(struct xenbus_device *dev)
{
    struct vif *vif = dev->priv;

    if (vif && vif->link)
        vif->link->ops->close(vif->link);
    if (vif)
        list_del(&vif->others);
    free(vif);
    dev->priv = NULL;
    return 0;
}

static int vif_create(struct xenbus_device *dev)
{
    struct vif *vif = calloc(1, sizeof(*vif));
    int err;

    if (!vif)
        return -ENOMEM;
    vif->dev = dev;
    vif->poll.service = vif_service;
    vif->poll.arm = vif_arm;
    ring_poll_init(dev->driver->poll, &vif->poll);
    dev->priv = vif;
    list_init(&vif->others);
    err = vif_claim_mac(vif);
    if (!err)
        err = vif_open_link(vif);
    if (err)
        vif_destroy(dev);
    else
        vif_publish(vif);
    return err;
}

/* ---- connecting to the frontend ---- */

static void channel_close(struct vif_channel *c)
{
    if (c->event)
        event_free(c->event);
    if (c->bound)
        hypercall_evtchn_close(c->port);
    memset(c, 0, sizeof(*c));
}

/* Binds to the port that the frontend's node names. */
static int channel_open(struct vif *vif, struct vif_channel *c,
                        const char *node)
{
    struct xenbus_device *dev = vif->dev;
    uint64_t remote;
    int err, rx, tx;

    err = store_read_u64(dev->driver->store, dev->frontend_path, node,
                         UINT32_MAX, &remote);
    if (err)
        return err;
    err = (int)hypercall_evtchn_bind_interdomain(
        dev->frontend_id, (evtchn_port_t)remote, &c->port);
    if (err)
        return err;
    c->bound = true;
    err = rs_client_port_fds(vif->dev->driver->client, c->port, &rx, &tx);
    if (err)
        goto out;
    c->event =
        event_new(dev->driver->base, rx, EV_READ | EV_PERSIST, vif_event, vif);
    err = -ENOMEM;
    if (c->event && event_add(c->event, NULL) == 0)
        return 0;
out:
    channel_close(c);
    return err;
}

static int vif_open_channels(struct vif *vif)
{
    int err = channel_open(vif, &vif->tx, "event-channel");

    if (err != -ENOENT)
        return err;
    err = channel_open(vif, &vif->tx, "event-channel-tx");
    if (err)
        return err;
    err = channel_open(vif, &vif->rx, "event-channel-rx");
    if (err)
        channel_close(&vif->tx);
    return err;
}

static int vif_map_rings(struct vif *vif)
{
    static const char *const nodes[] = { "tx-ring-ref", "rx-ring-ref" };
    struct xenbus_device *dev = vif->dev;

    for (int i = 0; i < 2; i++) {
        uint64_t value;
        grant_ref_t ref;
        int err = store_read_u64(dev->driver->store, dev->frontend_path,
                                 nodes[i], UINT32_MAX, &value);

        if (!err) {
            ref = (grant_ref_t)value;
            err =
                rs_client_map_grants(vif->dev->driver->client, dev->frontend_id,
                                     &ref, 1, false, &vif->rings[i]);
        }
        if (err != 1 || vif->rings[i].status != GNTST_okay) {
            dev_fail(dev, "cannot map %s", nodes[i]);
            rs_client_unmap_grants(vif->dev->driver->client, vif->rings,
                                   (unsigned int)i);
            return err < 0 ? err : -EINVAL;
        }
    }
    return 0;
}

static int vif_connect(struct xenbus_device *dev)
{
    struct store *store = dev->driver->store;
    struct vif *vif = dev->priv;
    struct vif_queue *q = &vif->queue;
    uint64_t queues = 1;
    int err;

    if (!store_read_flag(store, dev->frontend_path, "request-rx-copy")) {
        dev_fail(dev, "the frontend does not ask for request-rx-copy");
        return -EINVAL;
    }
    store_read_u64(store, dev->frontend_path, "multi-queue-num-queues",
                   UINT32_MAX, &queues);
    if (queues != 1) {
        dev_fail(dev, "the frontend asks for more than one queue");
        return -EINVAL;
    }
    err = vif_map_rings(vif);
    if (err)
        return err;
    err = vif_open_channels(vif);
    if (err) {
        dev_fail(dev, "cannot bind the event channel: %s", strerror(-err));
        rs_client_unmap_grants(vif->dev->driver->client, vif->rings, 2);
        return err;
    }
    q->user = (struct vif_queue_user){ vif_notify_tx, vif_notify_rx, vif_broken,
                                       vif };
    q->link = vif->link;
    q->sg = store_read_flag(store, dev->frontend_path, "feature-sg");
    q->persistent =
        store_read_flag(store, dev->frontend_path, "feature-persistent");
    err = vif_queue_init(q, dev->driver->client, dev->frontend_id,
                         vif->rings[0].addr, vif->rings[1].addr);
    if (err) {
        channel_close(&vif->tx);
        channel_close(&vif->rx);
        rs_client_unmap_grants(vif->dev->driver->client, vif->rings, 2);
        return err;
    }
    vif->connected = true;
    vif->link->ops->pause(vif->link, false);
    ring_poll_kick(&vif->poll);
    return 0;
}

static int vif_disconnect(struct xenbus_device *dev)
{
    struct vif *vif = dev->priv;

    vif->connected = false;
    vif->link->ops->pause(vif->link, true);
    ring_poll_remove(&vif->poll);
    channel_close(&vif->tx);
    channel_close(&vif->rx);
    vif_queue_fini(&vif->queue);
    rs_client_unmap_grants(vif->dev->driver->client, vif->rings, 2);
    return 0;
}

static void vif_tell_link(const struct link *link, struct evbuffer *out)
{
    struct link_stats s;

    link->ops->get_stats(link, &s);
    evbuffer_add_printf(out,
                        " tx_filtered=%" PRIu64 " flows=%" PRIu64
                        " flows_evicted=%" PRIu64 " flows_refused=%" PRIu64,
                        s.filtered, s.flows, s.flows_evicted, s.flows_refused);
}

static void vif_tell(struct xenbus_device *dev, struct evbuffer *out)
{
    const struct vif *vif = dev->priv;
    const struct vif_stats *s = &vif->queue.stats;

    evbuffer_add_printf(out,
                        " tx_packets=%" PRIu64 " tx_bytes=%" PRIu64
                        " tx_errors=%" PRIu64 " tx_dropped=%" PRIu64
                        " rx_packets=%" PRIu64 " rx_bytes=%" PRIu64
                        " rx_dropped=%" PRIu64,
                        s->tx_frames, s->tx_bytes, s->tx_errors, s->tx_dropped,
                        s->rx_frames, s->rx_bytes, s->rx_dropped);
    if (vif->link->ops->get_stats)
        vif_tell_link(vif->link, out);
}

static const char *const own_nodes[] = {
    "frontend", "type",      "mtu", "host-loopback", "forward", "mac",
    "ip",       "antispoof", NULL,
};

static const char *const frontend_nodes[] = {
    "request-rx-copy",    "multi-queue-num-queues",
    "tx-ring-ref",        "rx-ring-ref",
    "event-channel",      "feature-sg",
    "feature-persistent", NULL,
};

const struct backend_ops netback_ops = {
    .type = "vif",
    .own_nodes = own_nodes,
    .frontend_nodes = frontend_nodes,
    .create = vif_create,
    .connect = vif_connect,
    .disconnect = vif_disconnect,
    .destroy = vif_destroy,
    .tell = vif_tell,
};
