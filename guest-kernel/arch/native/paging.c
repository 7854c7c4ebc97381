/*
 * Page tables of a bare kernel: everything one to one, in pages of 2 MiB, one
 * of which is split up when a page in it becomes a guard.
 */
#include <errno.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"

#define PRESENT  0x01ull
#define WRITABLE 0x02ull
#define LARGE    0x80ull
#define FRAME    0x000ffffffffff000ull

#define ENTRIES     512u
#define LARGE_SHIFT 21
#define GIB_SHIFT   30

static uint64_t level4[ENTRIES] __attribute__((aligned(4096)));
static uint64_t level3[ENTRIES] __attribute__((aligned(4096)));

static void load(const uint64_t *table)
{
    __asm__ __volatile__("mov %0, %%cr3" : : "r"(table) : "memory");
}

static void flush(const void *addr)
{
    __asm__ __volatile__("invlpg (%0)" : : "r"(addr) : "memory");
}

static uint64_t *new_table(void)
{
    uint64_t *table = pages_alloc(1);

    if (!table)
        kernel_panic("no memory for page tables");
    return table;
}

void arch_memory_init(uintptr_t end)
{
    uint64_t *directory = NULL;

    for (uintptr_t at = 0; at < end; at += 1ul << LARGE_SHIFT) {
        if (at % (1ul << GIB_SHIFT) == 0) {
            directory = new_table();
            for (unsigned int i = 0; i < ENTRIES; i++)
                directory[i] = 0;
            level3[at >> GIB_SHIFT] = (uintptr_t)directory | PRESENT | WRITABLE;
        }
        directory[at >> LARGE_SHIFT & (ENTRIES - 1)] =
            at | PRESENT | WRITABLE | LARGE;
    }
    level4[0] = (uintptr_t)level3 | PRESENT | WRITABLE;
    load(level4);
}

/* The entry of one page; NULL: no memory to split the 2 MiB around it. */
static uint64_t *entry_of(const void *addr)
{
    uintptr_t at = (uintptr_t)addr;
    uint64_t *directory = (uint64_t *)(level3[at >> GIB_SHIFT] & FRAME);
    uint64_t *large = &directory[at >> LARGE_SHIFT & (ENTRIES - 1)];
    uint64_t *table;

    if (*large & LARGE) {
        table = pages_alloc(1);
        if (!table)
            return NULL;
        for (uint64_t i = 0; i < ENTRIES; i++)
            table[i] = (*large & FRAME) | i << PAGE_SHIFT | PRESENT | WRITABLE;
        *large = (uintptr_t)table | PRESENT | WRITABLE;
    }
    table = (uint64_t *)(*large & FRAME);
    return &table[at >> PAGE_SHIFT & (ENTRIES - 1)];
}

static int set_page(void *addr, uint64_t entry)
{
    uint64_t *at = entry_of(addr);

    if (!at)
        return -ENOMEM;
    *at = entry;
    flush(addr);
    return 0;
}

int page_guard(void *addr)
{
    return set_page(addr, 0);
}

int page_unguard(void *addr)
{
    return set_page(addr, (uintptr_t)addr | PRESENT | WRITABLE);
}
