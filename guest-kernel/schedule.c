/*
 * Who runs: the run queue, the sleepers, and the switch.
 *
 * All of this runs with upcalls masked, since handlers wake threads, and so
 * under the kernel's lock. There is no idle thread: the last thread that blocks
 * on a vCPU runs the idle loop on its own stack until somebody is ready, itself
 * perhaps. Threads go to whichever vCPU takes them first.
 */
#include <errno.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/invariant.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

/* Rings are looked at at least every so many switches between busy threads. */
#define SWITCHES_PER_POLL 16

/* Both are every vCPU's. */
static struct list run_queue = LIST_INIT(run_queue);
static struct list sleepers = LIST_INIT(sleepers); /* earliest first */

void thread_switch(void **save, void *to); /* switch.S */

void schedule_init(void)
{
    vcpus[0].online = vcpus[0].wanted = true;
}

/* ---- idle vCPUs are notified of work ---- */

static bool may_run(const struct thread *t, const struct vcpu *cpu)
{
    return (!t->on || t->on == cpu) && (!t->only || t->only == cpu) &&
           (cpu->online || t->only == cpu);
}

void schedule_kick(struct vcpu *cpu)
{
    if (!cpu->idle || cpu->kicked)
        return;
    cpu->kicked = true;
    hypercall_evtchn_send(cpu->kick_port);
}

/* An idle vCPU that could run t, or t NULL: any. */
static struct vcpu *find_idle(const struct thread *t)
{
    for (unsigned int i = 0; i < VCPUS_MAX; i++)
        if (vcpus[i].idle && !vcpus[i].kicked && (!t || may_run(t, &vcpus[i])))
            return &vcpus[i];
    return NULL;
}

/*
 * An idle vCPU on which a handler readies threads finds them itself, and
 * notifies others of those that it leaves.
 */
static void notify_idle(struct thread *t)
{
    struct vcpu *cpu = this_vcpu(), *other;

    if (cpu->idle && may_run(t, cpu))
        return;
    other = find_idle(t);
    if (other)
        schedule_kick(other);
}

void schedule_ready(struct thread *t)
{
    invariant(t->state != THREAD_DEAD && list_empty(&t->link));
    t->state = THREAD_READY;
    list_add_tail(&run_queue, &t->link);
    if (smp_active)
        notify_idle(t);
}

void schedule_wake(struct thread *t, int result)
{
    t->wait_result = result;
    list_del(&t->timer);
    list_del(&t->link);
    schedule_ready(t);
}

static struct thread *find_work(const struct vcpu *cpu)
{
    struct list *pos;

    list_for_each(pos, &run_queue) {
        struct thread *t = container_of(pos, struct thread, link);

        if (may_run(t, cpu))
            return t;
    }
    return NULL;
}

bool schedule_has_work(const struct vcpu *cpu)
{
    return find_work(cpu) != NULL;
}

bool schedule_others_idle(void)
{
    const struct vcpu *cpu = this_vcpu();

    for (unsigned int i = 0; i < VCPUS_MAX; i++)
        if (&vcpus[i] != cpu && vcpus[i].idle)
            return true;
    return false;
}

/* ---- sleepers ---- */

void schedule_timeout(struct thread *t)
{
    struct list *pos;

    if (t->deadline == NEVER)
        return;
    list_for_each(pos, &sleepers)
        if (container_of(pos, struct thread, timer)->deadline > t->deadline)
            break;
    list_add_tail(pos, &t->timer);
}

static struct thread *first_sleeper(void)
{
    if (list_empty(&sleepers))
        return NULL;
    return container_of(sleepers.next, struct thread, timer);
}

static void expire_sleepers(void)
{
    struct thread *t = first_sleeper();
    uint64_t now;

    if (!t)
        return;
    now = clock_now();
    for (; t && t->deadline <= now; t = first_sleeper())
        schedule_wake(t, -ETIMEDOUT);
}

static uint64_t next_deadline(void)
{
    const struct thread *t = first_sleeper();

    return t ? t->deadline : NEVER;
}

/*
 * This vCPU goes to work. If another one is idle, one of those must be awake in
 * time for the first sleeper, and for the threads that are left.
 */
static void hand_over(void)
{
    uint64_t deadline = next_deadline();
    struct vcpu *other = NULL;
    struct list *pos;

    list_for_each(pos, &run_queue) {
        other = find_idle(container_of(pos, struct thread, link));
        if (other) {
            schedule_kick(other);
            return;
        }
    }
    for (unsigned int i = 0; i < VCPUS_MAX; i++)
        if (vcpus[i].idle && (vcpus[i].kicked || vcpus[i].wakes_at <= deadline))
            return;
    other = deadline == NEVER ? NULL : find_idle(NULL);
    if (other)
        schedule_kick(other);
}

/* ---- the switch ---- */

static struct thread *pick(struct vcpu *cpu)
{
    struct thread *t;

    expire_sleepers();
    t = find_work(cpu);
    if (t)
        list_del(&t->link);
    /* Nobody idles on a dead thread's stack if there is another. */
    else if (cpu->corpse)
        t = cpu->home;
    return t;
}

void schedule_bury(struct vcpu *cpu)
{
    struct thread *t = cpu->corpse;

    cpu->corpse = NULL;
    if (t && t->detached)
        thread_free(t);
    else if (t)
        thread_announce_end(t);
}

/* The lock goes along: nobody sees the moment between two stacks. */
static void switch_to(struct vcpu *cpu, struct thread *prev,
                      struct thread *next)
{
    invariant(cpu->lock_depth > 0 && prev->on == cpu);
    invariant((!next->on || next->on == cpu) &&
              (!next->only || next->only == cpu));
    prev->lock_depth = cpu->lock_depth;
    prev->on = NULL;
    next->on = cpu;
    cpu->current = next;
    thread_tcb(next)->vcpu = cpu;
    arch_fs_set(next->fs_base);
    thread_switch(&prev->rsp, next->rsp);
    cpu = this_vcpu();
    cpu->lock_depth = prev->lock_depth;
    schedule_bury(cpu);
}

void schedule(void)
{
    struct vcpu *cpu = this_vcpu();
    struct thread *prev = cpu->current, *next;

    kernel_assert(!in_upcall());
    if (++cpu->switches % SWITCHES_PER_POLL == 0)
        idle_poll();
    while (!(next = pick(cpu)))
        idle_wait(next_deadline());
    if (smp_active)
        hand_over();
    if (next != prev)
        switch_to(cpu, prev, next);
}

void thread_yield(void)
{
    bool was = upcalls_mask();

    if (list_empty(&run_queue))
        idle_poll();
    schedule_ready(thread_current());
    schedule();
    upcalls_restore(was);
}
