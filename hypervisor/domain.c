/*
 * A domain's names, its life and its end. See domain.h.
 */
#include "domain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "console.h"
#include "emulate/emulate.h"
#include "invariant.h"

/* ---- names and numbers ---- */

static struct list *named_like(struct rs_host *h, const char *name)
{
    uint32_t key = 0;

    while (*name)
        key = key * 31 + (unsigned char)*name++;
    return bucket(&h->names, key);
}

static bool name_in_use(struct rs_host *h, const char *name)
{
    struct list *pos, *list = named_like(h, name);

    list_for_each(pos, list) {
        struct domain *d = container_of(pos, struct domain, by_name);

        if (!d->dying && !strcmp(d->name, name))
            return true;
    }
    return false;
}

static void automatic_name(char name[RS_NAME_MAX], domid_t id)
{
    snprintf(name, RS_NAME_MAX, "domain-%u", id);
}

/* Ids go up and wrap, so that a dead domain's id is not met again soon. One
 * whose automatic name is wanted, and somebody has it, is passed over. */
static domid_t free_guest_id(struct rs_host *h, bool named)
{
    char name[RS_NAME_MAX];

    for (unsigned int i = 0; i < DOMID_FIRST_RESERVED; i++) {
        domid_t id = h->next_domid++;

        if (h->next_domid >= DOMID_FIRST_RESERVED)
            h->next_domid = RS_DOMID_FIRST_GUEST;
        automatic_name(name, id);
        if (!h->domains[id] && (named || !name_in_use(h, name)))
            return id;
    }
    return DOMID_INVALID;
}

int domain_alloc(struct rs_host *h, domid_t domid, const char *name,
                 const struct engine_ops *ops, struct domain **out)
{
    struct domain *d;

    if (name && name_in_use(h, name))
        return host_error(h, -EEXIST, "domain name '%s' is in use", name);
    if (domid == 0xffff)
        domid = free_guest_id(h, name != NULL);
    if (domid >= DOMID_FIRST_RESERVED)
        return host_error(h, -ENOSPC, "no free domain id");
    if (h->domains[domid])
        return host_error(h, -EBUSY, "domain %u is there already", domid);
    d = calloc(1, sizeof(*d));
    if (!d)
        return host_error(h, -ENOMEM, "no memory for a domain");
    d->host = h;
    d->ops = ops;
    d->domid = domid;
    d->memory.fd = -1;
    d->pause_count = 1;
    list_init(&d->ending);
    list_init(&d->waiters);
    d->created_ns = host_now();
    if (name)
        snprintf(d->name, sizeof(d->name), "%s", name);
    else
        automatic_name(d->name, domid);
    for (unsigned int i = 0; i < DOMAIN_MAX_VCPUS; i++)
        vcpu_init(d, i);
    watchdogs_init(d);
    d->nr_vcpus = 1;
    list_add_tail(&h->domain_list, &d->link);
    list_add_tail(named_like(h, d->name), &d->by_name);
    list_init(&d->by_pid);
    h->domains[domid] = d;
    h->nr_domains++;
    *out = d;
    return 0;
}

int domain_create_process(struct rs_host *h, domid_t domid, const char *name,
                          const struct engine_ops *ops, struct domain **out)
{
    struct domain *d;
    int err;

    err = domain_alloc(h, domid, name, ops, &d);
    if (err)
        return err;
    d->is_process = true;
    d->privileged = domid == 0;
    d->pause_count = 0;
    d->started = true;
    err = evtchn_init(d, EVTCHN_MAX_PORTS);
    if (!err)
        err = grant_init(d);
    if (err) {
        domain_destroy(d);
        return err;
    }
    *out = d;
    return 0;
}

void domain_set_pid(struct domain *d, int pid)
{
    list_del(&d->by_pid);
    d->pid = pid;
    if (pid)
        list_add_tail(bucket(&d->host->pids, (uint32_t)pid), &d->by_pid);
}

struct domain *domain_of_pid(struct rs_host *h, int pid)
{
    struct list *pos, *list = bucket(&h->pids, (uint32_t)pid);

    list_for_each(pos, list) {
        struct domain *d = container_of(pos, struct domain, by_pid);

        if (d->pid == pid)
            return d;
    }
    return NULL;
}

