/*
 * The host: its loop, its budget, and the public API, each call of which is
 * the lock around a call of the room that does the work.
 */
#include "config.h"

#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "build/builder.h"
#include "control/control.h"
#include "domain.h"
#include "clock.h"

static const struct engine_ops *const engines[] = { &engine_sandbox,
                                                    &engine_test };

const char *rs_version(void)
{
    return PACKAGE_VERSION;
}

/* ---- the lock ---- */

/* Whoever waits ends a poll, which would take the lock again at once. */
void host_lock(struct rs_host *h)
{
    if (!pthread_mutex_trylock(&h->lock))
        return;
    __atomic_fetch_add(&h->waiting, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&h->lock);
    __atomic_fetch_sub(&h->waiting, 1, __ATOMIC_RELAXED);
}

/* From here on, what epoll told a thread before is out of date. */
void host_unlock(struct rs_host *h)
{
    __atomic_fetch_add(&h->epoch, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&h->lock);
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

/* ---- budget and table ---- */

int host_charge(struct rs_host *h, uint64_t pages)
{
    if (pages > h->budget_pages - h->used_pages)
        return -ENOMEM;
    h->used_pages += pages;
    return 0;
}

void host_uncharge(struct rs_host *h, uint64_t pages)
{
    h->used_pages -= pages;
}

#define RESERVE_LEAST 32u
#define RESERVE_MOST  2048u

static void count_files(struct rs_host *h)
{
    const rlim_t most = 1u << 24;
    uint32_t kept;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > most)
        r.rlim_cur = most;
    h->files_limit = (uint32_t)r.rlim_cur;
    kept = h->files_limit / 8;
    if (kept > RESERVE_MOST)
        kept = RESERVE_MOST;
    h->files_reserve = kept + RESERVE_LEAST;
    if (h->files_reserve > h->files_limit / 2)
        h->files_reserve = h->files_limit / 2;
}

int host_charge_files(struct rs_host *h, uint32_t n, uint32_t held)
{
    uint32_t all, left;

    if (held == HOST_FILES_NEW)
        count_files(h); /* somebody may have changed the limit */
    all = h->files_limit - h->files_reserve;
    if (held == HOST_FILES_NEW)
        all += h->files_reserve / 4;
    if (all < h->files_used || n > all - h->files_used)
        return -ENOSPC;
    left = all - h->files_used - n;
    if (held != HOST_FILES_NEW && held + n > HOST_FILES_LEAST &&
        held + n > left / HOST_FILES_PART)
        return -ENOSPC;
    h->files_used += n;
    return 0;
}

void host_uncharge_files(struct rs_host *h, uint32_t n)
{
    h->files_used -= n;
}

uint32_t host_clients_max(const struct rs_host *h)
{
    uint32_t n = h->files_reserve > 2 * RESERVE_LEAST
                     ? h->files_reserve - RESERVE_LEAST
                     : h->files_reserve / 2;

    return n < CONTROL_CLIENTS_MAX ? n : CONTROL_CLIENTS_MAX;
}

struct domain *host_domain(struct rs_host *h, domid_t domid)
{
    return domid < DOMID_FIRST_RESERVED ? h->domains[domid] : NULL;
}

/* ---- life ---- */

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

static const struct engine_ops *engine_named(const char *name)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (!strcmp(engines[i]->name, name))
            return engines[i];
    return NULL;
}

static uint64_t default_budget_kib(void)
{
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);

    return pages / 4 * 3 * (PAGE_SIZE / 1024);
}

static bool has_swap(void)
{
    struct sysinfo info;

    return !sysinfo(&info) && info.totalswap > 0;
}

