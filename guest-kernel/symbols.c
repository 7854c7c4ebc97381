/*
 * Names for addresses, and walking stacks by frame pointers. See symbols.h.
 */
#include "guest-kernel/symbols.h"

const struct ksym *ksym_find(const struct ksym *table, size_t n, uintptr_t addr)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (table[mid].address <= addr)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &table[low - 1] : NULL;
}

size_t stack_walk(uintptr_t fp, uintptr_t low, uintptr_t high, uintptr_t *out,
                  size_t max)
{
    size_t n = 0;

    while (n < max && fp % 8 == 0 && fp >= low && fp < high &&
           high - fp >= 16) {
        const uintptr_t *frame = (const uintptr_t *)fp;

        if (!frame[1])
            break;
        out[n++] = frame[1];
        if (frame[0] <= fp)
            break;
        fp = frame[0];
    }
    return n;
}
