/*
 * A console's ring as console.c (the primary one) and console_error.c (that of
 * standard error) write to it: with waiting, and an end to that.
 */
#ifndef RINGSIDE_GUEST_CONSOLE_RING_H
#define RINGSIDE_GUEST_CONSOLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontends/consfront.h"

struct console {
    struct consfront front;
    bool out_broken, in_broken; /* as the log was told last */
    uint64_t patience;          /* left, with a ring that nobody reads */
};

extern struct console console_primary;

/* Writes what the ring takes; returns how much is left if it is hopeless. */
size_t console_put(struct console *c, const char *s, size_t n);
/* Waits (bounded) until the other end has read everything. */
void console_finish(struct console *c);

/* How long is waited for an end that is not there. */
#define CONSOLE_PATIENCE NS_PER_S

#endif
