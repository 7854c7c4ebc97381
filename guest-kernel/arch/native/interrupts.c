/*
 * Interrupts and traps of a bare kernel, once entry.S has saved what was
 * interrupted.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"

static void (*trap_fn)(struct cpu_user_regs *regs);

void native_interrupted(struct cpu_user_regs *regs); /* for entry.S */

/* The flag was set, or it could not have come; iretq sets it again. */
static void interrupt(unsigned int vector)
{
    struct vcpu *v = this_vcpu();

    v->irqs_off = true;
    if (vector == VECTOR_EVENTS)
        events_dispatch();
    else
        timer_interrupt();
    v->irqs_off = false;
}

void native_interrupted(struct cpu_user_regs *regs)
{
    if (regs->entry_vector < VECTOR_LINES)
        trap_fn(regs);
    else
        interrupt(regs->entry_vector);
}

void arch_traps_init(void (*handler)(struct cpu_user_regs *regs))
{
    trap_fn = handler;
    vcpus[0].irqs_off = true; /* as the boot loader left it */
    descriptors_load();
}

/* Event channels are a device's; this one hypercall says which interrupt. */
void arch_events_init(void)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vector = VECTOR_EVENTS };

    if (hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op,
                     sizeof(op)))
        kernel_panic("the hypervisor refused the vector for events");
}
