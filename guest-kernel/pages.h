/*
 * Page allocator: the guest's RAM between the boot pages and nr_pages.
 *
 * Addresses are guest-physical = virtual; frame number = address >> 12. Pages
 * are readable, writable, never executable. They come from the top of memory
 * down, because the heap grows from the bottom up; both meet in the middle.
 * No call blocks; none may be made from
 * upcall context (event handlers).
 */
#ifndef RINGSIDE_GUEST_PAGES_H
#define RINGSIDE_GUEST_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

/*
 * A run of n contiguous pages, or NULL. n = 0 gives NULL. Contents are
 * undefined: they may be what an earlier owner left there.
 */
void *pages_alloc(size_t n);

/*
 * The same, filled with zeros: for everything that another domain will see.
 * Pages that nobody has had since the guest began are zero already, and stay
 * untouched.
 */
void *pages_alloc_zeroed(size_t n);

/* Gives back n pages of a run (whole or part). NULL is ignored. */
void pages_free(void *addr, size_t n);

/* Pages that nobody has: neither allocated nor claimed by the heap. */
size_t pages_free_count(void);

/*
 * Claims exactly the n pages at addr, for the heap's break. False when one of
 * them is taken or out of RAM; nothing is claimed then.
 */
bool pages_claim(void *addr, size_t n);

/*
 * (guard.c) Takes all access from one RAM page, or gives reading and writing
 * back. 0 or -errno of update_va_mapping.
 */
int page_guard(void *addr);
int page_unguard(void *addr);

/*
 * (balloon.c) Gives n pages, which the caller has, back to the host, or takes
 * them again, empty. Between, touching them is a page fault. Returns how many
 * it was from addr on: fewer if another domain has mapped one of them, or if
 * the host has no memory for us.
 */
size_t pages_give_back(void *addr, size_t n);
size_t pages_take_again(void *addr, size_t n);

static inline uint64_t page_gfn(const void *addr)
{
    return (uintptr_t)addr >> PAGE_SHIFT;
}

static inline size_t pages_for(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* Where the heap begins: asked once, before the first pages_alloc(). */
void *pages_lowest_free(void);

/* Once, by boot.c: RAM that is free lies in [first, end). */
void pages_init(uintptr_t first, uintptr_t end);

#endif
