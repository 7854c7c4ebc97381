/*
 * Paravirtual time: the scale that guests read, and timers. See clock.h.
 */
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "domain.h"
#include "preempt.h"
#include "tsc.h"

#define NS 1000000000ull

struct clock_scale {
    struct tsc_clock tsc;
    uint64_t next_ns; /* until the next measurement */
};

/* ---- measuring the TSC ---- */

/* The best of a few tries: the one that was interrupted least. */
static struct tsc_moment now_on_both(void)
{
    struct tsc_moment best = { 0, 0 };
    uint64_t width = UINT64_MAX;

    for (int i = 0; i < 5; i++) {
        uint64_t a = __rdtsc(), ns = host_now(), b = __rdtsc();

        if (b - a < width) {
            width = b - a;
            best = (struct tsc_moment){ a + (b - a) / 2, ns };
        }
    }
    return best;
}

uint64_t time_system(const struct rs_host *h)
{
    return host_now() - h->boot_ns;
}

uint64_t time_from_ticks(const struct rs_host *h, uint64_t ticks)
{
    return tsc_ticks_ns(&h->clock->tsc, ticks);
}

uint64_t time_to_ticks(const struct rs_host *h, uint64_t ns)
{
    uint64_t per = time_from_ticks(h, 1u << 20);

    return (uint64_t)((unsigned __int128)ns * (1u << 20) / (per ? per : 1));
}

/* ---- telling guests ---- */

static void write_version(uint32_t *version)
{
    __atomic_store_n(version, *version + 1, __ATOMIC_SEQ_CST);
}

/* Readers (the guest) retry while the version is odd or has changed. */
static void fill_time(const struct rs_host *h, struct vcpu_time_info *t)
{
    const struct tsc_clock *c = &h->clock->tsc;

    t->version |= 1;
    xen_wmb();
    t->tsc_timestamp = c->base.tsc;
    t->system_time = c->base.ns - h->boot_ns;
    t->tsc_to_system_mul = c->mul;
    t->tsc_shift = c->shift;
    t->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
    write_version(&t->version);
}

static void publish_wall(struct domain *d)
{
    struct shared_info *si = memory_own_page(d, MEMORY_OWN_SHARED_INFO);
    struct timespec wall;
    uint64_t wc;

    clock_gettime(CLOCK_REALTIME, &wall);
    wc = (uint64_t)wall.tv_sec * NS + (uint64_t)wall.tv_nsec -
         time_system(d->host);
    si->wc_version |= 1;
    xen_wmb();
    si->wc_sec = (uint32_t)(wc / NS);
    si->wc_nsec = (uint32_t)(wc % NS);
    si->wc_sec_hi = (uint32_t)(wc / NS >> 32);
    write_version(&si->wc_version);
}

/* As fill_time(), in three steps: odd version, all, even version. */
int time_publish_area(struct vcpu *v)
{
    struct vcpu_time_info t = vcpu_info_of(v)->time;
    uint32_t even = t.version & ~1u;

    if (!v->time_area.value)
        return 0;
    t.version |= 1;
    if (copy_to_guest(v, v->time_area, &t.version, sizeof(t.version)))
        return -EFAULT;
    xen_wmb();
    if (copy_to_guest(v, v->time_area, &t, sizeof(t)))
        return -EFAULT;
    xen_wmb();
    return copy_to_guest(v, v->time_area, &even, sizeof(even));
}

void time_publish(struct domain *d)
{
    for (unsigned int i = 0; i < d->nr_vcpus; i++) {
        fill_time(d->host, &vcpu_info_of(&d->vcpu[i])->time);
        time_publish_area(&d->vcpu[i]);
        vcpu_publish_runstate(&d->vcpu[i], &d->vcpu[i]);
    }
    publish_wall(d);
}

int time_arm(const struct watch *w, uint64_t ns)
{
    struct itimerspec its = { .it_value = { .tv_sec = (time_t)(ns / NS),
                                            .tv_nsec = (long)(ns % NS) } };

    return timerfd_settime(w->fd, 0, &its, NULL) ? -errno : 0;
}

#define RECALIBRATE_MAX (60 * NS)

