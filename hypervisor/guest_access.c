/*
 * Copies from and to a guest's memory. See guest_access.h.
 */
#include "guest_access.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "domain.h"

/* A process's arguments are the bytes that came with its call. */
static void *in_space(struct vcpu *v, guest_addr_t a, size_t n)
{
    if (a.value > v->space_size || n > v->space_size - a.value)
        return NULL;
    return v->space + a.value;
}

/* The bytes at `a` up to the end of its page, at most n; NULL: not there. */
static void *in_memory(struct vcpu *v, uint64_t a, size_t n, size_t *chunk,
                       bool write)
{
    size_t offset = a & (PAGE_SIZE - 1);
    bool writable;
    uint8_t *page = memory_frame(v->domain, a >> PAGE_SHIFT, &writable);

    if (!page || (write && !writable))
        return NULL;
    *chunk = PAGE_SIZE - offset < n ? PAGE_SIZE - offset : n;
    return page + offset;
}

int copy_from_guest(struct vcpu *v, void *dst, guest_addr_t src, size_t n)
{
    uint8_t *to = dst;
    const void *from;
    size_t chunk;

    if (v->space) {
        from = in_space(v, src, n);
        if (!from)
            return -EFAULT;
        memcpy(to, from, n);
        return 0;
    }
    for (uint64_t a = src.value; n; a += chunk, to += chunk, n -= chunk) {
        from = in_memory(v, a, n, &chunk, false);
        if (!from)
            return -EFAULT;
        memcpy(to, from, chunk);
    }
    return 0;
}

int copy_to_guest(struct vcpu *v, guest_addr_t dst, const void *src, size_t n)
{
    const uint8_t *from = src;
    size_t chunk;
    void *to;

    if (v->space) {
        to = in_space(v, dst, n);
        if (!to)
            return -EFAULT;
        memcpy(to, from, n);
        return 0;
    }
    for (uint64_t a = dst.value; n; a += chunk, from += chunk, n -= chunk) {
        to = in_memory(v, a, n, &chunk, true);
        if (!to)
            return -EFAULT;
        memcpy(to, from, chunk);
    }
    return 0;
}
