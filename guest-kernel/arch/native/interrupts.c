/*
 * Interrupts and traps of a bare kernel, once entry.S has saved what was
 * interrupted; the interrupt flag; sleep; the thread pointer.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"

#define MSR_FS_BASE 0xc0000100u

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

uintptr_t arch_fault_address(void)
{
    uintptr_t address;

    __asm__ __volatile__("mov %%cr2, %0" : "=r"(address));
    return address;
}

/* Event channels are a device's; this one hypercall says which interrupt. */
void arch_events_init(void)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vector = VECTOR_EVENTS };

    if (hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op,
                     sizeof(op)))
        kernel_panic("the hypervisor refused the vector for events");
}

void upcalls_unmask(void)
{
    this_vcpu()->irqs_off = false;
    __asm__ __volatile__("sti" : : : "memory");
}

/* Nothing comes between the two instructions. */
void arch_wait(void)
{
    this_vcpu()->irqs_off = false;
    __asm__ __volatile__("sti; hlt" : : : "memory");
}

void arch_fs_init(void)
{
}

void arch_fs_set(uintptr_t base)
{
    write_msr(MSR_FS_BASE, base);
}
