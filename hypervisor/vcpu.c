/*
 * vcpu_op (<xen/vcpu.h>). See vcpu.h.
 */
#include "vcpu.h"

#include <errno.h>
#include <string.h>

#include "domain.h"
#include "emulate/emulate.h"
#include "hypercalls/hypercall.h"

#define PERIOD_MIN_NS 1000000u /* as in Xen */

/* A runstate that is younger is not asked of the engine again: state and
 * state_entry_time say how to count on from it. */
#define RUNSTATE_AGE_NS 1000000u

/* Costs in system calls (hypercall.h). */
#define LOOK_COST  (8 * HYPERCALL_SYSCALL) /* two files of /proc */
#define RAISE_COST (2 * HYPERCALL_SYSCALL)

static void tick(struct vcpu *v)
{
    evtchn_raise_virq(v, VIRQ_TIMER);
}

void vcpu_init(struct domain *d, unsigned int id)
{
    struct vcpu *v = &d->vcpu[id];

    v->domain = d;
    v->id = id;
    v->initialised = v->up = id == 0;
    v->offline_since = time_system(d->host);
    time_init_timer(&v->timer, v, tick);
    time_init_timer(&v->periodic, v, tick);
}

void vcpu_stop(struct vcpu *v)
{
    time_set_timer(&v->timer, 0, 0);
    time_set_timer(&v->periodic, 0, 0);
    if (v->info)
        memory_unpin(v->domain, v->info_gfn);
    v->info = NULL;
    emulate_stop(v);
    v->time_area = v->runstate_area = guest_addr(0);
}

struct vcpu *vcpu_of(struct domain *d, uint64_t id)
{
    return id < d->nr_vcpus ? &d->vcpu[id] : NULL;
}

struct vcpu_info *vcpu_info_of(struct vcpu *v)
{
    struct shared_info *si = memory_own_page(v->domain, MEMORY_OWN_SHARED_INFO);

    return v->info ? v->info : &si->vcpu_info[v->id];
}

/* ---- what it does with the machine ---- */

static struct vcpu_look look_at(struct vcpu *v)
{
    struct vcpu_look look = { .cpu = -1 };

    if (v->domain->ops->vcpu_look)
        v->domain->ops->vcpu_look(v, &look);
    return look;
}

void vcpu_fill_info(struct vcpu *v, struct rs_vcpu_info *info)
{
    struct vcpu_look look = look_at(v);

    *info = (struct rs_vcpu_info){
        .id = v->id,
        .state = !v->up         ? RS_VCPU_DOWN
                 : look.blocked ? RS_VCPU_BLOCKED
                                : RS_VCPU_RUNNING,
        .cpu = v->up ? look.cpu : -1,
        .cpu_ns = look.running_ns,
        .stolen_ns = look.runnable_ns,
        .cpus = v->cpus ? v->cpus : ~0ull,
    };
}

int vcpu_pin(struct vcpu *v, uint64_t cpus)
{
    uint64_t before = v->cpus;
    int err = 0;

    if (!cpus)
        return -EINVAL;
    v->cpus = ~cpus ? cpus : 0;
    if (v->domain->ops->vcpu_pin)
        err = v->domain->ops->vcpu_pin(v, cpus);
    if (err)
        v->cpus = before;
    return err;
}

/* ---- runstate ---- */

/*
 * The engine knows how long it ran and how long it waited for a processor
 * (stolen time); what is left of its life it was down, or blocked.
 */
static void read_runstate(struct vcpu *v, uint64_t now)
{
    struct vcpu_runstate_info *info = &v->runstate;
    struct domain *d = v->domain;
    struct vcpu_look look = look_at(v);
    uint64_t known;

    memset(info, 0, sizeof(*info));
    info->state = !v->up         ? RUNSTATE_offline
                  : look.blocked ? RUNSTATE_blocked
                                 : RUNSTATE_running;
    info->state_entry_time = v->up ? now : v->offline_since;
    info->time[RUNSTATE_running] = look.running_ns;
    info->time[RUNSTATE_runnable] = look.runnable_ns;
    info->time[RUNSTATE_offline] =
        v->offline_ns + (v->up ? 0 : now - v->offline_since);
    known = info->time[RUNSTATE_running] + info->time[RUNSTATE_runnable] +
            info->time[RUNSTATE_offline] + d->created_ns - d->host->boot_ns;
    info->time[RUNSTATE_blocked] = now > known ? now - known : 0;
    v->runstate_at = now;
}

/* A vCPU that asks about itself runs, whatever was seen of it before. */
static void vcpu_runstate(struct vcpu *v, struct vcpu *caller,
                          struct vcpu_runstate_info *info)
{
    uint64_t now = time_system(v->domain->host);

    if (!v->runstate_at || now - v->runstate_at >= RUNSTATE_AGE_NS ||
        (v == caller && v->runstate.state != RUNSTATE_running)) {
        hypercall_charge(caller, LOOK_COST);
        read_runstate(v, now);
    }
    *info = v->runstate;
}

void vcpu_publish_runstate(struct vcpu *v, struct vcpu *caller)
{
    struct vcpu_runstate_info info;

    if (!v->runstate_area.value)
        return;
    vcpu_runstate(v, caller, &info);
    copy_to_guest(v, v->runstate_area, &info, sizeof(info));
}

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
    hypercall_charge(caller, RAISE_COST);
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
    hypercall_charge(caller, RAISE_COST);
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

    hypercall_charge(v, HYPERCALL_SYSCALL);
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

    hypercall_charge(caller, HYPERCALL_SYSCALL);
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

/* Both areas are told by address, and written at once. */
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
        hypercall_charge(caller, HYPERCALL_SYSCALL);
        time_set_timer(&v->periodic, 0, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return v == caller ? op_set_singleshot(v, arg) : -EINVAL;
    case VCPUOP_stop_singleshot_timer:
        if (v != caller)
            return -EINVAL;
        hypercall_charge(caller, HYPERCALL_SYSCALL);
        time_set_timer(&v->timer, 0, 0);
        return 0;
    default:
        return v->domain->is_process ? -ENOSYS
                                     : guest_op(v, caller, args[0], arg);
    }
}
