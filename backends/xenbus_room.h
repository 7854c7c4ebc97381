/*
 * Between the two files of the handshake: xenbus_scan.c finds devices in the
 * store and tells when they are gone, xenbus_backend.c leads each through its
 * states.
 */
#ifndef RINGSIDE_BACKENDS_XENBUS_ROOM_H
#define RINGSIDE_BACKENDS_XENBUS_ROOM_H

#include "buckets.h"
#include "xenbus_backend.h"

/* Where the toolstack makes the directories of the driver domain's devices. */
#define BACKEND_ROOT "/local/domain/1/backend"

struct event;

struct xenbus_room {
    struct driver *driver;
    const struct backend_ops *const *ops;
    unsigned int n_ops;
    struct list devices;
    struct buckets by_domain;  /* the same, by frontend_id */
    struct store_watch *watch; /* BACKEND_ROOT */
    struct event *deferred;    /* devices with `failed` or `moved` set */
    bool stopping;
};

/* A directory of a kind that we serve appeared, in which our state node says
 * `found`: leads it up to InitWait. */
void xenbus_device_found(struct xenbus_room *room,
                         const struct backend_ops *ops, domid_t frontend_id,
                         unsigned int devid, uint64_t found);

/* Its directory is gone: disconnects, and frees it when that is done. */
void xenbus_device_gone(struct xenbus_device *dev);

/* Our state node says `now`: a tool may have asked us to close. */
void xenbus_device_touched(struct xenbus_device *dev, uint64_t now);

/* The store watch on BACKEND_ROOT. */
void xenbus_scan_event(void *arg, const char *path);

#endif
