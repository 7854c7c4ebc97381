/*
 * The timer of a paravirtual kernel: a virtual interrupt, an event of its own.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"

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
