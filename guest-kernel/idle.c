/*
 * Idle: poll for a while, then sleep. See idle.h.
 *
 * The window adapts as KVM's halt polling does: a sleep that ended soon says
 * that polling a little longer would have caught it, so the window grows; one
 * that lasted long says that polling was a waste, so it closes. A poll that was
 * preempted (two looks far apart) ends: somebody else needs the CPU.
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

#define WINDOW_FIRST (10 * NS_PER_US)
#define WINDOW_MAX   (200 * NS_PER_US)
#define PREEMPTED    (20 * NS_PER_US)

static struct list pollers = LIST_INIT(pollers);
static uint64_t window, window_max = WINDOW_MAX;
static uint64_t timer_armed = NEVER; /* what VIRQ_TIMER is set to */

void poller_add(struct poller *p)
{
    list_add_tail(&pollers, &p->link);
}

void poller_remove(struct poller *p)
{
    list_del(&p->link);
}

void idle_set_poll_max(uint64_t ns)
{
    window_max = ns;
    if (window > ns)
        window = ns;
}

bool idle_poll(void)
{
    struct list *pos, *next;
    bool found = false;

    list_for_each_safe(pos, next, &pollers)
    {
        struct poller *p = container_of(pos, struct poller, link);

        found |= p->poll(p->arg);
    }
    return found;
}

static bool arm_all(void)
{
    struct list *pos, *next;
    bool found = false;

    list_for_each_safe(pos, next, &pollers)
    {
        struct poller *p = container_of(pos, struct poller, link);

        if (p->arm)
            found |= p->arm(p->arg);
    }
    return found;
}

static bool event_pending(void)
{
    return READ_ONCE(this_vcpu_info()->evtchn_upcall_pending);
}

/* True when there is something to do; false when the window has passed. */
static bool poll_for_a_while(uint64_t start, uint64_t deadline)
{
    uint64_t last = start, now = start;
    uint64_t end = start + window;

    if (end > deadline)
        end = deadline;
    while (now < end) {
        if (idle_poll() || event_pending())
            return true;
        cpu_relax();
        last = now;
        now = clock_now();
        if (now - last > PREEMPTED) {
            window = 0;
            break;
        }
    }
    return false;
}

static void adapt_window(uint64_t waited)
{
    if (waited <= window)
        return;
    if (waited > window_max)
        window = 0;
    else
        window = window ? window * 2 : WINDOW_FIRST;
    if (window > window_max)
        window = window_max;
}

/* An earlier setting may stand: it costs one early wake-up, not a hypercall. */
static void set_timer(uint64_t deadline, uint64_t now)
{
    if (deadline == NEVER || (timer_armed > now && timer_armed <= deadline))
        return;
    timer_armed = deadline;
    hypercall_set_timer(deadline);
}

void idle_wait(uint64_t deadline)
{
    uint64_t start = clock_now(), now;

    if (start >= deadline || idle_poll())
        return;
    if (!list_empty(&pollers) && window && poll_for_a_while(start, deadline)) {
        if (event_pending())
            goto deliver;
        return;
    }
    if (arm_all())
        return;
    now = clock_now();
    if (now >= deadline)
        return;
    set_timer(deadline, now);
    /* Clears the mask in one step with looking for events. */
    hypercall_sched_op(SCHEDOP_block, NULL, 0);
    if (!list_empty(&pollers))
        adapt_window(clock_now() - start);
deliver:
    upcalls_unmask();
    upcalls_mask();
}

static void timer_fired(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    timer_armed = NEVER;
}

void idle_init(void)
{
    evtchn_port_t port;

    if (event_bind_virq(VIRQ_TIMER, timer_fired, NULL, &port))
        kernel_panic("no timer");
}
