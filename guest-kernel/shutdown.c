/*
 * The toolstack's wish that this guest end: control/shutdown in the store.
 */
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/xenbus.h"

#define NODE "control/shutdown"

/* "poweroff" and "halt" are obeyed and acknowledged by emptying the node. */
static void control_changed(struct xenbus_watch *w, const char *path)
{
    char *wish;

    (void)w;
    (void)path;
    if (xenbus_read(XENBUS_NO_TX, NODE, &wish, NULL))
        return;
    if (strcmp(wish, "poweroff") == 0 || strcmp(wish, "halt") == 0) {
        xenbus_write(XENBUS_NO_TX, NODE, "");
        exit(0);
    }
    free(wish);
}

static void start(void *arg)
{
    static struct xenbus_watch watch = { .fn = control_changed };

    (void)arg;
    xenbus_watch(&watch, NODE);
}

/* In a thread of its own, so that main() does not wait for the store. */
void shutdown_watch_start(void)
{
    struct thread *t = thread_create("shutdown", start, NULL, 0);

    if (t)
        thread_detach(t);
}
