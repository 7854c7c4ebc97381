/*
 * What the next program needs of a connection's transport, in a live update:
 * while no program runs, these are its descriptors and indices.
 */
#ifndef XS_TRANSPORT_H
#define XS_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

struct transport {
    bool ring;
    int fd; /* a socket */
    /* A ring: its event channel with its descriptors; the store's indices. */
    uint32_t port;
    int rx, tx;
    uint32_t req_cons, rsp_prod;
    bool ignored;
};

#endif
