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
    d = domain_lookup(v->domain, op.domain_id);
    if (!d)
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

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    return op.nr_ports > POLL_MAX ? -EINVAL : 0;
}

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
    default:
        return -ENOSYS;
    }
}

long do_set_timer_op(struct vcpu *v, const uint64_t args[6])
{
    time_set_timer(&v->timer, args[0], 0);
    return 0;
}
