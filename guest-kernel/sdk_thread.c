/*
 * <ringside/guest.h>: time, threads, and what they wait on. Handles instead of
 * embedded structures, timeouts instead of deadlines.
 */
#include <ringside/guest.h>
#include <stdlib.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/smp.h"
#include "guest-kernel/thread.h"

struct rs_mutex {
    struct mutex mutex;
};

struct rs_semaphore {
    struct semaphore semaphore;
};

uint64_t rs_now(void)
{
    return clock_now();
}

void rs_sleep(uint64_t ns)
{
    thread_sleep(ns);
}

struct rs_thread *rs_thread_create(const char *name, void (*fn)(void *arg),
                                   void *arg, size_t stack_bytes)
{
    return (struct rs_thread *)thread_create_program(name, fn, arg,
                                                     stack_bytes);
}

void rs_thread_join(struct rs_thread *t)
{
    thread_join((struct thread *)t);
}

void rs_thread_detach(struct rs_thread *t)
{
    thread_detach((struct thread *)t);
}

void rs_thread_yield(void)
{
    thread_yield();
}

unsigned int rs_vcpus_online(void)
{
    return smp_online();
}

unsigned int rs_vcpu(void)
{
    return this_vcpu()->id;
}

struct rs_mutex *rs_mutex_new(void)
{
    struct rs_mutex *m = malloc(sizeof(*m));

    if (m)
        mutex_init(&m->mutex);
    return m;
}

void rs_mutex_free(struct rs_mutex *m)
{
    free(m);
}

void rs_mutex_lock(struct rs_mutex *m)
{
    mutex_lock(&m->mutex);
}

void rs_mutex_unlock(struct rs_mutex *m)
{
    mutex_unlock(&m->mutex);
}

struct rs_semaphore *rs_semaphore_new(unsigned int count)
{
    struct rs_semaphore *s = malloc(sizeof(*s));

    if (s)
        semaphore_init(&s->semaphore, count);
    return s;
}

void rs_semaphore_free(struct rs_semaphore *s)
{
    free(s);
}

int rs_semaphore_down(struct rs_semaphore *s, uint64_t timeout)
{
    return semaphore_down(&s->semaphore, clock_deadline(timeout));
}

void rs_semaphore_up(struct rs_semaphore *s)
{
    semaphore_up(&s->semaphore);
}
