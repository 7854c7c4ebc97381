/*
 * Who runs: the run queue, the sleepers, and the switch.
 *
 * All of this runs with upcalls masked, since handlers wake threads. There is
 * no idle thread: the last thread that blocks runs the idle loop on its own
 * stack until somebody is ready, itself perhaps.
 */
#include <errno.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/upcall.h"

/* Rings are looked at at least every so many switches between busy threads. */
#define SWITCHES_PER_POLL 16

static struct vcpu vcpus[1];

void thread_switch(void **save, void *to); /* entry.S */

struct vcpu *this_vcpu(void)
{
    return &vcpus[0];
}

void schedule_init(void)
{
    list_init(&this_vcpu()->run_queue);
    list_init(&this_vcpu()->sleepers);
}

void schedule_ready(struct thread *t)
{
    t->state = THREAD_READY;
    list_add_tail(&this_vcpu()->run_queue, &t->link);
}

void schedule_wake(struct thread *t, int result)
{
    t->wait_result = result;
    list_del(&t->timer);
    list_del(&t->link);
    schedule_ready(t);
}

void schedule_timeout(struct thread *t)
{
    struct list *pos;

    if (t->deadline == NEVER)
        return;
    list_for_each(pos, &this_vcpu()->sleepers)
        if (container_of(pos, struct thread, timer)->deadline > t->deadline)
            break;
    list_add_tail(pos, &t->timer);
}

static struct thread *first_sleeper(const struct vcpu *cpu)
{
    if (list_empty(&cpu->sleepers))
        return NULL;
    return container_of(cpu->sleepers.next, struct thread, timer);
}

static void expire_sleepers(struct vcpu *cpu)
{
    struct thread *t = first_sleeper(cpu);
    uint64_t now;

    if (!t)
        return;
    now = clock_now();
    for (; t && t->deadline <= now; t = first_sleeper(cpu))
        schedule_wake(t, -ETIMEDOUT);
}

static struct thread *pick(struct vcpu *cpu)
{
    struct thread *t;

    expire_sleepers(cpu);
    if (list_empty(&cpu->run_queue))
        return NULL;
    t = container_of(cpu->run_queue.next, struct thread, link);
    list_del(&t->link);
    return t;
}

static uint64_t next_deadline(const struct vcpu *cpu)
{
    const struct thread *t = first_sleeper(cpu);

    return t ? t->deadline : NEVER;
}

/* On the new thread's stack: nobody runs on the corpse's any more. */
static void bury(struct vcpu *cpu)
{
    struct thread *t = cpu->corpse;

    cpu->corpse = NULL;
    if (t)
        thread_free(t);
}

void schedule(void)
{
    struct vcpu *cpu = this_vcpu();
    struct thread *prev = cpu->current, *next;

    kernel_assert(!in_upcall());
    if (++cpu->switches % SWITCHES_PER_POLL == 0)
        idle_poll();
    while (!(next = pick(cpu)))
        idle_wait(next_deadline(cpu));
    if (next == prev)
        return;
    cpu->current = next;
    fsbase_set(next->fs_base);
    thread_switch(&prev->rsp, next->rsp);
    bury(cpu);
}

void thread_yield(void)
{
    struct vcpu *cpu = this_vcpu();
    bool was = upcalls_mask();

    if (list_empty(&cpu->run_queue))
        idle_poll();
    schedule_ready(cpu->current);
    schedule();
    upcalls_restore(was);
}
