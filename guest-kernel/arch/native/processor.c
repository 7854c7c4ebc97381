/*
 * Registers of a bare processor: the interrupt flag and sleep, the address of a
 * fault, the thread pointer.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"
#include "guest-kernel/upcall.h"

#define MSR_FS_BASE 0xc0000100u

uintptr_t arch_fault_address(void)
{
    uintptr_t address;

    __asm__ __volatile__("mov %%cr2, %0" : "=r"(address));
    return address;
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
