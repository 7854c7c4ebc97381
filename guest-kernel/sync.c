/*
 * Waiting: wait queues, and mutexes, semaphores and conditions made of them.
 */
#include <errno.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/upcall.h"

void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}

int wait_queue_sleep(struct wait_queue *q, uint64_t deadline)
{
    bool was = upcalls_mask();
    struct thread *t = thread_current();

    t->state = THREAD_WAITING;
    t->deadline = deadline;
    list_add_tail(&q->waiters, &t->link);
    schedule_timeout(t);
    schedule();
    upcalls_restore(was);
    return t->wait_result;
}

void wait_queue_wake(struct wait_queue *q)
{
    bool was = upcalls_mask();

    if (!list_empty(&q->waiters))
        schedule_wake(container_of(q->waiters.next, struct thread, link), 0);
    upcalls_restore(was);
}

void wait_queue_wake_all(struct wait_queue *q)
{
    bool was = upcalls_mask();

    while (!list_empty(&q->waiters))
        schedule_wake(container_of(q->waiters.next, struct thread, link), 0);
    upcalls_restore(was);
}

void thread_sleep_until(uint64_t deadline)
{
    struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

    wait_queue_sleep(&nobody, deadline);
}

void thread_sleep(uint64_t ns)
{
    uint64_t now = clock_now();

    thread_sleep_until(ns < NEVER - now ? now + ns : NEVER);
}

void mutex_init(struct mutex *m)
{
    *m = (struct mutex)MUTEX_INIT(*m);
}

bool mutex_is_mine(const struct mutex *m)
{
    return m->depth && m->owner == thread_current();
}

bool mutex_try_lock(struct mutex *m)
{
    IN_KERNEL();
    if (m->depth && m->owner != thread_current())
        return false;
    m->owner = thread_current();
    m->depth++;
    return true;
}

void mutex_lock(struct mutex *m)
{
    IN_KERNEL();
    kernel_assert(!in_upcall());
    while (!mutex_try_lock(m))
        wait_queue_sleep(&m->queue, NEVER);
}

void mutex_unlock(struct mutex *m)
{
    IN_KERNEL();
    kernel_assert(mutex_is_mine(m));
    if (--m->depth)
        return;
    m->owner = NULL;
    wait_queue_wake(&m->queue);
}

void semaphore_init(struct semaphore *s, unsigned int count)
{
    s->count = count;
    wait_queue_init(&s->queue);
}

int semaphore_down(struct semaphore *s, uint64_t deadline)
{
    bool was = upcalls_mask();
    int err = wait_event(&s->queue, s->count > 0, deadline);

    if (!err)
        s->count--;
    upcalls_restore(was);
    return err;
}

bool semaphore_try_down(struct semaphore *s)
{
    bool was = upcalls_mask(), got = s->count > 0;

    if (got)
        s->count--;
    upcalls_restore(was);
    return got;
}

void semaphore_up(struct semaphore *s)
{
    bool was = upcalls_mask();

    s->count++;
    wait_queue_wake(&s->queue);
    upcalls_restore(was);
}

void condition_init(struct condition *c)
{
    wait_queue_init(&c->queue);
}

/*
 * A recursively locked mutex is let go wholly and taken back as deep. Nothing
 * runs between unlock and sleep but handlers, whose signals may come too early:
 * hence the mask.
 */
int condition_wait(struct condition *c, struct mutex *m, uint64_t deadline)
{
    unsigned int depth = m->depth;
    bool was = upcalls_mask();
    int err;

    kernel_assert(mutex_is_mine(m));
    m->depth = 1;
    mutex_unlock(m);
    err = wait_queue_sleep(&c->queue, deadline);
    upcalls_restore(was);
    mutex_lock(m);
    m->depth = depth;
    return err;
}

void condition_signal(struct condition *c)
{
    wait_queue_wake(&c->queue);
}

void condition_broadcast(struct condition *c)
{
    wait_queue_wake_all(&c->queue);
}
