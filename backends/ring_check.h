/*
 * What a backend believes of a producer index in shared memory.
 *
 * The frontend writes the index at any moment, forwards and backwards. Only
 * three numbers of our own say what is possible: how many requests were taken
 * (req_cons), how many were answered (rsp_prod), and the ring's size. What was
 * taken and not answered is in flight and keeps its slot, so at most
 *     size - (req_cons - rsp_prod)
 * requests can be new. A producer behind req_cons is, as an unsigned distance,
 * farther ahead than any ring is long. So one comparison finds both an index
 * that ran ahead and one that went back, also when the indices wrap.
 */
#ifndef RINGSIDE_BACKENDS_RING_CHECK_H
#define RINGSIDE_BACKENDS_RING_CHECK_H

#include <assert.h>
#include <stdbool.h>

#include "xen_compat.h"

#include <string.h>
#include <xen/io/ring.h>

/*
 * `prod` is a copy of the shared index. false: it is impossible and the ring
 * must not be served any more; else *n requests are new.
 */
static inline bool ring_new_requests(RING_IDX prod, RING_IDX req_cons,
                                     RING_IDX rsp_prod, unsigned int size,
                                     unsigned int *n)
{
    unsigned int in_flight = req_cons - rsp_prod;

    assert(in_flight <= size);
    *n = prod - req_cons;
    return *n <= size - in_flight;
}

#endif
