/*
 * Guard pages, RAM pages that fault when touched: a hypercall changes what a
 * page may be used for.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/pages.h"
#include "libhypercall/hypercall.h"

/* x86 page table entry, as update_va_mapping takes it. */
#define PTE_PRESENT    0x001ull
#define PTE_WRITE      0x002ull
#define PTE_USER       0x004ull
#define PTE_NO_EXECUTE (1ull << 63)

/* The hypervisor has the page tables. */
void arch_memory_init(uintptr_t end)
{
    (void)end;
}

int page_guard(void *addr)
{
    return (int)hypercall_update_va_mapping((uintptr_t)addr, 0);
}

int page_unguard(void *addr)
{
    uint64_t pte = ((uintptr_t)addr & PAGE_MASK) | PTE_PRESENT | PTE_WRITE |
                   PTE_USER | PTE_NO_EXECUTE;

    return (int)hypercall_update_va_mapping((uintptr_t)addr, pte);
}
