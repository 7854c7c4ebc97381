/*
 * Names for addresses: the table that the second link put into the image.
 *
 * Nothing here allocates, locks or dereferences anything but the table and, in
 * symbols_backtrace(), the given stack. Usable in any context.
 */
#ifndef RINGSIDE_GUEST_SYMBOLS_H
#define RINGSIDE_GUEST_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* As ksyms.awk lays it out. */
struct ksym {
    uint32_t address;
    uint32_t name; /* offset into the names */
};
_Static_assert(sizeof(struct ksym) == 8, "ksyms.awk writes 8 bytes");

/* The last entry at or below addr in a table sorted by address, or NULL. */
const struct ksym *ksym_find(const struct ksym *table, size_t n,
                             uintptr_t addr);

/* The function that contains addr, and how far into it; NULL if unknown. */
const char *symbol_of(uintptr_t addr, size_t *offset);

/*
 * Return addresses of the frames that start at frame pointer `fp`, at most max;
 * a frame that is not within [low, high), or not above the one before, ends
 * the walk. Returns how many.
 */
size_t stack_walk(uintptr_t fp, uintptr_t low, uintptr_t high, uintptr_t *out,
                  size_t max);

#endif
