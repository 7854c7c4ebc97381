/*
 * The stub: the engine's half inside a guest's process.
 *
 * It has no libc, no relocations and one vCPU. start.c sets up the process
 * and seals it; then guest code runs, and the stub is entered through the
 * hypercall page (calls.c), by signals (traps.c), and nowhere else.
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

struct stub {
    struct shared_info *shared;
    struct vcpu_info *vcpu;
    struct sandbox_page *page;
    void (*callback)(struct cpu_user_regs *); /* event upcall, or NULL */
    void (*trap[TRAPS])(struct cpu_user_regs *);
    uint64_t deadline;        /* system time of VIRQ_TIMER, 0: none */
    evtchn_port_t timer_port; /* bound to VIRQ_TIMER, 0: none */
    uint64_t tick_ns;         /* system time when the tick timer fires */
    bool ticking;             /* the tick timer is armed */
    bool sleeping;            /* in block or poll: the tick must not harvest */
    bool changing;            /* in a call that may change mappings */
    bool trapped;             /* a trap handler of the guest is running */
};

extern struct stub stub;

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

/* Leaves the stub for the guest. */
_Noreturn void stub_enter(uint64_t rip, uint64_t rsp, uint64_t rsi);
/* Where entries of the hypercall page that need the stub jump to. */
void stub_hypercall_entry(void);
void stub_sigreturn(void);
/* Copies n bytes (a multiple of 4) from the guest; -EFAULT on a fault. */
long stub_read_guest(void *to, const void *from, size_t n);
extern char stub_read_fault[], stub_read_fixup[];

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
/* Until one of the ports is pending, or system time `timeout` (0: never). */
long stub_poll(const evtchn_port_t *ports, unsigned int n, uint64_t timeout);

/* ---- calls.c ---- */

long stub_hypercall(unsigned long nr, unsigned long a1, unsigned long a2,
                    unsigned long a3, unsigned long a4, unsigned long a5);
void stub_fill_hypercall_page(uint8_t *page);

/* ---- traps.c ---- */

void stub_install_signals(void);
_Noreturn void stub_die(unsigned long vector, unsigned long rip,
                        unsigned long address, unsigned long error);

#pragma GCC visibility pop

#endif
