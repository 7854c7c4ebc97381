/*
 * How much memory the network may hold. lwIP's heap and pools are the C
 * library's (lwipopts.h), so that the network shares what there is with the
 * program; and most of what it holds, a peer makes it hold. Every block is
 * counted here with what it really takes.
 *
 * Above the limit, a quarter of the guest's memory, lwIP takes from a peer only
 * what makes progress (LWIP_MEMORY_SHORT() in its source); above twice the
 * limit it gets no memory at all, which it is made to bear: frames are lost.
 */
#include <malloc.h>
#include <stdlib.h>

#include "lwip/opt.h"
#include "lwip/pbuf.h"

#include "guest-kernel/net/memory.h"

#define MIN_LIMIT (1u << 20)
#define MAX_LIMIT (64u << 20)
#define CARD_PAGE 4096 /* what a received page holds (ethif.c) */

static size_t limit = MIN_LIMIT;
static size_t held;

void net_memory_init(size_t guest_memory)
{
    limit = guest_memory / 4;
    if (limit < MIN_LIMIT)
        limit = MIN_LIMIT;
    if (limit > MAX_LIMIT)
        limit = MAX_LIMIT;
}

size_t net_memory_limit(void)
{
    return limit;
}

size_t net_memory_held(void)
{
    return __atomic_load_n(&held, __ATOMIC_RELAXED);
}

int net_memory_short(void)
{
    return net_memory_held() > limit;
}

/* Programs may use lwIP's buffers outside the kernel's lock: so, atomics. */
static void *count(void *p)
{
    if (p)
        __atomic_add_fetch(&held, malloc_usable_size(p), __ATOMIC_RELAXED);
    return p;
}

static bool is_too_much(size_t n)
{
    return n > 2 * limit || net_memory_held() > 2 * limit - n;
}

void *net_heap_alloc(size_t n)
{
    return is_too_much(n) ? NULL : count(malloc(n));
}

void *net_heap_calloc(size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || is_too_much(bytes))
        return NULL;
    return count(calloc(n, size));
}

void net_heap_free(void *p)
{
    if (p)
        __atomic_sub_fetch(&held, malloc_usable_size(p), __ATOMIC_RELAXED);
    free(p);
}

unsigned int net_pbuf_held(const struct pbuf *p)
{
    if (p->flags & PBUF_FLAG_IS_CUSTOM)
        return CARD_PAGE;
    return (unsigned int)malloc_usable_size((void *)p);
}
