/*
 * The hypercall table: numbers of <xen/xen.h> meet functions.
 *
 * An engine (or the control socket) calls hypercall_dispatch() with what the
 * caller's registers held. Bodies live in their subject's file; each takes the
 * calling vCPU and the six argument registers, returns what the caller gets.
 */
#ifndef RINGSIDE_HYPERCALL_TABLE_H
#define RINGSIDE_HYPERCALL_TABLE_H

#include <stdint.h>

struct vcpu;

#define HYPERCALL_MAX 64u

typedef long hypercall_fn(struct vcpu *v, const uint64_t args[6]);

/* -ENOSYS for what the table lacks. Under the host's lock. */
long hypercall_dispatch(struct vcpu *v, unsigned int nr,
                        const uint64_t args[6]);

/* "event_channel_op", or NULL. */
const char *hypercall_name(unsigned int nr);

hypercall_fn do_console_io, do_sched_op, do_set_timer_op, do_vcpu_op,
    do_xen_version, do_multicall;

#endif
