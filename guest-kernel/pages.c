/*
 * The page allocator: one bit per frame, at the start of the memory it manages.
 *
 * A bitmap, not lists through the pages: a page that nobody uses is never
 * touched, so it costs the host nothing. Searching starts at a hint, the
 * highest place where a free page can be.
 *
 * The builder gives a domain zeroed RAM. Runs come from the top and the heap
 * grows from the bottom, so two limits tell which pages in the middle nobody
 * has had yet: those still hold zeros. Any other free page may hold what
 * its last owner left there.
 */
#include "guest-kernel/pages.h"

#include <string.h>

#include "guest-kernel/invariant.h"

#define BITS 64

static struct {
    uint64_t *taken; /* a set bit: page base + i is not free */
    uintptr_t base;
    size_t count; /* pages under management, the bitmap's own included */
    size_t free;
    size_t hint;                 /* no page at or above it is free */
    size_t fresh_from, fresh_to; /* nobody ever had a page between these */
} pool;

static bool is_taken(size_t i)
{
    return pool.taken[i / BITS] >> i % BITS & 1;
}

static void mark(size_t i, size_t n, bool taken)
{
    for (size_t k = i; k < i + n; k++) {
        uint64_t bit = 1ull << k % BITS;

        invariant(k < pool.count && is_taken(k) != taken);
        if (taken)
            pool.taken[k / BITS] |= bit;
        else
            pool.taken[k / BITS] &= ~bit;
    }
    pool.free += taken ? -n : n;
}

void pages_init(uintptr_t first, uintptr_t end)
{
    size_t bytes;

    pool.base = (first + PAGE_SIZE - 1) & PAGE_MASK;
    pool.count = (end - pool.base) >> PAGE_SHIFT;
    bytes = (pool.count + BITS - 1) / BITS * sizeof(uint64_t);
    pool.taken = (uint64_t *)pool.base;
    memset(pool.taken, 0, bytes);
    pool.free = pool.count;
    pool.hint = pool.count;
    mark(0, pages_for(bytes), true);
    pool.fresh_from = pages_for(bytes);
    pool.fresh_to = pool.count;
}

/* The highest i such that pages i .. i+n-1 are free, or -1. */
static ptrdiff_t find_run(size_t n)
{
    size_t run = 0;

    for (size_t i = pool.hint; i-- > 0;) {
        if (i % BITS == BITS - 1 && pool.taken[i / BITS] == ~0ull) {
            run = 0;
            i -= BITS - 1;
            continue;
        }
        run = is_taken(i) ? 0 : run + 1;
        if (run == n)
            return (ptrdiff_t)i;
    }
    return -1;
}

static void *page_at(size_t i)
{
    return (void *)(pool.base + (i << PAGE_SHIFT));
}

static bool is_fresh(size_t i)
{
    return i >= pool.fresh_from && i < pool.fresh_to;
}

static void clear_used(size_t i, size_t n)
{
    for (size_t k = i; k < i + n; k++)
        if (!is_fresh(k))
            memset(page_at(k), 0, PAGE_SIZE);
}

/* The first page of a free run, which is taken then, or -1. */
static ptrdiff_t take_run(size_t n, bool zeroed)
{
    ptrdiff_t i;

    if (n == 0 || n > pool.free)
        return -1;
    i = find_run(n);
    if (i < 0)
        return -1;
    mark((size_t)i, n, true);
    while (pool.hint > 0 && is_taken(pool.hint - 1))
        pool.hint--;
    if (zeroed)
        clear_used((size_t)i, n);
    if ((size_t)i < pool.fresh_to)
        pool.fresh_to = (size_t)i;
    return i;
}

void *pages_alloc(size_t n)
{
    ptrdiff_t i = take_run(n, false);

    return i < 0 ? NULL : page_at((size_t)i);
}

void *pages_alloc_zeroed(size_t n)
{
    ptrdiff_t i = take_run(n, true);

    return i < 0 ? NULL : page_at((size_t)i);
}

void pages_free(void *addr, size_t n)
{
    size_t i = ((uintptr_t)addr - pool.base) >> PAGE_SHIFT;

    if (!addr)
        return;
    mark(i, n, false);
    if (pool.hint < i + n)
        pool.hint = i + n;
}

bool pages_claim(void *addr, size_t n)
{
    size_t i = ((uintptr_t)addr - pool.base) >> PAGE_SHIFT;

    if ((uintptr_t)addr < pool.base || i > pool.count || n > pool.count - i)
        return false;
    for (size_t k = i; k < i + n; k++)
        if (is_taken(k))
            return false;
    mark(i, n, true);
    if (pool.fresh_from < i + n)
        pool.fresh_from = i + n;
    return true;
}

size_t pages_free_count(void)
{
    return pool.free;
}

void *pages_lowest_free(void)
{
    size_t i = 0;

    while (i < pool.count && is_taken(i))
        i++;
    return page_at(i);
}
