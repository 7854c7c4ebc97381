/*
 * The vCPUs that this kernel runs on, and the lock under which it runs.
 *
 * There is one lock, the kernel's. Who holds it may be interrupted by this
 * vCPU's upcalls, as ever, and by nothing else; so all that this kernel was
 * built on with one vCPU holds with several: code between two blocking calls is
 * atomic against other threads, and against event handlers where upcalls are
 * masked. The lock is held
 *
 *   - by threads of the kernel while they run,
 *   - by threads of the program inside calls of the kernel (IN_KERNEL),
 *   - while upcalls are masked by upcalls_mask(), so also by event handlers,
 *
 * and is given up while a thread waits. Threads of the program run without it,
 * at the same time on several vCPUs. It nests. With one vCPU nobody is asked:
 * only the depth is counted.
 *
 * The thread pointer leads to the vCPU: what it points to is struct tcb.
 */
#ifndef RINGSIDE_GUEST_VCPU_H
#define RINGSIDE_GUEST_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

#define VCPUS_MAX 8

struct thread;

/* All but `info` are changed under the lock. */
struct vcpu {
    struct vcpu_info *info;
    unsigned int id;
    unsigned int lock_depth; /* how often the running thread has the lock */
    unsigned int upcall_depth;
    unsigned int switches;
    struct thread *current;
    struct thread *corpse; /* dead; buried by who runs next */
    struct thread *home;   /* its own thread; NULL: the only vCPU */
    bool irqs_off;         /* arch/native: what `pushf` cannot tell */
    bool online;           /* threads may run here */
    bool wanted;           /* and shall (smp.c) */
    bool idle;             /* looks for nothing but a kick or an event */
    bool kicked;           /* was told to look, and has not yet */
    bool polling;          /* idle, and looks at rings again and again */
    uint64_t wakes_at;     /* idle: when it wakes by itself */
    uint64_t timer_armed;  /* what VIRQ_TIMER is set to */
    evtchn_port_t kick_port;
};

/* At the thread pointer; its first word is the x86-64 ABI's. */
struct tcb {
    uintptr_t self;
    struct vcpu *vcpu;
};

extern struct vcpu vcpus[VCPUS_MAX];
/* Several vCPUs are in use, so the lock is taken in earnest. */
extern bool smp_active;

/* This vCPU; another one perhaps after a blocking call. */
#ifndef RINGSIDE_HOST_TEST
static inline struct vcpu *this_vcpu(void)
{
    struct vcpu *v;

    __asm__ __volatile__("movq %%fs:8, %0" : "=r"(v));
    return v;
}
#else
struct vcpu *this_vcpu(void);
#endif

/* lock.c: in earnest, with upcalls masked; the lock's own depth is 0. */
void lock_take(void);
void lock_give(void);

/* With upcalls masked. */
static inline void kernel_lock_masked(void)
{
    if (this_vcpu()->lock_depth++ == 0 && smp_active)
        lock_take();
}

static inline void kernel_unlock_masked(void)
{
    if (--this_vcpu()->lock_depth == 0 && smp_active)
        lock_give();
}

/* Gives the lock up wholly and returns its depth; takes it as deep. Upcalls
 * are masked. */
unsigned int kernel_unlock_all(void);
void kernel_lock_again(unsigned int depth);

/* Any context. */
void kernel_enter(void);
void kernel_leave(void);

static inline void kernel_leave_scope_(char *unused)
{
    (void)unused;
    kernel_leave();
}

/* As a block's first declaration: the rest of the block runs in the kernel. */
#define IN_KERNEL()                                                    \
    char in_kernel_ __attribute__((cleanup(kernel_leave_scope_))) = 0; \
    (void)in_kernel_;                                                  \
    kernel_enter()

/* For the crash report: waits for the lock, but not for ever. */
void lock_take_or_give_up(void);

#endif
