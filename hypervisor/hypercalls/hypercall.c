#include "hypercall.h"

#include <errno.h>
#include <x86intrin.h>

#include "domain.h"
#include "emulate/emulate.h"

static const struct {
    hypercall_fn *fn;
    const char *name;
    enum stats_slot slot; /* where it is counted */
} table[HYPERCALL_MAX] = {
    [__HYPERVISOR_memory_op] = { do_memory_op, "memory_op", STATS_MEMORY_OP },
    [__HYPERVISOR_multicall] = { do_multicall, "multicall", STATS_MULTICALL },
    [__HYPERVISOR_set_timer_op] = { do_set_timer_op, "set_timer_op",
                                    STATS_SET_TIMER_OP },
    [__HYPERVISOR_xen_version] = { do_xen_version, "xen_version",
                                   STATS_XEN_VERSION },
    [__HYPERVISOR_console_io] = { do_console_io, "console_io",
                                  STATS_CONSOLE_IO },
    [__HYPERVISOR_grant_table_op] = { do_grant_table_op, "grant_table_op",
                                      STATS_GRANT_TABLE_OP },
    [__HYPERVISOR_vcpu_op] = { do_vcpu_op, "vcpu_op", STATS_VCPU_OP },
    [__HYPERVISOR_sched_op] = { do_sched_op, "sched_op", STATS_SCHED_OP },
    [__HYPERVISOR_event_channel_op] = { do_event_channel_op, "event_channel_op",
                                        STATS_EVENT_CHANNEL_OP },
    [__HYPERVISOR_hvm_op] = { do_hvm_op, "hvm_op", STATS_HVM_OP },
    [__HYPERVISOR_sysctl] = { do_sysctl, "sysctl", STATS_SYSCTL },
    [__HYPERVISOR_domctl] = { do_domctl, "domctl", STATS_DOMCTL },
};

/* Units of cost between two readings of the clock. */
#define CLOCK_EVERY 16u

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

static void turn(struct vcpu *v, unsigned int nr, const uint64_t args[6],
                 bool sampled, struct hypercall_turn *t)
{
    t->slot = slot_of(nr);
    t->goes_on = v->again && v->nr == nr;
    if (!t->goes_on)
        v->stands_for =
            sampled ? stats_weight(&v->domain->stats.hypercall[t->slot]) : 1;
    t->start = v->stands_for ? __rdtsc() : 0;
    v->work = 0;
    v->clock_due = CLOCK_EVERY;
    v->turn_end = t->start ? t->start + v->domain->host->turn_ticks : 0;
    v->again = false;
    v->nr = nr;
    t->ret = call(v, nr, args);
}

long hypercall_dispatch(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    struct hypercall_turn t;

    turn(v, nr, args, false, &t);
    hypercall_count(v, &t);
    return t.ret;
}

void hypercall_dispatch_sampled(struct vcpu *v, unsigned int nr,
                                const uint64_t args[6],
                                struct hypercall_turn *t)
{
    turn(v, nr, args, true, t);
}

void hypercall_count(struct vcpu *v, const struct hypercall_turn *t)
{
    uint64_t ticks = v->stands_for ? __rdtsc() - t->start : 0;

    stats_turn(v, t->slot, ticks, t->goes_on, t->ret);
}

const char *hypercall_name(unsigned int nr)
{
    return nr < HYPERCALL_MAX ? table[nr].name : NULL;
}

const char *hypercall_slot_name(enum stats_slot slot)
{
    for (unsigned int nr = 0; nr < HYPERCALL_MAX; nr++)
        if (table[nr].name && table[nr].slot == slot)
            return table[nr].name;
    return "other";
}

/* ---- turns ---- */

/* Of a turn that is not timed for the counters, time counts from the first
 * time that we look. */
static bool time_is_up(struct vcpu *v)
{
    uint64_t limit = v->domain->host->turn_ticks, now = __rdtsc();

    v->clock_due = v->work + CLOCK_EVERY;
    if (limit == HYPERCALL_UNTIMED)
        return false;
    if (!v->turn_end)
        v->turn_end = now + limit;
    if ((int64_t)(now - v->turn_end) < 0)
        return false;
    v->work = HYPERCALL_TURN + 1; /* the turn's budget is spent */
    return true;
}

bool hypercall_turn_over(struct vcpu *v, unsigned int cost)
{
    v->work += cost;
    if (v->work > HYPERCALL_TURN)
        return true;
    return v->work >= v->clock_due && time_is_up(v);
}

void hypercall_charge(struct vcpu *v, unsigned int cost)
{
    v->work += cost;
}

long hypercall_continue(struct vcpu *v, uint64_t a0, uint64_t a1, uint64_t a2)
{
    v->again = true;
    v->again_args[0] = a0;
    v->again_args[1] = a1;
    v->again_args[2] = a2;
    return 0;
}

/* ---- multicall ---- */

/* Base cost of an entry; expensive operations charge more themselves. */
#define ENTRY_COST 8

/* Does the entry at `at`. If it goes on in the next turn, the entry is what is
 * left of it. */
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
    for (unsigned int i = 0; v->again && i < 3; i++)
        e.args[i] = v->again_args[i];
    if (!copy_to_guest(v, at, &e, sizeof(e)))
        return 0;
    v->again = false;
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

        if (hypercall_turn_over(v, ENTRY_COST) && i)
            return hypercall_continue(v, e.value, n - i, 0);
        err = run_entry(v, e);
        if (err)
            return err;
        if (v->again)
            return hypercall_continue(v, e.value, n - i, 0);
    }
    return 0;
}
