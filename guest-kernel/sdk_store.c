/*
 * <ringside/guest.h>: the store.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdlib.h>

#include "guest-kernel/vcpu.h"
#include "guest-kernel/xenbus.h"

struct rs_watch {
    struct xenbus_watch watch;
    void (*fn)(void *arg, const char *path);
    void *arg;
};

int rs_store_read(const char *path, char **value)
{
    IN_KERNEL();
    return xenbus_read(XENBUS_NO_TX, path, value, NULL);
}

int rs_store_write(const char *path, const char *value)
{
    IN_KERNEL();
    return xenbus_write(XENBUS_NO_TX, path, value);
}

int rs_store_remove(const char *path)
{
    IN_KERNEL();
    return xenbus_rm(XENBUS_NO_TX, path);
}

int rs_store_list(const char *path, char ***names, size_t *n)
{
    IN_KERNEL();
    return xenbus_ls(XENBUS_NO_TX, path, names, n);
}

static void watch_fired(struct xenbus_watch *watch, const char *path)
{
    struct rs_watch *w = container_of(watch, struct rs_watch, watch);

    w->fn(w->arg, path);
}

int rs_store_watch(const char *path, void (*fn)(void *arg, const char *path),
                   void *arg, struct rs_watch **out)
{
    IN_KERNEL();
    struct rs_watch *w = calloc(1, sizeof(*w));
    int err;

    if (!w)
        return -ENOMEM;
    w->watch.fn = watch_fired;
    w->fn = fn;
    w->arg = arg;
    err = xenbus_watch(&w->watch, path);
    if (err)
        free(w);
    else
        *out = w;
    return err;
}

void rs_store_unwatch(struct rs_watch *w)
{
    IN_KERNEL();
    xenbus_unwatch(&w->watch);
    free(w);
}
