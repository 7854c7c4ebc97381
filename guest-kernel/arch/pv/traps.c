/*
 * The thread pointer: wrfsbase where the CPU has it and the host's kernel lets
 * us, which only trying tells; else a hypercall.
 */
#include <cpuid.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "libhypercall/hypercall.h"

#define CPUID7_EBX_FSGSBASE 1u

static bool by_instruction;

int fsbase_try(unsigned long base); /* entry.S */

void fsbase_init(void)
{
    unsigned int a, b = 0, c, d;

    by_instruction = __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
                     (b & CPUID7_EBX_FSGSBASE) && fsbase_try(0);
}

void fsbase_set(uintptr_t base)
{
    if (by_instruction)
        __asm__ __volatile__("wrfsbase %0" : : "r"(base) : "memory");
    else if (hypercall_set_fs_base(base))
        kernel_panic("the hypervisor refused the thread pointer");
}