struct domain *domain_lookup(struct domain *self, domid_t domid)
{
    struct domain *d =
        domid == DOMID_SELF ? self : host_domain(self->host, domid);

    return d && !d->dying ? d : NULL;
}

/* ---- running ---- */

void domain_pause(struct domain *d)
{
    assert_host_locked(d->host);
    if (d->pause_count++ == 0 && !d->shut_down)
        d->ops->domain_pause(d);
}

void domain_unpause(struct domain *d)
{
    assert_host_locked(d->host);
    if (d->pause_count == 0 || --d->pause_count > 0 || d->shut_down)
        return;
    if (!d->started) {
        d->started = true;
        d->started_ns = host_now();
    }
    d->ops->domain_resume(d);
}

static void stop_vcpus(struct domain *d)
{
    watchdogs_stop(d);
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        vcpu_stop(&d->vcpu[i]);
}

static void tell(struct domain *d)
{
    struct rs_host *h = d->host;
    struct domain *dom0 = h->domains[0];

    if (dom0 && !dom0->dying && d != dom0)
        evtchn_raise_virq(&dom0->vcpu[0], VIRQ_DOM_EXC);
    if (h->domain_event)
        h->domain_event(h->data, d->domid);
}

void domain_shutdown(struct domain *d, unsigned int reason, unsigned int status)
{
    assert_host_locked(d->host);
    if (d->shut_down || d->dying)
        return;
    if (d->pause_count == 0)
        (d->ops->domain_stop ? d->ops->domain_stop : d->ops->domain_pause)(d);
    d->shut_down = true;
    d->shutdown_reason = reason;
    d->exit_status = status;
    stop_vcpus(d);
    host_log(d->host, RS_LOG_INFO,
             "domain %u (%s): shutdown, reason %u, status %u", d->domid,
             d->name, reason, status);
    tell(d);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    va_list ap;

    if (d->shut_down || d->dying)
        return;
    va_start(ap, fmt);
    vsnprintf(d->crash, sizeof(d->crash), fmt, ap);
    va_end(ap);
    host_log(d->host, RS_LOG_WARN, "domain %u (%s): crashed: %s", d->domid,
             d->name, d->crash);
    console_say(d, "(hypervisor) domain %u crashed: %s", d->domid, d->crash);
    domain_shutdown(d, SHUTDOWN_crash, 0);
}

/* ---- the end ---- */

static void domain_free(struct domain *d)
{
    struct rs_host *h = d->host;

    invariant(d, d->dying && d->evtchn.used == 0 && list_empty(&d->waiters));
    if (d->engine)
        d->ops->domain_free(d);
    host_uncharge_files(h, d->files);
    if (d->vcpu[0].emulated)
        h->emulate->close(&d->vcpu[0]);
    memory_destroy(d);
    grant_destroy(d);
    console_free(d);
    list_del(&d->link);
    list_del(&d->by_name);
    list_del(&d->by_pid);
    h->domains[d->domid] = NULL;
    h->nr_domains--;
    free(d);
}

void domain_put_if_done(struct domain *d)
{
    if (d->dying && d->end == END_DONE && d->memory.pins == 0)
        domain_free(d);
}

void domain_await_end(struct domain *d, struct domain_waiter *w)
{
    list_add_tail(&d->waiters, &w->link);
}

static void complete(struct domain *d)
{
    if (!d->is_process)
        host_log(d->host, RS_LOG_INFO, "domain %u (%s): destroyed", d->domid,
                 d->name);
    tell(d);
    while (!list_empty(&d->waiters)) {
        struct domain_waiter *w =
            container_of(d->waiters.next, struct domain_waiter, link);

        list_del(&w->link);
        w->ended(w);
    }
    domain_put_if_done(d);
}

/* Some of what the domain holds, for some tens of microseconds. */
static void release_some(struct domain *d)
{
    bool more = false;

    switch (d->end) {
    case END_GRANTS:
        more = grant_unmap_some(d);
        break;
    case END_PORTS:
        more = evtchn_close_some(d);
        break;
    case END_MEMORY:
        more = memory_release_some(d);
        break;
    case END_UNMAP:
        more = memory_unmap_some(d);
        break;
    case END_KILL:
    case END_DONE:
        break;
    }
    if (!more)
        d->end++;
}

