/*
 * The hypercall table, dispatch, and multicalls. See hypercall.h.
 */
#include "hypercall.h"

#include <errno.h>
#include <x86intrin.h>

#include "domain.h"
#include "preempt.h"
#include "invariant.h"

static const struct {
    hypercall_fn *fn;
    enum stats_slot slot; /* where it is counted */
} table[HYPERCALL_MAX] = {
    [__HYPERVISOR_memory_op] = { do_memory_op, STATS_MEMORY_OP },
    [__HYPERVISOR_multicall] = { do_multicall, STATS_MULTICALL },
    [__HYPERVISOR_set_timer_op] = { do_set_timer_op, STATS_SET_TIMER_OP },
    [__HYPERVISOR_xen_version] = { do_xen_version, STATS_XEN_VERSION },
    [__HYPERVISOR_console_io] = { do_console_io, STATS_CONSOLE_IO },
    [__HYPERVISOR_grant_table_op] = { do_grant_table_op, STATS_GRANT_TABLE_OP },
    [__HYPERVISOR_vcpu_op] = { do_vcpu_op, STATS_VCPU_OP },
    [__HYPERVISOR_sched_op] = { do_sched_op, STATS_SCHED_OP },
    [__HYPERVISOR_event_channel_op] = { do_event_channel_op,
                                        STATS_EVENT_CHANNEL_OP },
    [__HYPERVISOR_hvm_op] = { do_hvm_op, STATS_HVM_OP },
    [__HYPERVISOR_sysctl] = { do_sysctl, STATS_SYSCTL },
    [__HYPERVISOR_domctl] = { do_domctl, STATS_DOMCTL },
};

static long call(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    if (nr >= HYPERCALL_MAX || !table[nr].fn)
        return -ENOSYS;
    return table[nr].fn(v, args);
}

static enum stats_slot slot_of(unsigned int nr)
{
    return nr < HYPERCALL_MAX ? table[nr].slot : STATS_OTHER;
}

static void run(struct vcpu *v, unsigned int nr, const uint64_t args[6],
                bool sampled, struct hypercall_run *t)
{
    assert_host_locked(v->domain->host);
    t->slot = slot_of(nr);
    t->is_continuation = v->continued && v->nr == nr;
    if (!t->is_continuation)
        v->sample_weight =
            sampled ? stats_weight(&v->domain->stats.hypercall[t->slot]) : 1;
    t->start = v->sample_weight ? __rdtsc() : 0;
    preempt_begin(v, t->start);
    v->nr = nr;
    t->ret = call(v, nr, args);
}

long hypercall_dispatch(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    struct hypercall_run t;

    run(v, nr, args, false, &t);
    hypercall_count(v, &t);
    return t.ret;
}

void hypercall_dispatch_sampled(struct vcpu *v, unsigned int nr,
                                const uint64_t args[6], struct hypercall_run *t)
{
    run(v, nr, args, true, t);
}

void hypercall_count(struct vcpu *v, const struct hypercall_run *t)
{
    uint64_t ticks = v->sample_weight ? __rdtsc() - t->start : 0;

    stats_run(v, t->slot, ticks, t->is_continuation, t->ret);
}

const char *hypercall_name(unsigned int nr)
{
    return nr < HYPERCALL_MAX && table[nr].fn ? stats_name(table[nr].slot)
                                              : NULL;
}

/* ---- multicall ---- */

/* Base cost per entry; expensive operations charge extra. */
#define ENTRY_COST 8

/* Does the entry at `at`. If it was preempted, the entry becomes its
 * continuation. */
static long run_entry(struct vcpu *v, guest_addr_t at)
{
    struct multicall_entry e;
    uint64_t args[6];
    unsigned int nr;
    long ret;

    if (copy_from_guest(v, &e, at, sizeof(e)))
        return -EFAULT;
    for (unsigned int i = 0; i < 6; i++)
        args[i] = e.args[i];
    /* The number has 64 bits here, and must not lose the upper half. */
    nr = e.op < HYPERCALL_MAX ? (unsigned int)e.op : ~0u;
    ret = nr == __HYPERVISOR_multicall ? -EINVAL : call(v, nr, args);
    stats_entry(v, slot_of(nr), ret);
    e.result = (xen_ulong_t)ret;
    for (unsigned int i = 0; v->continued && i < 3; i++)
        e.args[i] = v->continuation[i];
    if (!copy_to_guest(v, at, &e, sizeof(e)))
        return 0;
    v->continued = false;
    return -EFAULT;
}

/*
 * HYPERVISOR_multicall(entries, n): each entry is copied in, done, and its
 * result copied out, in order. Batches do not nest.
 */
long do_multicall(struct vcpu *v, const uint64_t args[6])
{
    guest_addr_t at = guest_addr(args[0]);
    uint32_t n = (uint32_t)args[1];

    for (uint32_t i = 0; i < n && !v->domain->shut_down; i++) {
        guest_addr_t e = guest_elem(at, i, sizeof(struct multicall_entry));
        long err;

        if (preempt_check(v, ENTRY_COST) && i)
            return preempt_continue(v, e.value, n - i, 0);
        err = run_entry(v, e);
        if (err)
            return err;
        if (v->continued)
            return preempt_continue(v, e.value, n - i, 0);
    }
    return 0;
}
