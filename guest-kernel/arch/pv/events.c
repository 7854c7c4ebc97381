/*
 * How events reach a paravirtual kernel: the hypervisor calls a function.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"

void upcall_entry(struct cpu_user_regs *regs); /* entry.S */

void arch_events_init(void)
{
    if (hypercall_set_event_callback(upcall_entry))
        kernel_panic("the hypervisor refused the event callback");
}
