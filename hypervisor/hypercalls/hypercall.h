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

/* -ENOSYS for what the table lacks. Under the host's lock. If v->continued is
 * set afterwards, the call is not done: the caller makes it again with
 * v->continuation[] for its first arguments. */
long hypercall_dispatch(struct vcpu *v, unsigned int nr,
                        const uint64_t args[6]);
/*
 * The same in two steps, for calls so quick that to time each would be a good
 * part of them (stats.h), as to count them before they are answered: the
 * caller answers, and counts before the vCPU's next call.
 */
struct hypercall_run {
    enum stats_slot slot;
    bool is_continuation; /* it was not the call's first */
    uint64_t start;       /* ticks of the TSC; 0: it is not timed */
    long ret;             /* what the caller gets */
};
void hypercall_dispatch_sampled(struct vcpu *v, unsigned int nr,
                                const uint64_t args[6],
                                struct hypercall_run *t);
void hypercall_count(struct vcpu *v, const struct hypercall_run *t);

/* "event_channel_op", or NULL. */
const char *hypercall_name(unsigned int nr);

hypercall_fn do_console_io, do_sched_op, do_set_timer_op, do_vcpu_op,
    do_xen_version, do_multicall, do_sysctl, do_domctl, do_hvm_op;

#endif
