/*
 * The guest's page tables, and what stands at its pages because of them.
 *
 * The processor's real page tables are Linux's; ours to change is what a page
 * of RAM shows: all of it, only for reading, nothing. So the emulated tables
 * may say that, and must otherwise map one to one. As with a TLB, a table that
 * was changed counts from the next `mov` to cr3 (all pages) or `invlpg` (one).
 * The image keeps the protection of its segments, whatever the tables say.
 *
 * Tables are four levels of 512 entries (Intel SDM volume 3, section 4.5).
 */
#include <string.h>

#include "preempt.h"
#include "machine.h"

#define PRESENT  1ull
#define WRITABLE 2ull
#define LARGE    0x80ull
#define FRAME    0x000ffffffffff000ull
#define ENTRIES  512u

#define TABLE_COST 16u /* in looks at a few words (hypercall.h) */

enum shown { SHOWN_ALL, SHOWN_READ_ONLY, SHOWN_NOT };

static enum outcome no_table(struct vcpu *v, uint64_t va)
{
    domain_crash(v->domain, "its page tables for address %#llx are not there",
                 (unsigned long long)va);
    return MOVED;
}

static enum shown meaning(uint64_t entry)
{
    return !(entry & PRESENT) ? SHOWN_NOT
           : entry & WRITABLE ? SHOWN_ALL
                              : SHOWN_READ_ONLY;
}

static bool is_image(const struct domain *d, uint64_t va)
{
    for (unsigned int i = 0; i < d->image.nr_segments; i++)
        if (va >= d->image.segment[i].start && va < d->image.segment[i].end)
            return true;
    return false;
}

void paging_populated(struct vcpu *v, xen_pfn_t gfn, uint32_t pages)
{
    memset(v->emulated->shown + gfn, SHOWN_ALL, pages);
}

/* Has the page show what it should, if it does not yet. */
static enum outcome show(struct vcpu *v, xen_pfn_t gfn, enum shown want)
{
    struct domain *d = v->domain;
    uint8_t *now = &v->emulated->shown[gfn];

    if (*now == want || !memory_is_ram(d, gfn) ||
        is_image(d, gfn << PAGE_SHIFT))
        return DONE;
    if (preempt_check(v, PREEMPT_COST_MAP) ||
        d->ops->physmap_set(v, gfn, 1, want == SHOWN_NOT ? -1 : d->memory.fd,
                            gfn << PAGE_SHIFT, want == SHOWN_ALL, NULL, 0))
        return AGAIN;
    *now = (uint8_t)want;
    return DONE;
}

/*
 * The entry for va on the level (3 … 0) where the walk ends: by a large page,
 * an absent entry, or at `last`. False: a table is not in memory.
 */
static bool walk(struct vcpu *v, uint64_t va, unsigned int last,
                 unsigned int *level, uint64_t *entry)
{
    uint64_t table = v->emulated->cr3 & FRAME;

    for (*level = 3;; --*level) {
        uint64_t index = va >> (PAGE_SHIFT + 9 * *level) & (ENTRIES - 1);

        if (copy_from_guest(v, entry, guest_addr(table + 8 * index),
                            sizeof(*entry)))
            return false;
        if (*level == last || !(*entry & PRESENT) ||
            (*level <= 2 && *level > 0 && (*entry & LARGE)))
            return true;
        table = *entry & FRAME;
    }
}

/* Does an entry of this level map va one to one (or nothing)? */
static bool is_identity(uint64_t entry, unsigned int level, uint64_t va)
{
    uint64_t size = 1ull << (PAGE_SHIFT + 9 * level);

    return !(entry & PRESENT) ||
           (entry & FRAME & ~(size - 1)) == (va & ~(size - 1));
}

static enum outcome not_identity(struct vcpu *v, uint64_t va, uint64_t entry)
{
    domain_crash(v->domain,
                 "its page tables lead address %#llx to %#llx; here memory is "
                 "mapped one to one",
                 (unsigned long long)va, (unsigned long long)(entry & FRAME));
    return MOVED;
}

enum outcome paging_flush_page(struct vcpu *v, uint64_t address)
{
    uint64_t entry, va = address & PAGE_MASK;
    unsigned int level;

    if (va >> PAGE_SHIFT >= v->domain->memory.nr_pages || !v->emulated->cr3)
        return DONE;
    if (!walk(v, va, 0, &level, &entry))
        return no_table(v, va);
    if (!is_identity(entry, level, va))
        return not_identity(v, va, entry);
    return show(v, va >> PAGE_SHIFT, meaning(entry));
}

/* ---- all of them ---- */

/* Pages from gfn to the end of its 2 MiB, or of RAM. */
static unsigned int pages_of_table(const struct vcpu *v, xen_pfn_t gfn)
{
    xen_pfn_t end = (gfn | (ENTRIES - 1)) + 1;

    if (end > v->domain->memory.nr_pages)
        end = v->domain->memory.nr_pages;
    return (unsigned int)(end - gfn);
}

/* Pages that one large or absent entry decides. */
static enum outcome load_uniform(struct vcpu *v, uint64_t entry)
{
    xen_pfn_t *gfn = &v->emulated->loading;
    unsigned int n = pages_of_table(v, *gfn);
    enum shown want = meaning(entry);

    for (; n; n--, ++*gfn)
        if (show(v, *gfn, want) != DONE)
            return AGAIN;
    return DONE;
}

static enum outcome load_table(struct vcpu *v, uint64_t table)
{
    xen_pfn_t *gfn = &v->emulated->loading;
    unsigned int n = pages_of_table(v, *gfn);
    uint64_t entry[ENTRIES];

    if (copy_from_guest(v, entry, guest_addr(table & FRAME), sizeof(entry)))
        return no_table(v, *gfn << PAGE_SHIFT);
    for (; n; n--, ++*gfn) {
        uint64_t e = entry[*gfn % ENTRIES];

        if (!is_identity(e, 0, *gfn << PAGE_SHIFT))
            return not_identity(v, *gfn << PAGE_SHIFT, e);
        if (show(v, *gfn, meaning(e)) != DONE)
            return AGAIN;
    }
    return DONE;
}

static enum outcome load_next(struct vcpu *v)
{
    uint64_t va = v->emulated->loading << PAGE_SHIFT, entry;
    unsigned int level;

    if (preempt_check(v, TABLE_COST))
        return AGAIN;
    if (!walk(v, va, 1, &level, &entry))
        return no_table(v, va);
    if (level == 1 && (entry & PRESENT) && !(entry & LARGE))
        return load_table(v, entry);
    if (!is_identity(entry, level, va))
        return not_identity(v, va, entry);
    return load_uniform(v, entry);
}

/*
 * In turns: the instruction is executed again until all pages were looked at.
 * Who loads something else in between begins anew.
 */
enum outcome paging_load(struct vcpu *v, uint64_t cr3)
{
    struct emulated_cpu *c = v->emulated;
    enum outcome outcome = DONE;

    if (c->cr3 != cr3 || !c->loading)
        c->loading = MEMORY_FIRST_GFN;
    c->cr3 = cr3;
    while (outcome == DONE && c->loading < v->domain->memory.nr_pages)
        outcome = load_next(v);
    if (outcome == DONE)
        c->loading = 0;
    return outcome;
}
