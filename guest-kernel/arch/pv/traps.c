/*
 * Traps of a paravirtual kernel: a table of functions. And the thread pointer,
 * which needs one of them: wrfsbase where the CPU has it and the host's kernel
 * lets us, which only trying tells; else a hypercall. A virtual machine may
 * carry the instruction out while its kernel knows nothing of it and loses the
 * base at the next switch of processes: that the hypervisor tells.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

#define INVALID_OPCODE      6
#define CPUID7_EBX_FSGSBASE 1u

extern char fsbase_insn[], fsbase_refused[];
int fsbase_try(unsigned long base); /* entry.S */

static void (*trap_fn)(struct cpu_user_regs *regs);
static bool by_instruction;

static void on_trap(struct cpu_user_regs *regs)
{
    if (regs->entry_vector == INVALID_OPCODE &&
        regs->rip == (uintptr_t)fsbase_insn)
        regs->rip = (uintptr_t)fsbase_refused;
    else
        trap_fn(regs);
}

void arch_traps_init(void (*handler)(struct cpu_user_regs *regs))
{
    static const uint8_t vectors[] = { 0, 1, 3, 4, 6, 13, 14, 16, 17, 19 };
    static struct trap_info table[sizeof(vectors) + 1];

    trap_fn = handler;
    for (size_t i = 0; i < sizeof(vectors); i++)
        table[i] = (struct trap_info){ .vector = vectors[i],
                                       .address = (uintptr_t)on_trap };
    if (hypercall_set_trap_table(table))
        kernel_panic("the hypervisor refused the trap table");
}

uintptr_t arch_fault_address(void)
{
    return this_vcpu_info()->arch.cr2;
}

void arch_fs_init(void)
{
    by_instruction = !(start_info->flags & SIF_RINGSIDE_NO_FSBASE) &&
                     (cpuid7_ebx() & CPUID7_EBX_FSGSBASE) && fsbase_try(0);
}

void arch_fs_set(uintptr_t base)
{
    if (by_instruction)
        __asm__ __volatile__("wrfsbase %0" : : "r"(base) : "memory");
    else if (hypercall_set_fs_base(base))
        kernel_panic("the hypervisor refused the thread pointer");
}