static int host_init(struct rs_host *h, const struct rs_host_config *c)
{
    const char *name = c->engine ? c->engine : "sandbox";
    int err;

    h->engine = engine_named(name);
    if (!h->engine)
        return host_error(h, -EINVAL,
                          "no engine '%s' (there are: sandbox, test)", name);
    h->domains =
        mmap(NULL, DOMID_FIRST_RESERVED * sizeof(*h->domains),
             PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (h->domains == MAP_FAILED)
        return host_error(h, -ENOMEM, "no memory for the domain table");
    h->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (h->epfd < 0)
        return host_error(h, -errno, "epoll: %s", strerror(errno));
    err = open_eventfd(h, &h->wake, woken);
    if (!err)
        err = time_open_watch(h, &h->ends, domain_ends_ready);
    if (!err)
        err = time_open(h);
    if (err)
        return err;
    return h->engine->host_open(h);
}

int rs_host_new(const struct rs_host_config *config, struct rs_host **host)
{
    static const struct rs_host_config none;
    const struct rs_host_config *c = config ? config : &none;
    uint64_t kib = c->memory_kib ? c->memory_kib : default_budget_kib();
    struct rs_host *h = calloc(1, sizeof(*h));
    int err;

    *host = NULL;
    if (!h)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    list_init(&h->domain_list);
    buckets_init(&h->names);
    buckets_init(&h->pids);
    list_init(&h->timers);
    list_init(&h->ending);
    h->slice_ns = HOST_SLICE_NS;
    h->slice_rest_ns = HOST_SLICE_REST_NS;
    h->epfd = h->wake.fd = h->ends.fd = h->timer.fd = -1;
    h->next_domid = RS_DOMID_FIRST_GUEST;
    h->budget_pages = kib / (PAGE_SIZE / 1024);
    h->hold_pinned = has_swap();
    h->boot_ns = host_now();
    count_files(h);
    h->flags = c->flags;
    h->log = c->log;
    h->domain_event = c->domain_event;
    h->data = c->data;
    err = host_init(h, c);
    if (err) {
        rs_host_free(h);
        return err;
    }
    *host = h;
    return 0;
}

/* The oldest domain whose end has not come, or is not complete. */
static struct domain *any_alive(struct rs_host *h)
{
    struct list *pos;

    list_for_each(pos, &h->domain_list) {
        struct domain *d = container_of(pos, struct domain, link);

        if (!d->dying || d->end != END_DONE)
            return d;
    }
    return NULL;
}

void rs_host_free(struct rs_host *h)
{
    struct domain *d;

    if (!h)
        return;
    host_lock(h);
    h->domain_event = NULL;
    control_close(h);
    /* Each frees the dying granters whose last mapper it was: so from the
     * start every time, and none is left after the last. */
    while ((d = any_alive(h)) != NULL)
        domain_destroy(d);
    if (h->engine && h->engine_host)
        h->engine->host_close(h);
    time_close(h);
    host_unlock(h);
    if (h->wake.fd >= 0)
        close(h->wake.fd);
    if (h->ends.fd >= 0)
        close(h->ends.fd);
    if (h->epfd >= 0)
        close(h->epfd);
    if (h->domains && h->domains != MAP_FAILED)
        munmap(h->domains, DOMID_FIRST_RESERVED * sizeof(*h->domains));
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* ---- the loop ---- */

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

    if (!__atomic_load_n(&h->polling, __ATOMIC_RELAXED) || host_is_wanted(h) ||
        pthread_mutex_trylock(&h->lock))
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

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    host_lock(h);
    /* Another thread had the lock since, or still as we looked: what we saw may
     * be done already (a second RECV would block, and the host with it), or its
     * owner may be freed. So look again. */
    if (epoch != __atomic_load_n(&h->epoch, __ATOMIC_ACQUIRE))
        n = epoll_wait(h->epfd, ev, HOST_BATCH, 0);
    h->may_poll = timeout_ms != 0;
    memcpy(h->batch, ev, n > 0 ? (size_t)n * sizeof(ev[0]) : 0);
    h->batch_n = n;
    for (int i = 0; i < n; i++) {
        struct watch *w = h->batch[i].data.ptr;

        if (w && w->ready)
            w->ready(w->data, h->batch[i].events);
    }
    h->batch_n = 0;
    host_unlock(h);
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

/* ---- domains ---- */

int rs_domain_create(struct rs_host *h, const struct rs_domain_config *config)
{
    int ret;

    host_lock(h);
    h->error[0] = '\0';
    ret = builder_create(h, config);
    host_unlock(h);
    return ret;
}

/* Does `act` to a guest, under the lock. */
static int with_domain(struct rs_host *h, uint16_t domid,
                       void (*act)(struct domain *))
{
    struct domain *d;
    int err = 0;

    host_lock(h);
    h->error[0] = '\0';
    d = host_domain(h, domid);
    if (!d || d->dying || d->is_process)
        err = host_error(h, -ESRCH, "no domain %u", domid);
    else
        act(d);
    host_unlock(h);
    return err;
}

int rs_domain_pause(struct rs_host *h, uint16_t domid)
{
    return with_domain(h, domid, domain_pause);
}

int rs_domain_unpause(struct rs_host *h, uint16_t domid)
{
    return with_domain(h, domid, domain_unpause);
}

/* Begins a guest's end; tells it from a later guest of the same domid. */
static int begin_end(struct rs_host *h, uint16_t domid, uint64_t *created)
{
    struct domain *d;
    int err = 0;

    host_lock(h);
    h->error[0] = '\0';
    d = host_domain(h, domid);
    if (!d || d->dying || d->is_process) {
        err = host_error(h, -ESRCH, "no domain %u", domid);
    } else {
        *created = d->created_ns;
        domain_end(d);
    }
    host_unlock(h);
    return err;
}

enum end_step { STEP_DONE, STEP_MADE, STEP_MUST_WAIT };

/* Looks whether the guest's process is gone, or does a slice of its end. */
static enum end_step end_step(struct rs_host *h, uint16_t domid,
                              uint64_t created)
{
    enum end_step step = STEP_DONE;
    struct domain *d;

    host_lock(h);
    d = host_domain(h, domid);
    if (d && d->created_ns == created && d->end != END_DONE) {
        if (d->end == END_KILL && d->ops->domain_gone(d, 0))
            domain_killed(d);
        if (d->end == END_KILL)
            step = STEP_MUST_WAIT;
        else
            step = domain_end_slice(d) ? STEP_MADE : STEP_DONE;
    }
    host_unlock(h);
    return step;
}

/* Threads that wait for the lock have it between two slices. */
int rs_domain_destroy(struct rs_host *h, uint16_t domid)
{
    const struct timespec nap = { 0, 20000 };
    uint64_t created = 0;
    int err = begin_end(h, domid, &created);
    enum end_step step;

    while (!err && (step = end_step(h, domid, created)) != STEP_DONE)
        if (step == STEP_MUST_WAIT || host_is_wanted(h))
            nanosleep(&nap, NULL);
    return err;
}

int rs_domain_info(struct rs_host *h, uint16_t domid,
                   struct rs_domain_info *info)
{
    struct domain *d;
    int err = 0;

    host_lock(h);
    h->error[0] = '\0';
    d = host_domain(h, domid);
    if (d)
        domain_fill_info(d, info);
    else
        err = host_error(h, -ESRCH, "no domain %u", domid);
    host_unlock(h);
    return err;
}

int rs_domain_list(struct rs_host *h, struct rs_domain_info *info,
                   unsigned int max)
{
    unsigned int n = 0;

    host_lock(h);
    for (unsigned int id = 0, seen = 0;
         n < max && seen < h->nr_domains && id < DOMID_FIRST_RESERVED; id++)
        if (h->domains[id]) {
            domain_fill_info(h->domains[id], &info[n++]);
            seen++;
        }
    host_unlock(h);
    return (int)n;
}

/* A guest that lives; its lock is held. */
static struct domain *guest_of(struct rs_host *h, uint16_t domid)
{
    struct domain *d = host_domain(h, domid);

    h->error[0] = '\0';
    if (d && !d->dying && !d->is_process)
        return d;
    host_error(h, -ESRCH, "no guest %u", domid);
    return NULL;
}

int rs_vcpu_list(struct rs_host *h, uint16_t domid, struct rs_vcpu_info *info,
                 unsigned int max)
{
    int n = -ESRCH;
    struct domain *d;

    host_lock(h);
    d = guest_of(h, domid);
    if (d)
        for (n = 0; n < (int)d->nr_vcpus && n < (int)max; n++)
            vcpu_fill_info(&d->vcpu[n], &info[n]);
    host_unlock(h);
    return n;
}

int rs_vcpu_pin(struct rs_host *h, uint16_t domid, unsigned int vcpu,
                uint64_t cpus)
{
    struct domain *d;
    int err = -ESRCH;

    host_lock(h);
    d = guest_of(h, domid);
    if (d && !vcpu_of(d, vcpu))
        err = host_error(h, -ENOENT, "domain %u has no vCPU %u", domid, vcpu);
    else if (d)
        err = vcpu_pin(&d->vcpu[vcpu], cpus);
    host_unlock(h);
    return err;
}

int rs_hypercall_stats(struct rs_host *h, uint16_t domid,
                       struct rs_hypercall_stats *stats, unsigned int max)
{
    struct domain *d;
    int n;

    host_lock(h);
    h->error[0] = '\0';
    d = host_domain(h, domid);
    n = d ? (int)stats_fill(d, stats, max)
          : host_error(h, -ESRCH, "no domain %u", domid);
    host_unlock(h);
    return n;
}

int rs_guest_counts(struct rs_host *h, uint16_t domid,
                    struct rs_guest_counts *counts)
{
    struct domain *d;

    host_lock(h);
    d = guest_of(h, domid);
    if (d)
        stats_guest_counts(d, counts);
    host_unlock(h);
    return d ? 0 : -ESRCH;
}

void rs_host_info(struct rs_host *h, struct rs_host_info *info)
{
    host_lock(h);
    memset(info, 0, sizeof(*info));
    strncpy(info->engine, h->engine->name, sizeof(info->engine) - 1);
    info->domains = h->nr_domains;
    info->memory_kib = h->budget_pages * (PAGE_SIZE / 1024);
    info->memory_free_kib =
        (h->budget_pages - h->used_pages) * (PAGE_SIZE / 1024);
    info->uptime_ns = host_now() - h->boot_ns;
    host_unlock(h);
}

int rs_host_listen(struct rs_host *h, const char *path)
{
    int err;

    host_lock(h);
    h->error[0] = '\0';
    err = control_listen(h, path);
    host_unlock(h);
    return err;
}
