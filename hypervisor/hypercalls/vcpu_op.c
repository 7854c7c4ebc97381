/*
 * vcpu_op (<xen/vcpu.h>): a guest raises and lowers its vCPUs, sets their
 * timers, and registers areas for the hypervisor to write to. See vcpu.h.
 */
#include <errno.h>
#include <string.h>

#include "domain.h"
#include "hypercall.h"
#include "preempt.h"
#include "invariant.h"

#define PERIOD_MIN_NS 1000000u /* as in Xen */

/* In system calls (preempt.h). */
#define RAISE_COST (2 * PREEMPT_COST_SYSCALL)

static long op_get_runstate(struct vcpu *v, struct vcpu *caller,
                            guest_addr_t arg)
{
    struct vcpu_runstate_info info;

    vcpu_runstate(v, caller, &info);
    return copy_to_guest(caller, arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* ---- up and down ---- */

static long op_initialise(struct vcpu *v, struct vcpu *caller, guest_addr_t arg)
{
    const struct memory *m = &v->domain->memory;
    struct vcpu_hvm_context c;
    const struct vcpu_hvm_x86_64 *r = &c.cpu_regs.x86_64;

    if (v->initialised)
        return -EEXIST;
    if (copy_from_guest(caller, &c, arg, sizeof(c)))
        return -EFAULT;
    /* Control registers and flags are the engine's: 64-bit mode, flat. */
    if (c.mode != VCPU_HVM_MODE_64B || c.pad ||
        r->rip >= (uint64_t)m->nr_pages << PAGE_SHIFT)
        return -EINVAL;
    v->entry = (struct vcpu_regs){
        .rip = r->rip,
        .rsp = r->rsp,
        .rax = r->rax,
        .rcx = r->rcx,
        .rdx = r->rdx,
        .rbx = r->rbx,
        .rbp = r->rbp,
        .rsi = r->rsi,
        .rdi = r->rdi,
    };
    v->initialised = true;
    return 0;
}

static long op_up(struct vcpu *v, struct vcpu *caller)
{
    if (!v->initialised)
        return -EINVAL;
    if (v->up)
        return 0;
    preempt_charge(caller, RAISE_COST);
    invariant(v->domain, v->initialised && !v->domain->dying);
    v->up = true;
    v->runstate_at = 0;
    v->offline_ns += time_system(v->domain->host) - v->offline_since;
    if (v->domain->ops->vcpu_up)
        v->domain->ops->vcpu_up(v);
    vcpu_publish_runstate(v, caller);
    return 0;
}

static bool is_last(const struct vcpu *v)
{
    const struct domain *d = v->domain;

    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        if (&d->vcpu[i] != v && d->vcpu[i].up)
            return false;
    return true;
}

/* A domain without any vCPU left has powered off, as in Xen. */
static long op_down(struct vcpu *v, struct vcpu *caller)
{
    if (is_last(v)) {
        domain_shutdown(v->domain, SHUTDOWN_poweroff, 0);
        return 0;
    }
    if (!v->up)
        return 0;
    preempt_charge(caller, RAISE_COST);
    v->up = false;
    v->runstate_at = 0;
    v->offline_since = time_system(v->domain->host);
    if (v->domain->ops->vcpu_down)
        v->domain->ops->vcpu_down(v);
    vcpu_publish_runstate(v, caller);
    return 0;
}

/* ---- timers ---- */

static long op_set_singleshot(struct vcpu *v, guest_addr_t arg)
{
    struct vcpu_set_singleshot_timer op;

    preempt_charge(v, PREEMPT_COST_SYSCALL);
    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if ((op.flags & VCPU_SSHOTTMR_future) &&
        op.timeout_abs_ns < time_system(v->domain->host))
        return -ETIME;
    time_set_timer(&v->timer, op.timeout_abs_ns, 0);
    return 0;
}

static long op_set_periodic(struct vcpu *v, struct vcpu *caller,
                            guest_addr_t arg)
{
    struct vcpu_set_periodic_timer op;

    preempt_charge(caller, PREEMPT_COST_SYSCALL);
    if (copy_from_guest(caller, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.period_ns < PERIOD_MIN_NS || op.period_ns > INT64_MAX)
        return -EINVAL;
    time_set_timer(&v->periodic, time_system(v->domain->host) + op.period_ns,
                   op.period_ns);
    return 0;
}

/* ---- where to tell things ---- */

/* A word for each 64 ports; all are looked at, so that nothing is lost. */
static void mark_all_pending(struct vcpu_info *vi)
{
    vi->evtchn_pending_sel = ~0ul;
    vi->evtchn_upcall_pending = 1;
}

static long op_register_info(struct vcpu *v, struct vcpu *caller,
                             guest_addr_t arg)
{
    struct vcpu_register_vcpu_info op;
    struct vcpu_info *to;
    bool writable;

    if (copy_from_guest(caller, &op, arg, sizeof(op)))
        return -EFAULT;
    if (v->info || op.offset > PAGE_SIZE - sizeof(*to) || op.offset % 8 ||
        (v != caller && v->up) || memory_pin(v->domain, op.mfn))
        return -EINVAL;
    to = (void *)((uint8_t *)memory_frame(v->domain, op.mfn, &writable) +
                  op.offset);
    memcpy(to, vcpu_info_of(v), sizeof(*to));
    mark_all_pending(to);
    v->info = to;
    v->info_gfn = op.mfn;
    return 0;
}

/* Both areas are registered by address, and written at once. */
static long op_register_area(struct vcpu *v, struct vcpu *caller, uint64_t cmd,
                             guest_addr_t arg)
{
    uint64_t addr;

    _Static_assert(
        sizeof(struct vcpu_register_time_memory_area) == sizeof(addr) &&
            sizeof(struct vcpu_register_runstate_memory_area) == sizeof(addr),
        "an address each");
    if (copy_from_guest(caller, &addr, arg, sizeof(addr)))
        return -EFAULT;
    if (cmd == VCPUOP_register_vcpu_time_memory_area) {
        v->time_area = guest_addr(addr);
        return time_publish_area(v) ? -EFAULT : 0;
    }
    v->runstate_area = guest_addr(addr);
    vcpu_publish_runstate(v, caller);
    return 0;
}

/* ---- the hypercall ---- */

/* What a process, whose addresses do not last, has none of. */
static long guest_op(struct vcpu *v, struct vcpu *caller, uint64_t cmd,
                     guest_addr_t arg)
{
    switch (cmd) {
    case VCPUOP_initialise:
        return op_initialise(v, caller, arg);
    case VCPUOP_up:
        return op_up(v, caller);
    case VCPUOP_down:
        return op_down(v, caller);
    case VCPUOP_register_vcpu_info:
        return op_register_info(v, caller, arg);
    case VCPUOP_register_vcpu_time_memory_area:
    case VCPUOP_register_runstate_memory_area:
        return op_register_area(v, caller, cmd, arg);
    default:
        return -ENOSYS;
    }
}

/* HYPERVISOR_vcpu_op(cmd, vcpu, arg). */
long do_vcpu_op(struct vcpu *caller, const uint64_t args[6])
{
    struct vcpu *v = vcpu_of(caller->domain, args[1]);
    guest_addr_t arg = guest_addr(args[2]);

    if (!v)
        return -ENOENT;
    switch (args[0]) {
    case VCPUOP_is_up:
        return v->up;
    case VCPUOP_get_runstate_info:
        return op_get_runstate(v, caller, arg);
    case VCPUOP_set_periodic_timer:
        return op_set_periodic(v, caller, arg);
    case VCPUOP_stop_periodic_timer:
        preempt_charge(caller, PREEMPT_COST_SYSCALL);
        time_set_timer(&v->periodic, 0, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return v == caller ? op_set_singleshot(v, arg) : -EINVAL;
    case VCPUOP_stop_singleshot_timer:
        if (v != caller)
            return -EINVAL;
        preempt_charge(caller, PREEMPT_COST_SYSCALL);
        time_set_timer(&v->timer, 0, 0);
        return 0;
    default:
        return v->domain->is_process ? -ENOSYS
                                     : guest_op(v, caller, args[0], arg);
    }
}
