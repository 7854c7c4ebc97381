/*
 * Reading and writing what a caller's hypercall argument points at.
 *
 * A guest address is a type that C cannot dereference. Copy in once, check the
 * copy, act on the copy. Addresses of a guest are in its own memory (RAM, or
 * what stands in its aperture); those of a process are offsets into the bytes
 * that came with its call.
 */
#ifndef RINGSIDE_GUEST_ACCESS_H
#define RINGSIDE_GUEST_ACCESS_H

#include <stddef.h>
#include <stdint.h>

struct vcpu;

typedef struct {
    uint64_t value;
} guest_addr_t;

static inline guest_addr_t guest_addr(uint64_t value)
{
    return (guest_addr_t){ value };
}

/* The address of element `index` of an array of `size`-byte elements. */
static inline guest_addr_t guest_elem(guest_addr_t a, uint64_t index,
                                      size_t size)
{
    return (guest_addr_t){ a.value + index * size };
}

/* 0, or -EFAULT if any byte of the range is not the caller's to use. */
int copy_from_guest(struct vcpu *v, void *dst, guest_addr_t src, size_t n);
int copy_to_guest(struct vcpu *v, guest_addr_t dst, const void *src, size_t n);

#endif
