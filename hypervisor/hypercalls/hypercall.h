/*
 * The hypercall table: numbers of <xen/xen.h> meet functions.
 *
 * An engine (or the control socket) calls hypercall_dispatch() with what the
 * caller's registers held. Bodies live in their subject's file; each takes the
 * calling vCPU and the six argument registers, returns what the caller gets.
 */
#ifndef RINGSIDE_HYPERCALL_TABLE_H
#define RINGSIDE_HYPERCALL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "stats.h"

struct vcpu;

#define HYPERCALL_MAX 64u

typedef long hypercall_fn(struct vcpu *v, const uint64_t args[6]);

/* -ENOSYS for what the table lacks. Under the host's lock. If v->again is set
 * afterwards, the call is not done: the caller makes it again with
 * v->again_args[] for its first arguments. */
long hypercall_dispatch(struct vcpu *v, unsigned int nr,
                        const uint64_t args[6]);
/*
 * The same in two steps, for calls so quick that to time each would be a good
 * part of them (stats.h), as to count them before they are answered: the
 * caller answers, and counts before the vCPU's next call.
 */
struct hypercall_turn {
    enum stats_slot slot;
    bool goes_on;   /* it was not the call's first */
    uint64_t start; /* ticks of the TSC; 0: it is not timed */
    long ret;       /* what the caller gets */
};
void hypercall_dispatch_sampled(struct vcpu *v, unsigned int nr,
                                const uint64_t args[6],
                                struct hypercall_turn *t);
void hypercall_count(struct vcpu *v, const struct hypercall_turn *t);

/*
 * Nobody holds the hypervisor with a long call: it is done in turns. Between
 * two elements its body asks hypercall_turn_over(), telling what the next one
 * costs (1: a look at a few words), and if so returns hypercall_continue() with
 * the arguments of what is left. These are Xen's continuations; a guest
 * never sees them.
 *
 * A turn ends after HYPERCALL_TURN units of cost, and after HYPERCALL_TURN_NS
 * (rs_host.turn_ticks), whichever comes first: the units bound what a turn may
 * ask of the engine, the time bounds what others wait, whatever an operation
 * costs on this machine. The clock is read when so many units have passed, so
 * an operation that enters Linux charges HYPERCALL_SYSCALL for each time.
 */
#define HYPERCALL_TURN    1024u
#define HYPERCALL_TURN_NS 50000u
#define HYPERCALL_UNTIMED UINT64_MAX /* turn_ticks: units alone end a turn */
#define HYPERCALL_CHANGE  32u /* the cost of a change of the address space */
#define HYPERCALL_SYSCALL 32u /* the cost of one system call of ours */

bool hypercall_turn_over(struct vcpu *v, unsigned int cost);
/* Charges what an operation costs beyond its base cost; the turn ends at the
 * next hypercall_turn_over(). */
void hypercall_charge(struct vcpu *v, unsigned int cost);
long hypercall_continue(struct vcpu *v, uint64_t a0, uint64_t a1, uint64_t a2);

/* "event_channel_op", or NULL. */
const char *hypercall_name(unsigned int nr);
/* The name of what is counted there; STATS_OTHER: "other". */
const char *hypercall_slot_name(enum stats_slot slot);

hypercall_fn do_console_io, do_sched_op, do_set_timer_op, do_vcpu_op,
    do_xen_version, do_multicall, do_sysctl, do_domctl;

#endif
