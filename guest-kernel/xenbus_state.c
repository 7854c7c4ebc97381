/*
 * States of devices: <xen/io/xenbus.h>. See xenbus.h.
 */
#include "guest-kernel/xenbus_ring.h"

#include "guest-kernel/thread.h"

int xenbus_state_ask(const char *path)
{
    uint64_t state;
    int err = xenbus_read_uint(XENBUS_NO_TX, path, &state);

    if (err == -EIO || err == -ENOMEM)
        return err;
    return !err && state <= XenbusStateReconfigured ? (int)state
                                                    : XenbusStateUnknown;
}

enum xenbus_state xenbus_state_read(const char *path)
{
    int state = xenbus_state_ask(path);

    return state < 0 ? XenbusStateUnknown : (enum xenbus_state)state;
}

int xenbus_state_write(xenbus_tx tx, const char *path, enum xenbus_state state)
{
    return xenbus_printf(tx, path, "%d", state);
}

static void state_changed(struct xenbus_watch *w, const char *path)
{
    (void)path;
    semaphore_up(w->arg);
}

int xenbus_state_wait(const char *path, unsigned int states, uint64_t deadline)
{
    struct semaphore changed = SEMAPHORE_INIT(changed, 0);
    struct xenbus_watch w = { .fn = state_changed, .arg = &changed };
    int state = xenbus_state_read(path), err;

    if (states >> state & 1)
        return state;
    err = xenbus_watch(&w, path);
    while (!err) {
        err = semaphore_down(&changed, deadline);
        state = xenbus_state_read(path);
        if (states >> state & 1)
            break;
    }
    xenbus_unwatch(&w);
    return states >> state & 1 ? state : err;
}
