/*
 * The host's lock, the descriptors that it watches, and the loop that brings
 * what happens at them to their owners.
 */
#include "config.h"

#include "host.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine.h"

/* ---- the lock ---- */

/* Its address tells this thread from others. */
static __thread const char thread_mark;
static __thread bool needs_no_lock;

static void set_holder(struct rs_host *h, const char *mark)
{
    __atomic_store_n(&h->holder, mark, __ATOMIC_RELAXED);
}

static bool try_lock(struct rs_host *h)
{
    if (pthread_mutex_trylock(&h->lock))
        return false;
    set_holder(h, &thread_mark);
    return true;
}

/* Whoever waits ends a poll, which would take the lock again at once. */
void host_lock(struct rs_host *h)
{
    if (try_lock(h))
        return;
    __atomic_fetch_add(&h->waiting, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&h->lock);
    __atomic_fetch_sub(&h->waiting, 1, __ATOMIC_RELAXED);
    set_holder(h, &thread_mark);
}

bool host_is_locked_by_us(const struct rs_host *h)
{
    return needs_no_lock ||
           __atomic_load_n(&h->holder, __ATOMIC_RELAXED) == &thread_mark;
}

void host_need_no_lock(void)
{
    needs_no_lock = true;
}

/* From here on, what epoll reported to a thread before is out of date. */
void host_unlock(struct rs_host *h)
{
    set_holder(h, NULL);
    __atomic_fetch_add(&h->epoch, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&h->lock);
}

void host_wait(struct rs_host *h, pthread_cond_t *cond)
{
    set_holder(h, NULL);
    __atomic_fetch_add(&h->epoch, 1, __ATOMIC_RELEASE);
    pthread_cond_wait(cond, &h->lock);
    set_holder(h, &thread_mark);
}

/* ---- watched descriptors ---- */

int host_watch(struct rs_host *h, struct watch *w, int fd, uint32_t events,
               void (*ready)(void *, uint32_t), void *data)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };

    w->fd = fd;
    w->ready = ready;
    w->data = data;
    return epoll_ctl(h->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int host_rewatch(struct rs_host *h, struct watch *w, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };

    return epoll_ctl(h->epfd, EPOLL_CTL_MOD, w->fd, &ev) ? -errno : 0;
}

void host_unwatch(struct rs_host *h, struct watch *w)
{
    if (!w->ready)
        return;
    epoll_ctl(h->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    w->ready = NULL;
    /* Its owner may free it now: forget what this batch still holds. */
    for (int i = 0; i < h->batch_n; i++)
        if (h->batch[i].data.ptr == w)
            h->batch[i].data.ptr = NULL;
}

/* ---- the loop ---- */

static void woken(void *data, uint32_t events)
{
    struct rs_host *h = data;
    uint64_t n;

    (void)events;
    while (read(h->wake.fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
        ;
}

/* An eventfd, watched. */
static int open_eventfd(struct rs_host *h, struct watch *w,
                        void (*ready)(void *, uint32_t))
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

    if (fd < 0)
        return host_error(h, -errno, "eventfd: %s", strerror(errno));
    err = host_watch(h, w, fd, EPOLLIN, ready, h);
    return err ? host_error(h, err, "epoll: %s", strerror(-err)) : 0;
}

int host_open_loop(struct rs_host *h)
{
    h->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (h->epfd < 0)
        return host_error(h, -errno, "epoll: %s", strerror(errno));
    return open_eventfd(h, &h->wake, woken);
}

void host_close_loop(struct rs_host *h)
{
    if (h->wake.fd >= 0)
        close(h->wake.fd);
    if (h->epfd >= 0)
        close(h->epfd);
}

int rs_host_fd(const struct rs_host *h)
{
    return h->epfd;
}

/*
 * Polling is a way to wait. True: not to be left for long, so do not sleep.
 * Another thread that has the lock, or waits for it, comes first.
 */
static bool poll_engine(struct rs_host *h)
{
    bool more;

    if (!__atomic_load_n(&h->polling, __ATOMIC_RELAXED) ||
        host_lock_contended(h) || !try_lock(h))
        return false;
    more = h->engine->poll(h);
    host_unlock(h);
    return more;
}

int rs_host_dispatch(struct rs_host *h, int timeout_ms)
{
    bool polling = timeout_ms && poll_engine(h);
    uint64_t epoch = __atomic_load_n(&h->epoch, __ATOMIC_ACQUIRE);
    struct epoll_event ev[HOST_BATCH];
    int n = epoll_wait(h->epfd, ev, HOST_BATCH, polling ? 0 : timeout_ms);

    host_clear_error();
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0)
        return host_error(h, -errno, "epoll: %s", strerror(errno));
    host_lock(h);
    /* Another thread had the lock since, or still as we looked: what we saw may
     * be done already (a second RECV would block, and the host with it), or its
     * owner may be freed. So look again. */
    if (epoch != __atomic_load_n(&h->epoch, __ATOMIC_ACQUIRE)) {
        app_watches_rearm(h, ev, n);
        n = epoll_wait(h->epfd, ev, HOST_BATCH, 0);
    }
    h->may_poll = timeout_ms != 0;
    memcpy(h->batch, ev, n > 0 ? (size_t)n * sizeof(ev[0]) : 0);
    h->batch_n = n;
    for (int i = 0; i < n; i++) {
        struct watch *w = h->batch[i].data.ptr;

        if (w && w->ready)
            w->ready(w->data, h->batch[i].events);
    }
    h->batch_n = 0;
    app_watches_run(h);
    host_unlock(h);
    host_clear_error(); /* of guests, tools and handlers, not of this call */
    return 0;
}

int rs_host_run(struct rs_host *h)
{
    int err = 0;

    while (!err && !__atomic_load_n(&h->stopping, __ATOMIC_ACQUIRE))
        err = rs_host_dispatch(h, -1);
    __atomic_store_n(&h->stopping, false, __ATOMIC_RELEASE);
    return err;
}

void rs_host_stop(struct rs_host *h)
{
    uint64_t one = 1;

    __atomic_store_n(&h->stopping, true, __ATOMIC_RELEASE);
    if (write(h->wake.fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: it will be read */
}

/* ---- information about it ---- */

void host_fill_info(struct rs_host *h, struct rs_host_info *info)
{
    *info = (struct rs_host_info){
        .pid = (uint32_t)getpid(),
        .domains = h->nr_domains,
        .cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
        .flags = h->flags,
        .memory_kib = h->budget_pages * (PAGE_SIZE / 1024),
        .memory_free_kib =
            (h->budget_pages - h->used_pages) * (PAGE_SIZE / 1024),
        .uptime_ns = host_now() - h->boot_ns,
    };
    strncpy(info->engine, h->engine->name, sizeof(info->engine) - 1);
    strncpy(info->version, PACKAGE_VERSION, sizeof(info->version) - 1);
}
