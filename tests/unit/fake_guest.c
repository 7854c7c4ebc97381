/* See fake_guest.h. */
#include "fake_guest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"
#include "guest-kernel/xenbus.h"

#define FIRST_REF 8
#define REFS      2048

struct fake_guest fake_guest;

static char arena[FAKE_GUEST_PAGES * PAGE_SIZE]
    __attribute__((aligned(PAGE_SIZE)));
static const void *granted[REFS];
static unsigned int next_ref; /* none below it is free */
static bool looks;            /* at what is granted */

void fake_guest_reset(bool zeroed)
{
    fake_guest = (struct fake_guest){ .sleeps_max = 20000, .peer_bound = true };
    memset(granted, 0, sizeof(granted));
    next_ref = FIRST_REF;
    looks = zeroed;
    if (zeroed)
        memset(arena, 0, sizeof(arena));
    pages_init((uintptr_t)arena, (uintptr_t)arena + sizeof(arena));
}

void fake_guest_leave_secrets(void)
{
    size_t n = pages_free_count();
    char *all = pages_alloc(n);

    memset(all, 'S', n * PAGE_SIZE);
    pages_free(all, n);
}

bool fake_guest_said(const char *text)
{
    return strstr(fake_guest.log, text) != NULL;
}

/* ---- vCPU and lock ---- */

static struct shared_info info;
struct shared_info *shared_info = &info;
static struct vcpu one_vcpu = { .info = &info.vcpu_info[0] };
bool smp_active;

struct vcpu *this_vcpu(void)
{
    void (*act)(void) = fake_guest.on_mask;

    fake_guest.on_mask = NULL;
    if (act)
        act();
    return &one_vcpu;
}

void upcalls_unmask(void)
{
    info.vcpu_info[0].evtchn_upcall_mask = 0;
}

void lock_take(void)
{
}

void lock_give(void)
{
}

void kernel_enter(void)
{
}

void kernel_leave(void)
{
}

/* ---- grants ---- */

static bool holds_secrets(const char *page)
{
    return memmem(page, PAGE_SIZE, "SSSS", 4) != NULL;
}

int grant_access(domid_t remote, const void *addr, bool read_only,
                 grant_ref_t *ref)
{
    unsigned int i = next_ref;

    (void)remote;
    (void)read_only;
    if ((uintptr_t)addr % PAGE_SIZE)
        abort();
    while (i < REFS && granted[i])
        i++;
    if (i == REFS)
        return -ENOSPC;
    granted[i] = addr;
    next_ref = i + 1;
    *ref = i;
    fake_guest.grants++;
    fake_guest.dirty_grants += looks && holds_secrets(addr);
    return 0;
}

int grant_end(grant_ref_t ref)
{
    if (ref < FIRST_REF || ref >= REFS || !granted[ref])
        return ref == GRANT_REF_NONE ? 0 : -EINVAL;
    granted[ref] = NULL;
    if (ref < next_ref)
        next_ref = ref;
    fake_guest.grants--;
    return 0;
}

void grant_end_and_free(grant_ref_t ref, void *addr)
{
    grant_end(ref);
    pages_free(addr, 1);
}

/* ---- events ---- */

long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size)
{
    (void)size;
    if (nr == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_send)
        fake_guest.events++;
    if (nr == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_status) {
        fake_guest.asked++;
        ((struct evtchn_status *)arg)->status =
            fake_guest.peer_bound ? EVTCHNSTAT_interdomain : EVTCHNSTAT_unbound;
    }
    return 0;
}

int event_bind(evtchn_port_t port, event_fn *fn, void *arg)
{
    (void)port;
    (void)fn;
    (void)arg;
    return 0;
}

void idle_unpolled_event(void)
{
}

void poller_add(struct poller *p)
{
    (void)p;
}

void poller_remove(struct poller *p)
{
    (void)p;
}

void xenbus_watch_kick(struct xenbus_watch *w)
{
    (void)w;
    fake_guest.kicks++;
}

/* ---- time and threads ---- */

uint64_t clock_now(void)
{
    return fake_guest.now;
}

void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}

void wait_queue_wake(struct wait_queue *q)
{
    (void)q;
}

void wait_queue_wake_all(struct wait_queue *q)
{
    (void)q;
}

int wait_queue_sleep(struct wait_queue *q, uint64_t deadline)
{
    bool acts;

    (void)q;
    acts = fake_guest.other_side && fake_guest.other_side();
    if (++fake_guest.sleeps > fake_guest.sleeps_max ||
        (!acts && deadline == NEVER)) {
        if (fake_guest.stuck)
            longjmp(*fake_guest.stuck, 1);
        abort();
    }
    if (acts)
        return 0;
    if (fake_guest.now < deadline)
        fake_guest.now = deadline;
    return -ETIMEDOUT;
}

void mutex_init(struct mutex *m)
{
    memset(m, 0, sizeof(*m));
}

void mutex_lock(struct mutex *m)
{
    m->depth++;
}

void mutex_unlock(struct mutex *m)
{
    m->depth--;
}

void semaphore_up(struct semaphore *s)
{
    (void)s;
    fake_guest.ups++;
}

/* ---- the log ---- */

void console_report(const char *fmt, ...)
{
    size_t room = sizeof(fake_guest.log) - fake_guest.log_len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(fake_guest.log + fake_guest.log_len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        fake_guest.log_len += (size_t)n < room ? (size_t)n : room - 1;
}

void arch_log(const char *s, size_t n)
{
    size_t room = sizeof(fake_guest.text) - 1 - fake_guest.text_len;

    if (n > room)
        n = room;
    memcpy(fake_guest.text + fake_guest.text_len, s, n);
    fake_guest.text_len += n;
    fake_guest.text[fake_guest.text_len] = '\0';
}
