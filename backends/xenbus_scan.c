/*
 * Devices in the store: which directories there are, which are new, which are
 * gone. An event only says where to look; the store says what is so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "xenbus_room.h"

#define DEVICE_PATH_MAX 128

/* A plain decimal number as a path component; -EINVAL. */
static int parse_component(const char *text, size_t len, unsigned int max,
                           unsigned int *out)
{
    unsigned int v = 0;

    if (len == 0 || len > 9)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        v = v * 10 + (unsigned int)(text[i] - '0');
    }
    *out = v;
    return v > max ? -EINVAL : 0;
}

static const struct backend_ops *find_ops(struct xenbus_room *room,
                                          const char *type, size_t len)
{
    for (unsigned int i = 0; i < room->n_ops; i++) {
        if (strlen(room->ops[i]->type) == len &&
            !memcmp(room->ops[i]->type, type, len))
            return room->ops[i];
    }
    return NULL;
}

static struct xenbus_device *find_device(struct xenbus_room *room,
                                         const struct backend_ops *ops,
                                         unsigned int domid, unsigned int devid)
{
    struct list *pos, *list = bucket(&room->by_domain, domid);

    list_for_each(pos, list) {
        struct xenbus_device *dev =
            container_of(pos, struct xenbus_device, by_domain);

        if (dev->ops == ops && dev->frontend_id == domid &&
            dev->devid == devid && !dev->gone)
            return dev;
    }
    return NULL;
}

/* Its directory is a device's as long as it has a state node. */
static void look_at_device(struct xenbus_room *room,
                           const struct backend_ops *ops, unsigned int domid,
                           unsigned int devid)
{
    struct xenbus_device *dev = find_device(room, ops, domid, devid);
    uint64_t state = XenbusStateUnknown;
    char dir[DEVICE_PATH_MAX];
    int err;

    snprintf(dir, sizeof(dir), BACKEND_ROOT "/%s/%u/%u", ops->type, domid,
             devid);
    err = store_read_u64(room->driver->store, dir, "state",
                         XenbusStateReconfigured, &state);
    if (!dev && err != -ENOENT)
        xenbus_device_found(room, ops, (domid_t)domid, devid, state);
    else if (dev && err != -ENOENT)
        xenbus_device_touched(dev, state);
    else if (dev)
        xenbus_device_gone(dev);
}

static void scan_domain(struct xenbus_room *room, const struct backend_ops *ops,
                        unsigned int domid)
{
    char dir[DEVICE_PATH_MAX];
    unsigned int n, devid;
    char **names;

    snprintf(dir, sizeof(dir), BACKEND_ROOT "/%s/%u", ops->type, domid);
    names = store_list(room->driver->store, dir, &n);
    for (unsigned int i = 0; names && i < n; i++) {
        if (!parse_component(names[i], strlen(names[i]), 0x7fffffff, &devid))
            look_at_device(room, ops, domid, devid);
    }
    free(names);
}

static void scan_type(struct xenbus_room *room, const struct backend_ops *ops)
{
    char dir[DEVICE_PATH_MAX];
    unsigned int n, domid;
    char **names;

    snprintf(dir, sizeof(dir), BACKEND_ROOT "/%s", ops->type);
    names = store_list(room->driver->store, dir, &n);
    for (unsigned int i = 0; names && i < n; i++) {
        if (!parse_component(names[i], strlen(names[i]),
                             DOMID_FIRST_RESERVED - 1, &domid))
            scan_domain(room, ops, domid);
    }
    free(names);
}

/*
 * Something above the devices changed, so whole directories came or went:
 * looks again at what we know at or below `path`, in one list of devices.
 */
static void rescan_list(struct xenbus_room *room, struct list *list,
                        const char *path)
{
    size_t len = strlen(path);
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, list)
    {
        struct xenbus_device *dev =
            container_of(pos, struct xenbus_device, by_domain);

        if (!dev->gone && !strncmp(dev->path, path, len) &&
            dev->path[len] == '/')
            look_at_device(room, dev->ops, dev->frontend_id, dev->devid);
    }
}

static void rescan_all(struct xenbus_room *room, const char *path)
{
    for (uint32_t key = 0; key < BUCKETS; key++)
        rescan_list(room, bucket(&room->by_domain, key), path);
}

/* Only these nodes of a device's directory matter to the handshake. */
static bool is_interesting(const char *node)
{
    return !*node || !strcmp(node, "/state") || !strcmp(node, "/frontend");
}

/* The n first components of a path below BACKEND_ROOT. */
struct parts {
    const char *part[3], *rest;
    size_t len[3];
    unsigned int n;
};

static void split(const char *path, struct parts *p)
{
    size_t root = strlen(BACKEND_ROOT);

    p->n = 0;
    p->rest = strlen(path) < root ? "" : path + root;
    while (p->n < 3 && *p->rest == '/') {
        p->part[p->n] = ++p->rest;
        p->len[p->n] = strcspn(p->rest, "/");
        p->rest += p->len[p->n++];
    }
}

void xenbus_scan_event(void *arg, const char *path)
{
    struct xenbus_room *room = arg;
    const struct backend_ops *ops;
    unsigned int domid, devid;
    struct parts p;

    split(path, &p);
    if (room->stopping)
        return;
    if (p.n < 2)
        rescan_all(room, path);
    if (p.n == 0) {
        for (unsigned int i = 0; i < room->n_ops; i++)
            scan_type(room, room->ops[i]);
        return;
    }
    ops = find_ops(room, p.part[0], p.len[0]);
    if (!ops)
        return;
    if (p.n == 1) {
        scan_type(room, ops);
        return;
    }
    if (parse_component(p.part[1], p.len[1], DOMID_FIRST_RESERVED - 1, &domid))
        return;
    if (p.n == 2) {
        rescan_list(room, bucket(&room->by_domain, domid), path);
        scan_domain(room, ops, domid);
    } else if (is_interesting(p.rest) &&
               !parse_component(p.part[2], p.len[2], 0x7fffffff, &devid)) {
        look_at_device(room, ops, domid, devid);
    }
}
