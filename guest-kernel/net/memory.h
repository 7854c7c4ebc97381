/*
 * How much memory the network may hold. What lwIP calls of it is declared in
 * lwipopts.h.
 */
#ifndef RINGSIDE_NET_MEMORY_H
#define RINGSIDE_NET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Sets the limit for a guest of so many bytes; before lwIP is started. */
void net_memory_init(size_t guest_memory);

/* Bytes of the heap that lwIP should hold at most, and those that it holds. */
size_t net_memory_limit(void);
size_t net_memory_held(void);

#endif
