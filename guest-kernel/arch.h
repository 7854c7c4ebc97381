/*
 * What the kernel asks of its processor and its board: interrupts, timer,
 * traps, page protection, thread pointer, a console for the last words.
 *
 * There are two answers, in two folders of the same files, and make builds the
 * kernel once with each:
 *
 *   arch/pv      hypercalls, and words in memory that it shares with the
 *                hypervisor: the patched kernel;
 *   arch/native  the instructions of a bare PC (cli, hlt, out, wrmsr, invlpg…),
 *                each of which traps and is emulated: its unpatched twin.
 *
 * All else is the same source. Devices, too: both have Xen's rings, grants and
 * event channels, as a PVHVM guest of Xen has; so what differs between the
 * twins is the processor alone (docs/trap-and-emulate.md). The part that is
 * inline stands in arch_irq.h of each folder, chosen by the include path.
 */
#ifndef RINGSIDE_GUEST_ARCH_H
#define RINGSIDE_GUEST_ARCH_H

#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

/* Traps come to handler(regs), on a stack of their own, from now on. */
void arch_traps_init(void (*handler)(struct cpu_user_regs *regs));
/* The address that the last page fault was about. */
uintptr_t arch_fault_address(void);

/* Events are dispatched from now on (events.h), whenever they are unmasked. */
void arch_events_init(void);

/* Once, when pages can be allocated: what page_guard() needs (pages.h). */
void arch_memory_init(uintptr_t end);

/* With upcalls masked: lets them in, and sleeps until one came. */
void arch_wait(void);

/* `fired` is called in upcall context at the time that was set, or sooner. */
void arch_timer_init(unsigned int vcpu, void (*fired)(void));
/* System time in ns. */
void arch_timer_set(uint64_t deadline);

/* The thread pointer. */
void arch_fs_init(void);
void arch_fs_set(uintptr_t base);

/* To the hypervisor's log of this domain: any context, no locks. */
void arch_log(const char *s, size_t n);

#endif
