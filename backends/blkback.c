/*
 * The block backend's side of the store: what the toolstack says about a
 * disk, what we offer, what the frontend chose. See docs/block.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "blk_request.h"
#include "blkback.h"
#include "slow_call.h"
#include "store.h"

/* One mebibyte in one request; the segments fill half an indirect page. */
#define MAX_INDIRECT 256

/* Opening and closing take as long as the server of the file system likes: a
 * thread does it. */
struct blkback {
    struct xenbus_device *dev;
    struct slow_call call;
    char *path;
    enum image_use use;
    bool may_discard;
    unsigned int info; /* VDISK_..., but what the disk says */
    int err;           /* of opening it */

    struct disk *disk;
    struct blk_ring *ring; /* while connected */
};

/* The words of the node `mode`; -EINVAL. */
static int parse_mode(const char *mode)
{
    static const char *const words[] = {
        [IMAGE_READ] = "r", [IMAGE_WRITE] = "w", [IMAGE_WRITE_SHARED] = "w!"
    };

    for (int i = 0; mode && i < (int)(sizeof(words) / sizeof(words[0])); i++) {
        if (!strcmp(mode, words[i]))
            return i;
    }
    return -EINVAL;
}

/* What the toolstack says of the file. -EINVAL after dev_fail(). */
static int read_params(struct xenbus_device *dev, struct blkback *b)
{
    struct store *store = dev->driver->store;
    char *mode = store_read(store, dev->path, "mode");
    char *type = store_read(store, dev->path, "type");
    int use = parse_mode(mode);

    b->path = store_read(store, dev->path, "params");
    if (!b->path || b->path[0] != '/')
        dev_fail(dev, "params: '%s' is not an absolute path",
                 b->path ? b->path : "");
    else if (use < 0)
        dev_fail(dev, "mode: '%s' is neither r, w nor w!", mode ? mode : "");
    else if (type && strcmp(type, "file") && strcmp(type, "phy"))
        dev_fail(dev, "type: '%s' is neither file nor phy", type);
    b->use = (enum image_use)use;
    free(mode);
    free(type);
    return dev->failed ? -EINVAL : 0;
}

/* What it says of the disk: later nobody has to ask. */
static void read_features(struct xenbus_device *dev, struct blkback *b)
{
    char *kind = store_read(dev->driver->store, dev->path, "device-type");
    uint64_t discard = 1;

    if (kind && !strcmp(kind, "cdrom"))
        b->info |= VDISK_CDROM;
    if (store_read_flag(dev->driver->store, dev->path, "removable"))
        b->info |= VDISK_REMOVABLE;
    store_read_u64(dev->driver->store, dev->path, "discard-enable", 1,
                   &discard);
    b->may_discard = discard != 0;
    free(kind);
}

/* Everything that a frontend wants to know is there before InitWait; what is
 * not there has the default of <xen/io/blkif.h>. */
static void publish(struct xenbus_device *dev, const struct blkback *b)
{
    const struct disk *disk = b->disk;
    const struct {
        const char *node;
        unsigned long long value;
    } nodes[] = {
        { "sectors", disk->sectors },
        { "sector-size", disk->sector_size },
        { "physical-sector-size", disk->physical_sector_size },
        { "info", b->info | (disk->read_only ? VDISK_READONLY : 0) },
        { "feature-flush-cache", 1 },
        { "feature-barrier", 1 },
        { "feature-persistent", 1 },
        { "feature-discard", disk->can_discard },
        { "discard-granularity", disk->discard_granularity },
        { "feature-max-indirect-segments", MAX_INDIRECT },
        { "max-ring-page-order", BLKBACK_MAX_RING_ORDER },
    };

    for (unsigned int i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (!strncmp(nodes[i].node, "discard", 7) && !disk->can_discard)
            continue;
        store_write_soon(dev->driver->store, dev->path, nodes[i].node, "%llu",
                         nodes[i].value);
    }
}

static void blkback_free(struct blkback *b)
{
    free(b->path);
    free(b);
}

/* In a thread: touches nothing of the device but what is the call's. */
static void open_disk(struct slow_call *call)
{
    struct blkback *b = container_of(call, struct blkback, call);
    const struct driver *driver = b->dev->driver;

    b->err = disk_file_open(b->path, b->use, (enum disk_io_mode)driver->disk_io,
                            driver->disk_async, &b->disk);
}

static void disk_opened(struct slow_call *call)
{
    struct blkback *b = container_of(call, struct blkback, call);
    struct xenbus_device *dev = b->dev;
    int err = b->err;

    if (err == -EROFS)
        dev_fail(dev, "%s: it may only be read; access r would do", b->path);
    else if (err)
        dev_fail(dev, "%s: %s", b->path, strerror(-err));
    if (err) {
        blkback_free(b);
        xenbus_backend_created(dev, err);
        return;
    }
    b->disk->can_discard &= b->may_discard;
    if (!dev->gone) {
        publish(dev, b);
        dev_log(dev, "%llu sectors%s", (unsigned long long)b->disk->sectors,
                b->disk->read_only ? ", read-only" : "");
    }
    xenbus_backend_created(dev, 0);
}

