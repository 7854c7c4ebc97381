/*
 * The stub: the engine's half inside a guest's process.
 *
 * It has no libc and no relocations. start.c sets up the process, a thread for
 * each vCPU, and seals it; then guest code runs, and the stub is entered
 * through the hypercall page (calls.c), by signals (traps.c), and nowhere else.
 * Each thread finds its own state through the GS base.
 */
#ifndef RINGSIDE_STUB_H
#define RINGSIDE_STUB_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../layout.h"
#include "xen_compat.h"

#define NS    1000000000ull
#define TRAPS 32

/* Nothing here is seen from outside, so nothing needs a relocation. */
#pragma GCC visibility push(hidden)

/* Of one vCPU; only its thread uses it, but where noted. */
struct stub_vcpu {
    struct stub_vcpu *self; /* first: what GS points to */
    unsigned int id;
    struct vcpu_info *info;
    struct sandbox_page *page;
    uint64_t deadline;        /* system time of VIRQ_TIMER, 0: none */
    evtchn_port_t timer_port; /* bound to VIRQ_TIMER, 0: none; any thread's */
    uint64_t tick_ns;         /* system time when the tick timer fires */
    uint64_t polled_ns;       /* when a call's end last looked for events */
    bool ticking;             /* the tick timer is armed */
    bool sleeping;            /* in block or poll: the tick must not harvest */
    bool changing;            /* in a call that no other may interrupt */
    bool has_runstate;        /* it is written down for the guest */
    bool trapped;             /* a trap handler of the guest is running */
    uint64_t board_deadline;  /* native: the same of its board's timer, */
    bool due;                 /* which has come */
};

/* Of the domain; changed by hypercalls only. */
struct stub {
    struct shared_info *shared;
    unsigned int native; /* as in the page: traps go to the hypervisor */
    void (*callback)(struct cpu_user_regs *); /* event upcall, or NULL */
    void (*trap[TRAPS])(struct cpu_user_regs *);
    uint8_t port_vcpu[SANDBOX_PORTS]; /* which vCPU is notified */
    unsigned int ready; /* vCPUs' threads that have set themselves up */
    struct stub_vcpu vcpu[SANDBOX_MAX_VCPUS];
};

extern struct stub stub;

/* The running thread's. */
static inline struct stub_vcpu *stub_me(void)
{
    struct stub_vcpu *me;

    __asm__("mov %%gs:0, %0" : "=r"(me));
    return me;
}

/* A counter of the running thread's, as COUNT(sends). Whoever interrupts it
 * counts whole: the increment is one instruction, or it is only a figure. */
#define COUNT(what) (stub_me()->page->counts.what++)

static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                           "r"(r9)
                         : "rcx", "r11", "memory");
    return ret;
}

static inline long sys3(long n, long a, long b, long c)
{
    return sys6(n, a, b, c, 0, 0, 0);
}

/* ---- entry.S ---- */

/* Leaves the stub for the guest, with the registers of page->entry. */
_Noreturn void stub_enter(const void *entry);
/* A thread that runs stub_thread(vcpu) on a stack; its id, or -errno. */
long stub_clone(unsigned long flags, uint64_t stack, unsigned long vcpu);
/* Where entries of the hypercall page that need the stub jump to. */
void stub_hypercall_entry(void);
void stub_sigreturn(void);
/* Copies n bytes (a multiple of 4) from the guest; -EFAULT on a fault. */
long stub_read_guest(void *to, const void *from, size_t n);
extern char stub_read_fault[], stub_read_fixup[];

/* ---- start.c ---- */

_Noreturn void stub_thread(unsigned long vcpu);

/* ---- events.c ---- */

/* System time in ns, from the clock in shared_info. */
uint64_t stub_now(void);
/* Moves what arrived in the epoll file into the pending bits. */
void stub_harvest(void);
/* Runs the guest's upcall while events are pending and not masked. */
void stub_deliver(struct cpu_user_regs *regs);
/* Raises VIRQ_TIMER if it is due. */
void stub_check_timer(void);
/* Arms the tick so that a running guest is interrupted in time. */
void stub_arm_tick(void);
long stub_block(void);
/* For sleeps elsewhere: from begin to end the tick leaves everything alone. */
void stub_begin_sleep(void);
void stub_end_sleep(void);
void stub_doze(uint64_t until);
/* Until one of the ports is pending, or system time `timeout` (0: never). */
long stub_poll(const evtchn_port_t *ports, unsigned int n, uint64_t timeout);

/* ---- calls.c ---- */

long stub_hypercall(unsigned long nr, unsigned long a1, unsigned long a2,
                    unsigned long a3, unsigned long a4, unsigned long a5);
void stub_fill_hypercall_page(uint8_t *page);
/* Makes the changes of the address space that the hypervisor left behind. */
void stub_carry_out_changes(void);

/* ---- native.c ---- */

/* A trap of a native kernel: emulated or reflected, *regs are what is left. */
void stub_native_trap(unsigned long address, struct cpu_user_regs *regs);
/* Brings an interrupt that is due, if it may come: into the registers of what
 * was interrupted; NULL: at the end of a hypercall. */
void stub_native_interrupt(struct cpu_user_regs *regs);
/* Faults (entry.S), so that an interrupt can come there. */
void stub_gate(void);

/* ---- mailbox.c ---- */

/* True: the hypervisor carried the call out, *ret is its result. Else nothing
 * was done, and it is to be notified. */
bool stub_ask(unsigned long nr, unsigned long a1, unsigned long a2,
              unsigned long a3, unsigned long a4, unsigned long a5, long *ret);

/* ---- traps.c ---- */

void stub_install_signals(void);
/* This thread's own stack for them. */
void stub_set_signal_stack(const struct sandbox_page *page);
_Noreturn void stub_die(unsigned long vector, unsigned long rip,
                        unsigned long address, unsigned long error);

#pragma GCC visibility pop

#endif
