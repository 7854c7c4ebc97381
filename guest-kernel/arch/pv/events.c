/*
 * Events, the timer and sleep of a paravirtual kernel.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

void upcall_entry(struct cpu_user_regs *regs); /* entry.S */
void events_upcall(struct cpu_user_regs *regs);

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

void arch_events_init(void)
{
    if (hypercall_set_event_callback(upcall_entry))
        kernel_panic("the hypervisor refused the event callback");
}

/* SCHEDOP_block clears the mask in one step with looking. */
void arch_wait(void)
{
    hypercall_sched_op(SCHEDOP_block, NULL, 0);
}

/* ---- the timer ---- */

static void (*timer_fn)(void);

static void timer_fired(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    timer_fn();
}

void arch_timer_init(unsigned int vcpu, void (*fired)(void))
{
    evtchn_port_t port;

    timer_fn = fired;
    if (event_bind_virq(VIRQ_TIMER, vcpu, timer_fired, NULL, &port))
        kernel_panic("no timer for vCPU %u", vcpu);
}

void arch_timer_set(uint64_t deadline)
{
    hypercall_set_timer(deadline);
}

/* ---- the log ---- */

void arch_log(const char *s, size_t n)
{
    hypercall_console_write(s, (unsigned int)n);
}
