/*
 * The public API (ringside.h): each call takes the host's lock around a call of
 * what does the work. Nothing below calls up to here. The loop, which takes the
 * lock by itself, is in host.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "build/builder.h"
#include "clock.h"
#include "control/control.h"
#include "domain.h"
#include "emulate/emulate.h"
#include "host.h"

static const struct engine_ops *const engines[] = { &engine_sandbox,
                                                    &engine_test };

#ifdef ENABLE_EMULATE
static const struct emulate_ops *const emulator = &emulate_ops;
#else
static const struct emulate_ops *const emulator;
#endif

const char *rs_version(void)
{
    return PACKAGE_VERSION;
}

/* Begins a call of the API. */
static void enter(struct rs_host *h)
{
    host_clear_error();
    host_lock(h);
}

/* Ends a call that returns `ret`: what went wrong on the way to success is not
 * its error. */
static int leave(struct rs_host *h, int ret)
{
    host_unlock(h);
    if (ret >= 0)
        host_clear_error();
    return ret;
}

/* ---- life ---- */

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
    err = host_open_loop(h);
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
    host_clear_error();
    if (!h)
        return host_error(NULL, -ENOMEM, "no memory for a host");
    pthread_mutex_init(&h->lock, NULL);
    app_watches_init(h);
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
    host_count_files(h);
    h->emulate = emulator;
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
    host_clear_error();
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
    app_watches_free(h);
    host_unlock(h);
    if (h->ends.fd >= 0)
        close(h->ends.fd);
    host_close_loop(h);
    if (h->domains && h->domains != MAP_FAILED)
        munmap(h->domains, DOMID_FIRST_RESERVED * sizeof(*h->domains));
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* ---- domains ---- */

int rs_domain_create(struct rs_host *h, const struct rs_domain_config *config)
{
    int ret;

    enter(h);
    ret = builder_create(h, config);
    return leave(h, ret);
}

/* Does `act` to a guest, under the lock. */
static int with_domain(struct rs_host *h, uint16_t domid,
                       void (*act)(struct domain *))
{
    struct domain *d;
    int err = 0;

    enter(h);
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

    enter(h);
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
        if (step == STEP_MUST_WAIT || host_lock_contended(h))
            nanosleep(&nap, NULL);
    if (!err)
        host_clear_error(); /* of what other domains did meanwhile */
    return err;
}

int rs_domain_info(struct rs_host *h, uint16_t domid,
                   struct rs_domain_info *info)
{
    struct domain *d;
    int err = 0;

    enter(h);
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

    enter(h);
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

    enter(h);
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

    enter(h);
    d = guest_of(h, domid);
    if (d && !vcpu_of(d, vcpu))
        err = host_error(h, -ENOENT, "domain %u has no vCPU %u", domid, vcpu);
    else if (d)
        err = vcpu_pin(&d->vcpu[vcpu], cpus);
    if (err == -EINVAL)
        host_error(h, err, "none of these processors is there");
    host_unlock(h);
    return err;
}

int rs_hypercall_stats(struct rs_host *h, uint16_t domid,
                       struct rs_hypercall_stats *stats, unsigned int max)
{
    struct domain *d;
    int n;

    enter(h);
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

    enter(h);
    d = guest_of(h, domid);
    if (d)
        stats_guest_counts(d, counts);
    host_unlock(h);
    return d ? 0 : -ESRCH;
}

void rs_host_info(struct rs_host *h, struct rs_host_info *info)
{
    enter(h);
    host_fill_info(h, info);
    host_unlock(h);
}

int rs_host_listen(struct rs_host *h, const char *path)
{
    int err;

    enter(h);
    err = control_listen(h, path);
    return leave(h, err);
}
