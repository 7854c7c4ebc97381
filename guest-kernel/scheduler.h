/*
 * Inside of the threads: thread.c (life), schedule.c (who runs), sync.c
 * (wait queues and what is built on them), smp.c (vCPUs come and go).
 *
 * Queues are common to all vCPUs. A thread that waits may have left a vCPU idle
 * on its stack; then only that vCPU can run it again (`on`).
 */
#ifndef RINGSIDE_GUEST_SCHEDULER_H
#define RINGSIDE_GUEST_SCHEDULER_H

#include <reent.h>

#include "guest-kernel/thread.h"

enum thread_state {
    THREAD_READY, /* running or in the run queue */
    THREAD_WAITING,
    THREAD_DEAD,
};

/* Lies at the top of its own stack's pages: guard, stack, TLS, this. */
struct thread {
    void *rsp;         /* while it does not run: its frame (switch.S) */
    uintptr_t fs_base; /* the TLS block's end, where it points to itself */
    struct list link;  /* in the run queue or in a wait queue */
    struct list timer; /* among the sleepers, by deadline */
    uint64_t deadline;
    int wait_result;
    enum thread_state state;
    bool detached;
    bool gone;               /* dead, and nobody runs on its stack any more */
    bool of_program;         /* runs outside of the kernel's lock */
    unsigned int lock_depth; /* while it does not run */
    struct vcpu *on;         /* which vCPU uses its stack; NULL: none */
    struct vcpu *only;       /* may run there alone; NULL: anywhere */
    char name[16];
    thread_fn *fn;
    void *arg;
    void *pages; /* lowest page: the guard */
    size_t n_pages;
    struct wait_queue joiners;
    struct _reent *reent; /* own_reent, or the C library's for main */
    struct _reent own_reent;
};

/* Runs someone else until the caller is ready again. Upcalls are masked. */
void schedule(void);
/* Puts a thread that is not queued anywhere at the end of the run queue. */
void schedule_ready(struct thread *t);
/* Ends t's wait, whatever it waits for. Upcalls are masked. */
void schedule_wake(struct thread *t, int result);
/* Has t woken with -ETIMEDOUT at t->deadline (not for NEVER). */
void schedule_timeout(struct thread *t);
void schedule_init(void);
/* Has an idle vCPU look for work. Upcalls are masked. */
void schedule_kick(struct vcpu *cpu);
/* Is there a thread that cpu could run? */
bool schedule_has_work(const struct vcpu *cpu);
/* Is another vCPU idle, so that rings must not be left without an event? */
bool schedule_others_idle(void);
/* On a new thread's stack: sees to the one that ended before. */
void schedule_bury(struct vcpu *cpu);

/* The stack of t without its guard, and the guard itself. */
void thread_stack(const struct thread *t, uintptr_t *low, uintptr_t *high);
bool thread_guard_hit(const struct thread *t, uintptr_t addr);
/* Makes the boot code thread "main", which runs fn on its own stack. */
_Noreturn void thread_start_main(void (*fn)(void));
void thread_free(struct thread *t);
/* A thread that does not run yet, with a stack and nothing on it. */
struct thread *thread_alloc(const char *name, size_t stack_bytes);
void *thread_stack_top(const struct thread *t);
/* Lays the TLS block out below `top`; returns the thread pointer. */
uintptr_t thread_make_tls(uintptr_t top);
/* Its size, as the linker counts it: it places the block this far below the
 * pointer. Sizes in guest.lds are the symbols' addresses. */
extern char tls_size[], tls_align[];
static inline size_t thread_tls_bytes(void)
{
    size_t align = (size_t)tls_align;

    return ((size_t)tls_size + align - 1) & ~(align - 1);
}
/* Tells who waits for its end. */
void thread_announce_end(struct thread *t);
struct tcb *thread_tcb(const struct thread *t);

#endif
