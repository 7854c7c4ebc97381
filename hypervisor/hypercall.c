#include "hypercall.h"

#include <errno.h>

#include "domain.h"

static const struct {
    hypercall_fn *fn;
    const char *name;
} table[HYPERCALL_MAX] = {
    [__HYPERVISOR_memory_op] = { do_memory_op, "memory_op" },
    [__HYPERVISOR_multicall] = { do_multicall, "multicall" },
    [__HYPERVISOR_set_timer_op] = { do_set_timer_op, "set_timer_op" },
    [__HYPERVISOR_xen_version] = { do_xen_version, "xen_version" },
    [__HYPERVISOR_console_io] = { do_console_io, "console_io" },
    [__HYPERVISOR_grant_table_op] = { do_grant_table_op, "grant_table_op" },
    [__HYPERVISOR_vcpu_op] = { do_vcpu_op, "vcpu_op" },
    [__HYPERVISOR_sched_op] = { do_sched_op, "sched_op" },
    [__HYPERVISOR_event_channel_op] = { do_event_channel_op,
                                        "event_channel_op" },
};

long hypercall_dispatch(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    v->hypercalls++;
    if (nr >= HYPERCALL_MAX || !table[nr].fn)
        return -ENOSYS;
    return table[nr].fn(v, args);
}

const char *hypercall_name(unsigned int nr)
{
    return nr < HYPERCALL_MAX ? table[nr].name : NULL;
}

/* One call may hold the hypervisor for this many others. */
#define MULTICALL_MAX 256u

static long run_batch(struct vcpu *v, const uint64_t args[6])
{
    struct multicall_entry e;

    for (uint64_t i = 0; i < args[1]; i++) {
        guest_addr_t at = guest_elem(guest_addr(args[0]), i, sizeof(e));
        uint64_t a[6];

        if (copy_from_guest(v, &e, at, sizeof(e)))
            return -EFAULT;
        for (unsigned int k = 0; k < 6; k++)
            a[k] = e.args[k];
        /* No nesting: a batch inside a batch would not be bounded. (The
         * number has 64 bits here, and must not lose the upper half.) */
        if (e.op >= HYPERCALL_MAX || e.op == __HYPERVISOR_multicall)
            e.result = (xen_ulong_t)-ENOSYS;
        else
            e.result =
                (xen_ulong_t)hypercall_dispatch(v, (unsigned int)e.op, a);
        if (copy_to_guest(v, at, &e, sizeof(e)))
            return -EFAULT;
        if (v->domain->shut_down)
            return 0;
    }
    return 0;
}

/*
 * HYPERVISOR_multicall(entries, n): each entry is copied in, done, and its
 * result copied out, in order. Xen bounds a batch by preemption, we by its
 * length, and by that of the batches in it (v->in_multicall).
 */
long do_multicall(struct vcpu *v, const uint64_t args[6])
{
    long ret;

    if (args[1] > MULTICALL_MAX)
        return -EINVAL;
    v->in_multicall = true;
    ret = run_batch(v, args);
    v->in_multicall = false;
    return ret;
}
