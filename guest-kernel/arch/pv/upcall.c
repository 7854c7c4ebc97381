/*
 * The upcall of a paravirtual kernel, its mask, and sleep.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/events.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

void events_upcall(struct cpu_user_regs *regs); /* for entry.S */

void events_upcall(struct cpu_user_regs *regs)
{
    (void)regs;
    events_dispatch();
}

/*
 * What became pending is delivered here, without a hypercall. An event that
 * comes after the last look finds the mask clear and is upcalled by the engine.
 * Partner of the barrier: the engine sets evtchn_upcall_pending before it tests
 * the mask.
 */
void upcalls_unmask(void)
{
    struct vcpu_info *v = this_vcpu_info();

    for (;;) {
        barrier();
        WRITE_ONCE(v->evtchn_upcall_mask, 0);
        xen_mb();
        if (!READ_ONCE(v->evtchn_upcall_pending))
            return;
        WRITE_ONCE(v->evtchn_upcall_mask, 1);
        barrier();
        events_dispatch();
    }
}

/* SCHEDOP_block clears the mask in one step with looking. */
void arch_wait(void)
{
    hypercall_sched_op(SCHEDOP_block, NULL, 0);
}