static int blkback_create(struct xenbus_device *dev)
{
    struct blkback *b = calloc(1, sizeof(*b));
    int err;

    if (!b)
        return -ENOMEM;
    b->dev = dev;
    err = read_params(dev, b);
    if (err) {
        blkback_free(b);
        return err;
    }
    read_features(dev, b);
    dev->priv = b;
    b->call = (struct slow_call){ .run = open_disk, .done = disk_opened };
    slow_calls_make(dev->driver->slow, &b->call);
    return -EINPROGRESS;
}

static int read_refs(struct xenbus_device *dev, struct blk_ring_config *config)
{
    struct store *store = dev->driver->store;
    uint64_t order = 0, ref;
    char node[16];
    int err;

    err = store_read_u64(store, dev->frontend_path, "ring-page-order",
                         BLKBACK_MAX_RING_ORDER, &order);
    if (err && err != -ENOENT) {
        dev_fail(dev, "ring-page-order is not a number up to %d",
                 BLKBACK_MAX_RING_ORDER);
        return err;
    }
    config->n_refs = 1u << order;
    for (unsigned int i = 0; i < config->n_refs; i++) {
        if (err == -ENOENT)
            snprintf(node, sizeof(node), "ring-ref");
        else
            snprintf(node, sizeof(node), "ring-ref%u", i);
        if (store_read_u64(store, dev->frontend_path, node, UINT32_MAX, &ref)) {
            dev_fail(dev, "the frontend's %s is not a reference", node);
            return -EINVAL;
        }
        config->refs[i] = (grant_ref_t)ref;
    }
    return 0;
}

static int read_config(struct xenbus_device *dev,
                       struct blk_ring_config *config)
{
    struct store *store = dev->driver->store;
    char *protocol = store_read(store, dev->frontend_path, "protocol");
    bool foreign = protocol && strcmp(protocol, "x86_64-abi");
    uint64_t port, queues = 1;
    int err;

    free(protocol);
    if (foreign) {
        dev_fail(dev, "the frontend's protocol is not x86_64-abi");
        return -EPROTONOSUPPORT;
    }
    err = store_read_u64(store, dev->frontend_path, "multi-queue-num-queues", 1,
                         &queues);
    if ((err && err != -ENOENT) || !queues) {
        dev_fail(dev, "the frontend wants more queues than one");
        return -EINVAL;
    }
    if (store_read_u64(store, dev->frontend_path, "event-channel", UINT32_MAX,
                       &port)) {
        dev_fail(dev, "the frontend's event-channel is not a port");
        return -EINVAL;
    }
    config->port = (evtchn_port_t)port;
    config->persistent =
        store_read_flag(store, dev->frontend_path, "feature-persistent");
    return read_refs(dev, config);
}

static int blkback_connect(struct xenbus_device *dev)
{
    struct blkback *b = dev->priv;
    struct blk_ring_config config;
    int err = read_config(dev, &config);

    if (err)
        return err;
    return blk_ring_connect(dev, b->disk, MAX_INDIRECT, &config, &b->ring);
}

static int blkback_disconnect(struct xenbus_device *dev)
{
    struct blkback *b = dev->priv;
    struct blk_ring *ring = b->ring;

    b->ring = NULL;
    return blk_ring_disconnect(ring);
}

static void close_disk(struct slow_call *call)
{
    struct disk *disk = container_of(call, struct blkback, call)->disk;

    disk->ops->close(disk);
}

static void disk_closed(struct slow_call *call)
{
    struct blkback *b = container_of(call, struct blkback, call);
    struct xenbus_device *dev = b->dev;

    blkback_free(b);
    xenbus_backend_destroyed(dev);
}

static int blkback_destroy(struct xenbus_device *dev)
{
    struct blkback *b = dev->priv;

    b->disk->ops->leave(b->disk);
    b->call = (struct slow_call){ .run = close_disk, .done = disk_closed };
    slow_calls_make(dev->driver->slow, &b->call);
    return -EINPROGRESS;
}

static void blkback_tell(struct xenbus_device *dev, struct evbuffer *out)
{
    const struct blkback *b = dev->priv;
    const struct disk_stats *s = &b->disk->stats;

    evbuffer_add_printf(out,
                        " reads=%" PRIu64 " read_bytes=%" PRIu64
                        " writes=%" PRIu64 " write_bytes=%" PRIu64
                        " flushes=%" PRIu64 " discards=%" PRIu64
                        " errors=%" PRIu64,
                        s->reads, s->read_bytes, s->writes, s->write_bytes,
                        s->flushes, s->discards, s->errors);
}

static const char *const own_nodes[] = {
    "frontend",    "params",    "mode",           "type",
    "device-type", "removable", "discard-enable", NULL,
};

static const char *const frontend_nodes[] = {
    "protocol",
    "multi-queue-num-queues",
    "event-channel",
    "feature-persistent",
    "ring-page-order",
    "ring-ref",
    NULL,
};

const struct backend_ops blkback_ops = {
    .type = "vbd",
    .own_nodes = own_nodes,
    .frontend_nodes = frontend_nodes,
    .create = blkback_create,
    .connect = blkback_connect,
    .disconnect = blkback_disconnect,
    .destroy = blkback_destroy,
    .tell = blkback_tell,
};