static void recalibrate(void *data, uint32_t events)
{
    struct rs_host *h = data;
    struct list *pos;
    uint64_t n;

    (void)events;
    if (read(h->recalibrate.fd, &n, sizeof(n)) < 0)
        return;
    if (h->clock->next_ns < RECALIBRATE_MAX)
        h->clock->next_ns *= 2;
    tsc_follow(&h->clock->tsc, now_on_both(), h->clock->next_ns);
    list_for_each(pos, &h->domain_list) {
        struct domain *d = container_of(pos, struct domain, link);

        if (!d->is_process && !d->dying && d->memory.base)
            time_publish(d);
    }
    time_arm(&h->recalibrate, h->clock->next_ns);
}

/* ---- vCPU timers, for engines that bring them here ---- */

static struct timer *first_timer(const struct rs_host *h)
{
    if (list_empty(&h->timers))
        return NULL;
    return container_of(h->timers.next, struct timer, link);
}

/* A system call only where the first deadline is another than before. */
static void arm_first(struct rs_host *h)
{
    const struct timer *t = first_timer(h);
    uint64_t at = t ? t->at : 0, now;

    if (at == h->armed_at)
        return;
    h->armed_at = at;
    now = time_system(h);
    if (!t)
        time_arm(&h->timer, 0);
    else
        time_arm(&h->timer, at > now ? at - now : 1);
}

static void insert(struct rs_host *h, struct timer *t)
{
    struct list *pos;

    list_for_each(pos, &h->timers)
        if (container_of(pos, struct timer, link)->at > t->at)
            break;
    list_add_tail(pos, &t->link);
}

static void expired(void *data, uint32_t events)
{
    struct rs_host *h = data;
    uint64_t n, now = time_system(h);
    struct timer *t;

    (void)events;
    if (read(h->timer.fd, &n, sizeof(n)) < 0)
        return;
    h->armed_at = 0;
    for (t = first_timer(h); t && t->at <= now; t = first_timer(h)) {
        list_del(&t->link);
        if (t->period) {
            t->at = now + t->period - (now - t->at) % t->period;
            insert(h, t);
        }
        t->fire(t->vcpu);
    }
    arm_first(h);
}

void time_init_timer(struct timer *t, struct vcpu *v,
                     void (*fire)(struct vcpu *v))
{
    list_init(&t->link);
    t->vcpu = v;
    t->fire = fire;
}

void time_set_timer(struct timer *t, uint64_t ns, uint64_t period)
{
    struct rs_host *h = t->vcpu->domain->host;
    bool never = ns == 0 || ns == UINT64_MAX;

    if (list_empty(&t->link) && never)
        return;
    list_del(&t->link);
    t->at = ns;
    t->period = period;
    if (!never)
        insert(h, t);
    arm_first(h);
}

/* ---- life ---- */

int time_open_watch(struct rs_host *h, struct watch *w,
                    void (*ready)(void *, uint32_t))
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd < 0)
        return host_error(h, -errno, "timerfd: %s", strerror(errno));
    return host_watch(h, w, fd, EPOLLIN, ready, h);
}

int time_open(struct rs_host *h)
{
    struct clock_scale *c = calloc(1, sizeof(*c));
    struct tsc_moment start;
    int err;

    if (!c)
        return host_error(h, -ENOMEM, "no memory");
    h->clock = c;
    start = now_on_both();
    while (host_now() - start.ns < 2000000)
        ;
    tsc_begin(&c->tsc, start, now_on_both());
    h->budget_ticks = time_to_ticks(h, PREEMPT_BUDGET_NS);
    c->next_ns = 20000000;
    err = time_open_watch(h, &h->timer, expired);
    if (!err)
        err = time_open_watch(h, &h->recalibrate, recalibrate);
    if (!err)
        time_arm(&h->recalibrate, c->next_ns);
    return err;
}

void time_close(struct rs_host *h)
{
    host_unwatch(h, &h->timer);
    host_unwatch(h, &h->recalibrate);
    if (h->timer.fd > 0)
        close(h->timer.fd);
    if (h->recalibrate.fd > 0)
        close(h->recalibrate.fd);
    free(h->clock);
    h->clock = NULL;
}
