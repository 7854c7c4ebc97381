/*
 * Guard pages: RAM pages that fault when touched.
 */
#include "guest-kernel/pages.h"
#include "libhypercall/hypercall.h"

/* x86 page table entry, as update_va_mapping takes it. */
#define PTE_PRESENT    0x001ull
#define PTE_WRITE      0x002ull
#define PTE_USER       0x004ull
#define PTE_NO_EXECUTE (1ull << 63)

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
