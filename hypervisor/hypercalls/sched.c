/*
 * sched_op and set_timer_op: what a vCPU says about its own running.
 *
 * An engine that can put a vCPU to sleep by itself (the sandbox's stub does)
 * never brings block and poll here; answering them at once is a spurious
 * wake-up, which guests must expect.
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "domain.h"
#include "hypercall.h"
#include "preempt.h"

/* Xen looks at 8 bits of the reason; the next 8 are the exit status. */
static long op_shutdown(struct vcpu *v, guest_addr_t arg)
{
    struct sched_shutdown op;

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    domain_shutdown(v->domain, op.reason & 0xff, op.reason >> 8 & 0xff);
    return 0;
}

static long op_remote_shutdown(struct vcpu *v, guest_addr_t arg)
{
    struct sched_remote_shutdown op;
    struct domain *d;

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    d = host_domain(v->domain->host, op.domain_id);
    if (!d || d->dying)
        return -ESRCH;
    if (!domain_is_privileged(v->domain) || d->is_process)
        return -EPERM;
    domain_shutdown(d, op.reason & 0xff, op.reason >> 8 & 0xff);
    return 0;
}

#define POLL_MAX 128u

static long op_poll(struct vcpu *v, guest_addr_t arg)
{
    struct sched_poll op;
    evtchn_port_t port;

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_ports > POLL_MAX)
        return -EINVAL;
    preempt_charge(v, op.nr_ports);
    for (unsigned int i = 0; i < op.nr_ports; i++) {
        guest_addr_t at = guest_addr((uintptr_t)op.ports.p);

        if (copy_from_guest(v, &port, guest_elem(at, i, sizeof(port)),
                            sizeof(port)))
            return -EFAULT;
        if (port >= v->domain->evtchn.max)
            return -EINVAL;
    }
    return 0;
}

/* ---- watchdogs ---- */

/* A new one is armed whatever the time, one that is there is ended by 0. */
static long new_watchdog(struct domain *d, uint32_t seconds)
{
    for (unsigned int i = 0; i < DOMAIN_WATCHDOGS; i++)
        if (!d->watchdog[i].used) {
            d->watchdog[i].used = true;
            watchdog_arm(&d->watchdog[i], seconds);
            return i + 1;
        }
    return -ENOSPC;
}

static long op_watchdog(struct vcpu *v, guest_addr_t arg)
{
    struct sched_watchdog op;
    struct watchdog *w;

    preempt_charge(v, PREEMPT_COST_SYSCALL); /* of the timer */
    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.id == 0)
        return new_watchdog(v->domain, op.timeout);
    if (op.id > DOMAIN_WATCHDOGS || !v->domain->watchdog[op.id - 1].used)
        return -EINVAL;
    w = &v->domain->watchdog[op.id - 1];
    w->used = op.timeout != 0;
    if (w->used)
        watchdog_arm(w, op.timeout);
    else
        time_set_timer(&w->timer, 0, 0);
    return 0;
}

/* ---- the hypercalls ---- */

long do_sched_op(struct vcpu *v, const uint64_t args[6])
{
    guest_addr_t arg = guest_addr(args[1]);

    switch (args[0]) {
    case SCHEDOP_yield:
    case SCHEDOP_block:
        return 0;
    case SCHEDOP_shutdown:
        return v->domain->is_process ? -EPERM : op_shutdown(v, arg);
    case SCHEDOP_poll:
        return op_poll(v, arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(v, arg);
    case SCHEDOP_watchdog:
        return v->domain->is_process ? -EPERM : op_watchdog(v, arg);
    case SCHEDOP_pin_override:
        return -EPERM; /* of the hardware domain */
    default:
        return -ENOSYS;
    }
}

long do_set_timer_op(struct vcpu *v, const uint64_t args[6])
{
    preempt_charge(v, PREEMPT_COST_SYSCALL);
    time_set_timer(&v->timer, args[0], 0);
    return 0;
}
