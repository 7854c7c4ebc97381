/*
 * Inside of the event channels: the table of handlers, and the bits of ports in
 * shared_info. For events.c and events_dispatch.c.
 */
#ifndef RINGSIDE_GUEST_EVENTS_DISPATCH_H
#define RINGSIDE_GUEST_EVENTS_DISPATCH_H

#include <stdbool.h>

#include "guest-kernel/events.h"

#define EVENT_WORD_BITS 64

struct event_handler {
    event_fn *fn; /* NULL: the port is not bound */
    void *arg;
};

extern struct event_handler events_handlers[EVENT_PORTS];

static inline void event_bit_set(xen_ulong_t *words, unsigned int n)
{
    __atomic_fetch_or(&words[n / EVENT_WORD_BITS], 1ul << n % EVENT_WORD_BITS,
                      __ATOMIC_SEQ_CST);
}

static inline void event_bit_clear(xen_ulong_t *words, unsigned int n)
{
    __atomic_fetch_and(&words[n / EVENT_WORD_BITS],
                       ~(1ul << n % EVENT_WORD_BITS), __ATOMIC_SEQ_CST);
}

static inline bool event_bit_test(const xen_ulong_t *words, unsigned int n)
{
    return READ_ONCE(words[n / EVENT_WORD_BITS]) >> n % EVENT_WORD_BITS & 1;
}

#endif
