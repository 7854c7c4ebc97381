/*
 * sched_op, set_timer_op and vcpu_op: what a vCPU says about its own running.
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
    time_set_timer(v, args[0]);
    return 0;
}

static long op_runstate(struct vcpu *v, guest_addr_t arg)
{
    struct vcpu_runstate_info info = v->runstate;

    info.state = RUNSTATE_running;
    info.state_entry_time = time_system(v->domain->host);
    if (v->domain->ops->cpu_ns)
        info.time[RUNSTATE_running] = v->domain->ops->cpu_ns(v->domain);
    return copy_to_guest(v, arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long op_singleshot(struct vcpu *v, guest_addr_t arg)
{
    struct vcpu_set_singleshot_timer op;

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if ((op.flags & VCPU_SSHOTTMR_future) &&
        op.timeout_abs_ns < time_system(v->domain->host))
        return -ETIME;
    time_set_timer(v, op.timeout_abs_ns);
    return 0;
}

/* HYPERVISOR_vcpu_op(cmd, vcpu, arg). */
long do_vcpu_op(struct vcpu *v, const uint64_t args[6])
{
    guest_addr_t arg = guest_addr(args[2]);

    if (args[1] >= v->domain->nr_vcpus)
        return -ENOENT;
    switch (args[0]) {
    case VCPUOP_is_up:
        return 1;
    case VCPUOP_get_runstate_info:
        return op_runstate(v, arg);
    case VCPUOP_set_singleshot_timer:
        return op_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        time_set_timer(v, 0);
        return 0;
    default:
        return -ENOSYS;
    }
}
