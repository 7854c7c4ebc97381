/*
 * Descriptors of the application in the host's loop (rs_host_watch()).
 *
 * Unlike the host's own, their handlers run without its lock, so that they may
 * call the library; so a handler may run while another thread dispatches or
 * unwatches. Each descriptor is watched for one event (EPOLLONESHOT) and again
 * when its handler has returned: it never runs twice at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct app_watch {
    struct watch w;
    struct rs_host *host;
    struct list link;       /* rs_host.app_watches, unless unwatched */
    struct list ready_link; /* rs_host.app_ready, if an event came */
    uint32_t events, got;
    void (*ready)(void *data, uint32_t events);
    void *data;
    bool running; /* in the thread `runner` */
    bool removed; /* by the handler itself: freed when it returns */
    pthread_t runner;
};

static void note_event(void *data, uint32_t events)
{
    struct app_watch *a = data;

    a->got = events;
    list_add_tail(&a->host->app_ready, &a->ready_link);
}

static struct app_watch *watch_of(struct rs_host *h, int fd)
{
    struct list *pos;

    list_for_each(pos, &h->app_watches) {
        struct app_watch *a = container_of(pos, struct app_watch, link);

        if (a->w.fd == fd)
            return a;
    }
    return NULL;
}

int rs_host_watch(struct rs_host *h, int fd, uint32_t events,
                  void (*ready)(void *data, uint32_t events), void *data)
{
    struct app_watch *a = calloc(1, sizeof(*a));
    int err;

    host_clear_error();
    host_lock(h);
    err = a ? host_watch(h, &a->w, fd, events | EPOLLONESHOT, note_event, a)
            : -ENOMEM;
    if (err) {
        host_error(h, err, "cannot watch descriptor %d: %s", fd,
                   strerror(-err));
        free(a);
    } else {
        a->host = h;
        a->events = events;
        a->ready = ready;
        a->data = data;
        list_init(&a->ready_link);
        list_add_tail(&h->app_watches, &a->link);
    }
    host_unlock(h);
    return err;
}

/* No event of it comes any more; frees it unless its handler runs here. */
static void remove_watch(struct rs_host *h, struct app_watch *a)
{
    host_unwatch(h, &a->w);
    list_del(&a->link);
    list_del(&a->ready_link);
    if (a->running && pthread_equal(a->runner, pthread_self())) {
        a->removed = true;
        return;
    }
    while (a->running)
        host_wait(h, &h->app_returned);
    free(a);
}

int rs_host_unwatch(struct rs_host *h, int fd)
{
    struct app_watch *a;
    int err = 0;

    host_clear_error();
    host_lock(h);
    a = watch_of(h, fd);
    if (a)
        remove_watch(h, a);
    else
        err = host_error(h, -ENOENT, "descriptor %d is not watched", fd);
    host_unlock(h);
    return err;
}

static void run_handler(struct rs_host *h, struct app_watch *a)
{
    list_del(&a->ready_link);
    a->running = true;
    a->runner = pthread_self();
    host_unlock(h);
    a->ready(a->data, a->got);
    host_lock(h);
    a->running = false;
    if (a->removed)
        free(a);
    else if (a->w.ready) /* no other thread waits to free it */
        host_rewatch(h, &a->w, a->events | EPOLLONESHOT);
    pthread_cond_broadcast(&h->app_returned);
}

void app_watches_rearm(struct rs_host *h, const struct epoll_event *ev, int n)
{
    struct list *pos;

    list_for_each(pos, &h->app_watches) {
        struct app_watch *a = container_of(pos, struct app_watch, link);

        for (int i = 0; i < n; i++)
            if (ev[i].data.ptr == &a->w && !a->running &&
                list_empty(&a->ready_link))
                host_rewatch(h, &a->w, a->events | EPOLLONESHOT);
    }
}

void app_watches_run(struct rs_host *h)
{
    while (!list_empty(&h->app_ready))
        run_handler(
            h, container_of(h->app_ready.next, struct app_watch, ready_link));
}

void app_watches_init(struct rs_host *h)
{
    list_init(&h->app_watches);
    list_init(&h->app_ready);
    pthread_cond_init(&h->app_returned, NULL);
}

void app_watches_free(struct rs_host *h)
{
    while (!list_empty(&h->app_watches))
        remove_watch(h,
                     container_of(h->app_watches.next, struct app_watch, link));
    pthread_cond_destroy(&h->app_returned);
}
