/*
 * The names of a processor's exceptions. See trap.h.
 */
#include "trap.h"

#include <stddef.h>

const char *trap_name(unsigned int vector)
{
    static const char *const names[] = {
        [0] = "division by zero",
        [1] = "debug trap",
        [3] = "breakpoint",
        [6] = "invalid instruction",
        [13] = "general protection",
        [14] = "page fault",
        [16] = "floating point",
        [17] = "alignment check",
        [19] = "vector floating point",
    };

    return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : NULL;
}
