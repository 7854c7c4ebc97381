/*
 * Watches: their registry, and the thread that calls them.
 */
#include "guest-kernel/xenbus_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/thread.h"

static struct list watches = LIST_INIT(watches);
static struct thread *dispatcher;
static struct xenbus_watch *running; /* whose callback is under way */
static struct wait_queue finished = WAIT_QUEUE_INIT(finished);
static unsigned int tokens;

static struct xenbus_watch *find(const char *token)
{
    struct list *pos;

    list_for_each(pos, &watches) {
        struct xenbus_watch *w = container_of(pos, struct xenbus_watch, link);

        if (strcmp(w->token, token) == 0)
            return w;
    }
    return NULL;
}

static void dispatch(const struct xs_event *e)
{
    const char *path = e->body, *token = path + strlen(path) + 1;

    running = find(token);
    if (running)
        running->fn(running, path);
    running = NULL;
    wait_queue_wake_all(&finished);
}

static void dispatch_events(void *arg)
{
    (void)arg;
    for (;;) {
        struct xs_event *e = xs_event_wait();

        dispatch(e);
        free(e);
    }
}

static int start_dispatcher(void)
{
    if (dispatcher)
        return 0;
    dispatcher = thread_create("xenbus", dispatch_events, NULL, 0);
    if (!dispatcher)
        return -ENOMEM;
    thread_detach(dispatcher);
    return 0;
}

static int watch_request(enum xsd_sockmsg_type type, struct xenbus_watch *w)
{
    struct xs_part parts[] = { xs_string(w->path), xs_string(w->token) };

    return xs_request(type, XENBUS_NO_TX, parts, 2, NULL, NULL);
}

int xenbus_watch(struct xenbus_watch *w, const char *path)
{
    int err = start_dispatcher();

    if (err)
        return err;
    snprintf(w->token, sizeof(w->token), "w%u", ++tokens);
    w->path = strdup(path);
    if (!w->path)
        return -ENOMEM;
    list_add_tail(&watches, &w->link);
    err = watch_request(XS_WATCH, w);
    if (err) {
        list_del(&w->link);
        free(w->path);
        w->path = NULL;
    }
    return err;
}

void xenbus_unwatch(struct xenbus_watch *w)
{
    if (!w->path)
        return;
    kernel_assert(thread_current() != dispatcher || running != w);
    list_del(&w->link);
    watch_request(XS_UNWATCH, w);
    wait_event(&finished, running != w, NEVER);
    free(w->path);
    w->path = NULL;
}

int xenbus_init(const struct start_info *si)
{
    return xs_ring_init(si);
}
