/*
 * Idle: poll for a while, then sleep. See idle.h.
 *
 * The window adapts as KVM's halt polling does: a sleep that a ring ended soon
 * says that polling a little longer would have caught it, so the window grows;
 * one that lasted long says that polling was a waste, so it closes, and one
 * that the store ended, which no poll sees, halves it. A poll that was
 * preempted (two looks far apart) ends: somebody else needs the CPU.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/upcall.h"

#define WINDOW_FIRST (10 * NS_PER_US)
#define WINDOW_MAX   (200 * NS_PER_US)
#define PREEMPTED    (20 * NS_PER_US)
#define ARM_TRIES    16
#define BREATH       32

static struct list pollers = LIST_INIT(pollers);
static uint64_t window, window_max = WINDOW_MAX;
static unsigned int unpolled_events;
static bool polled; /* by one idle vCPU, which is enough */

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

void idle_unpolled_event(void)
{
    unpolled_events++;
}

static bool poll_all(void)
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

/*
 * Is there something to do here? With several vCPUs, what a look at the rings
 * found may be another one's to do, and was told to it.
 */
static bool is_ours(bool found)
{
    return smp_active ? schedule_has_work(this_vcpu()) : found;
}

/* Leaves the rings with events to come, as far as their other ends let us. */
static bool arm_again(void)
{
    bool found = arm_all();

    for (int i = 0; smp_active && found && i < ARM_TRIES && arm_all(); i++)
        ;
    return found;
}

/*
 * What a look takes off a ring leaves it without an event. That is well while
 * whoever runs will look again before anybody sleeps; with other vCPUs asleep
 * it would be nobody's.
 */
bool idle_poll(void)
{
    bool found = poll_all();

    if (smp_active)
        found |= arm_again();
    return found;
}

static bool event_pending(void)
{
    return READ_ONCE(this_vcpu_info()->evtchn_upcall_pending);
}

/* Lets others into the kernel between two looks. */
static void breathe(void)
{
    unsigned int depth;

    cpu_relax();
    if (!smp_active)
        return;
    depth = kernel_unlock_all();
    for (int i = 0; i < BREATH; i++)
        cpu_relax();
    kernel_lock_again(depth);
}

/* True when there is something to do; false when the window has passed. */
static bool poll_for_a_while(uint64_t start, uint64_t deadline)
{
    uint64_t last = start, now = start;
    uint64_t end = start + window;

    if (end > deadline)
        end = deadline;
    while (now < end) {
        if (is_ours(poll_all()) || event_pending())
            return true;
        breathe();
        last = now;
        now = clock_now();
        if (now - last > PREEMPTED) {
            window = 0;
            break;
        }
    }
    return false;
}

/* As above, by one vCPU at a time. */
static bool poll_alone(uint64_t start, uint64_t deadline)
{
    bool found;

    if (list_empty(&pollers) || !window || polled)
        return false;
    polled = true;
    found = poll_for_a_while(start, deadline);
    polled = false;
    return found;
}

/* A wait is over, in which polling found nothing. */
static void adapt_window(uint64_t waited, bool for_rings)
{
    if (waited <= window)
        return;
    if (waited > window_max)
        window = 0;
    else if (!for_rings)
        window = window < 2 * WINDOW_FIRST ? 0 : window / 2;
    else
        window = window ? window * 2 : WINDOW_FIRST;
    if (window > window_max)
        window = window_max;
}

/* An earlier setting may stand: it costs one early wake-up, not a hypercall. */
static void set_timer(struct vcpu *cpu, uint64_t deadline, uint64_t now)
{
    if (deadline == NEVER ||
        (cpu->timer_armed > now && cpu->timer_armed <= deadline))
        return;
    cpu->timer_armed = deadline;
    arch_timer_set(deadline);
}

/* Another idle vCPU is up in time already. */
static bool somebody_wakes(uint64_t deadline)
{
    for (unsigned int i = 0; i < VCPUS_MAX; i++)
        if (vcpus[i].idle && vcpus[i].wakes_at <= deadline)
            return true;
    return false;
}

/*
 * What is told to an idle vCPU after it gave the lock up comes as an event, and
 * ends the wait.
 */
static void block(uint64_t deadline, uint64_t now)
{
    struct vcpu *cpu = this_vcpu();
    unsigned int depth;

    if (smp_active && somebody_wakes(deadline))
        deadline = NEVER;
    set_timer(cpu, deadline, now);
    cpu->wakes_at = deadline;
    cpu->idle = true;
    depth = kernel_unlock_all();
    arch_wait();
    mask_only();
    kernel_lock_again(depth);
    cpu->idle = cpu->kicked = false;
}

void idle_wait(uint64_t deadline)
{
    uint64_t start = clock_now(), now;
    unsigned int others = unpolled_events;

    if (start >= deadline || is_ours(poll_all()))
        return;
    if (poll_alone(start, deadline)) {
        if (smp_active)
            idle_poll(); /* leaves the rings with events */
        if (event_pending())
            goto deliver;
        return;
    }
    if (is_ours(arm_again()))
        return;
    now = clock_now();
    if (now >= deadline)
        return;
    block(deadline, now);
    if (!list_empty(&pollers))
        adapt_window(clock_now() - start, others == unpolled_events);
deliver:
    upcalls_unmask();
    mask_only();
}

static void timer_fired(void)
{
    this_vcpu()->timer_armed = NEVER;
}

void idle_init(unsigned int vcpu)
{
    vcpus[vcpu].timer_armed = NEVER;
    arch_timer_init(vcpu, timer_fired);
}
