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

static int watch_request(enum xsd_sockmsg_type type, struct xenbus_watch *w)
{
    struct xs_part parts[] = { xs_string(w->path), xs_string(w->token) };

    return xs_request(type, XENBUS_NO_TX, parts, 2, NULL, NULL);
}

static void call(struct xenbus_watch *w, const char *path)
{
    running = w;
    w->fn(w, path);
    running = NULL;
    wait_queue_wake_all(&finished);
}

static void dispatch(const struct xs_event *e)
{
    const char *path = e->body, *token = path + strlen(path) + 1;
    struct xenbus_watch *w = find(token);

    if (w)
        call(w, path);
}

/* A watch that the store does not know of, or that was kicked; or NULL. */
static struct xenbus_watch *next_to_refresh(void)
{
    struct list *pos;
    bool dead = xs_is_dead();

    list_for_each(pos, &watches) {
        struct xenbus_watch *w = container_of(pos, struct xenbus_watch, link);

        if (w->kicked || (w->connection != xs_connection() && !dead))
            return w;
    }
    return NULL;
}

/* The list may change while a watch is set again or its callback runs. */
static void refresh_watches(void)
{
    struct xenbus_watch *w;

    while ((w = next_to_refresh()) != NULL) {
        if (!w->kicked) {
            /* The store reports it at once, as after xenbus_watch(). */
            running = w;
            w->connection = xs_connection();
            watch_request(XS_WATCH, w);
            running = NULL;
            wait_queue_wake_all(&finished);
        } else {
            w->kicked = false;
            call(w, w->path);
        }
    }
}

static void dispatch_events(void *arg)
{
    (void)arg;
    for (;;) {
        struct xs_event *e = xs_event_wait();

        if (e)
            dispatch(e);
        else
            refresh_watches();
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

int xenbus_watch(struct xenbus_watch *w, const char *path)
{
    int err = start_dispatcher();

    if (err)
        return err;
    snprintf(w->token, sizeof(w->token), "w%u", ++tokens);
    w->path = strdup(path);
    if (!w->path)
        return -ENOMEM;
    w->kicked = false;
    w->connection = xs_connection();
    list_add_tail(&watches, &w->link);
    err = watch_request(XS_WATCH, w);
    if (err) {
        list_del(&w->link);
        wait_event(&finished, running != w, NEVER);
        free(w->path);
        w->path = NULL;
    }
    return err;
}

void xenbus_watch_kick(struct xenbus_watch *w)
{
    w->kicked = true;
    xs_kick();
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
