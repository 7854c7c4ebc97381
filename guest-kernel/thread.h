/*
 * Cooperative threads, and what they wait on.
 *
 * A thread runs until it blocks, yields or ends; nothing else takes the vCPU
 * from it but upcalls, which run handlers and return. Threads of the kernel
 * hold its lock (vcpu.h) while they run: code between two blocking calls is
 * atomic against other threads, and needs upcalls masked (upcall.h) only for
 * data that handlers touch. Threads of the program may run at the same time on
 * several vCPUs; the calls here see to themselves.
 *
 * Calls marked [upcall] may be made from event handlers; the others only from
 * threads. Deadlines are absolute system time in ns (clock.h), NEVER waits for
 * ever; a deadline in the past polls.
 */
#ifndef RINGSIDE_GUEST_THREAD_H
#define RINGSIDE_GUEST_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-kernel/upcall.h"
#include "list.h"

#define NEVER                UINT64_MAX
#define THREAD_STACK_DEFAULT (64 * 1024)

struct thread;
typedef void thread_fn(void *arg);

/*
 * A new runnable thread with a stack of at least stack_bytes (0: default) and a
 * guard page below it. The name is copied (15 characters kept). NULL: no
 * memory. Somebody must join or detach it.
 */
struct thread *thread_create(const char *name, thread_fn *fn, void *arg,
                             size_t stack_bytes);
/* The same for a function of the program: it runs outside of the kernel. */
struct thread *thread_create_program(const char *name, thread_fn *fn, void *arg,
                                     size_t stack_bytes);
struct thread *thread_current(void);
void thread_yield(void);
_Noreturn void thread_exit(void);
/* Waits for its end and frees it. The handle is gone afterwards. */
void thread_join(struct thread *t);
/* Frees itself at its end; the caller forgets the handle. */
void thread_detach(struct thread *t);
void thread_sleep_until(uint64_t deadline);
void thread_sleep(uint64_t ns);

/* ---- wait queues: the primitive under all others ---- */

struct wait_queue {
    struct list waiters;
};
#define WAIT_QUEUE_INIT(name)     \
    {                             \
        LIST_INIT((name).waiters) \
    }

void wait_queue_init(struct wait_queue *q);
/*
 * Sleeps until woken: 0, or -ETIMEDOUT. The caller tests its condition and
 * calls this with upcalls masked when a handler is the waker (the mask is given
 * back masked), so that no wake-up falls between test and sleep.
 */
int wait_queue_sleep(struct wait_queue *q, uint64_t deadline);
void wait_queue_wake(struct wait_queue *q);     /* [upcall] one, oldest first */
void wait_queue_wake_all(struct wait_queue *q); /* [upcall] */

/*
 * Waits until expr is true or the deadline passes; evaluates to 0 or
 * -ETIMEDOUT. expr is evaluated with upcalls masked.
 */
#define wait_event(q, expr, deadline)                 \
    ({                                                \
        bool was_ = upcalls_mask();                   \
        int err_ = 0;                                 \
        while (!(expr)) {                             \
            if (err_)                                 \
                break;                                \
            err_ = wait_queue_sleep((q), (deadline)); \
        }                                             \
        if (expr)                                     \
            err_ = 0;                                 \
        upcalls_restore(was_);                        \
        err_;                                         \
    })

/* ---- mutex, semaphore, condition ---- */

/* Recursive: its owner may lock it again. Never from upcalls. */
struct mutex {
    struct thread *owner;
    unsigned int depth;
    struct wait_queue queue;
};
#define MUTEX_INIT(name)                       \
    {                                          \
        NULL, 0, WAIT_QUEUE_INIT((name).queue) \
    }

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_try_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);

struct semaphore {
    unsigned int count;
    struct wait_queue queue;
};
#define SEMAPHORE_INIT(name, n)            \
    {                                      \
        (n), WAIT_QUEUE_INIT((name).queue) \
    }

void semaphore_init(struct semaphore *s, unsigned int count);
/* 0, or -ETIMEDOUT. */
int semaphore_down(struct semaphore *s, uint64_t deadline);
bool semaphore_try_down(struct semaphore *s);
void semaphore_up(struct semaphore *s); /* [upcall] */

struct condition {
    struct wait_queue queue;
};
#define CONDITION_INIT(name)          \
    {                                 \
        WAIT_QUEUE_INIT((name).queue) \
    }

void condition_init(struct condition *c);
/* Unlocks m, waits, locks m again. 0, or -ETIMEDOUT. */
int condition_wait(struct condition *c, struct mutex *m, uint64_t deadline);
void condition_signal(struct condition *c);    /* [upcall] */
void condition_broadcast(struct condition *c); /* [upcall] */

/* Threads that exist; the leak tests compare it. */
unsigned int thread_count(void);

#endif