bool domain_end_slice(struct domain *d)
{
    uint64_t start = host_now();

    do
        release_some(d);
    while (d->end != END_DONE && host_now() - start < d->host->slice_ns);
    if (d->end != END_DONE)
        return true;
    list_del(&d->ending);
    complete(d);
    return false;
}

/* A slice of the ends that are under way, one after the other: what comes
 * first is over soonest. */
void domain_ends_ready(void *host, uint32_t events)
{
    struct rs_host *h = host;
    uint64_t start = host_now(), n;

    (void)events;
    if (read(h->ends.fd, &n, sizeof(n)) < 0)
        return; /* it was armed anew meanwhile */
    while (!list_empty(&h->ending) &&
           !domain_end_slice(
               container_of(h->ending.next, struct domain, ending)) &&
           host_now() - start < h->slice_ns)
        ;
    if (!list_empty(&h->ending))
        time_arm(&h->ends, h->slice_rest_ns);
}

void domain_killed(struct domain *d)
{
    bool first = list_empty(&d->host->ending);

    assert_host_locked(d->host);
    invariant(d, d->dying && d->end == END_KILL && list_empty(&d->ending));
    d->end = END_GRANTS;
    list_add_tail(&d->host->ending, &d->ending);
    if (first)
        time_arm(&d->host->ends, 1);
}

void domain_end(struct domain *d)
{
    assert_host_locked(d->host);
    if (d->dying)
        return;
    d->dying = true;
    stop_vcpus(d);
    if (!d->engine || d->ops->domain_kill(d))
        domain_killed(d);
}

/* What was killed and hangs in Linux runs no code of its own any more. */
#define KILL_PATIENCE_MS 1000
#define KILL_TRIES       10

void domain_destroy(struct domain *d)
{
    domain_end(d);
    for (int i = 0; d->end == END_KILL; i++)
        if (d->ops->domain_gone(d, KILL_PATIENCE_MS) || i == KILL_TRIES)
            domain_killed(d);
        else
            host_log(d->host, RS_LOG_ERROR, "domain %u does not die", d->domid);
    if (d->end == END_DONE)
        return;
    while (domain_end_slice(d))
        ;
}

uint64_t domain_process_cpu_ns(struct domain *d)
{
    struct timespec t;
    clockid_t clock;

    if (d->pid <= 0 || clock_getcpuclockid(d->pid, &clock) ||
        clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static enum rs_domain_state state_of(const struct domain *d)
{
    if (d->dying)
        return RS_DOMAIN_DYING;
    if (d->shut_down)
        return RS_DOMAIN_SHUTDOWN;
    return d->pause_count ? RS_DOMAIN_PAUSED : RS_DOMAIN_RUNNING;
}

void domain_fill_info(struct domain *d, struct rs_domain_info *info)
{
    memset(info, 0, sizeof(*info));
    info->domid = d->domid;
    info->state = state_of(d);
    info->shutdown_reason = d->shutdown_reason;
    info->exit_status = d->exit_status;
    for (unsigned int i = 0; i < d->nr_vcpus && !d->is_process; i++)
        info->vcpus += d->vcpu[i].up;
    info->memory_kib = (uint64_t)(d->memory.nr_pages - d->memory.max_pages +
                                  d->memory.tot_pages) *
                       (PAGE_SIZE / 1024);
    if (d->ops->cpu_ns && !d->dying)
        info->cpu_ns = d->ops->cpu_ns(d);
    info->hypercalls = stats_total(d);
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        info->polled_calls += d->vcpu[i].polled_calls;
    info->traps = d->vcpu[0].traps;
    info->flags = (d->polled ? RS_DOMAIN_POLLED : 0) |
                  (d->vcpu[0].emulated ? RS_DOMAIN_TRAP : 0);
    info->created_ns = d->created_ns;
    info->started_ns = d->started_ns;
    info->ports = d->evtchn.used;
    info->grants_mapped = d->grants.used_maps;
    info->pid = d->pid;
    info->store_gfn = d->store_gfn;
    info->store_port = d->store_port;
    info->console_gfn = d->console_gfn;
    info->console_port = d->console_port;
    memcpy(info->name, d->name, sizeof(info->name));
    memcpy(info->crash, d->crash, sizeof(info->crash));
}
