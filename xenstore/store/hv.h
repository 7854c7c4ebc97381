/*
 * What the store asks of the hypervisor. Two implementations: hv_ringside.c
 * (libclient) and hv_none.c (a plain store); tests have
 * their own.
 */
#ifndef XS_HV_H
#define XS_HV_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

struct store;
struct conn;

enum hv_state {
    HV_RUNNING,
    HV_SHUTDOWN, /* it shut itself down, or crashed, and is still there */
    HV_DYING,
};

struct hv_domain {
    enum hv_state state;
    uint64_t birth; /* differs between two domains with the same id */
};

struct hv_ops {
    /* -ESRCH: no such domain. */
    int (*query)(void *ctx, unsigned int domid, struct hv_domain *out);
    /*
     * Maps the store ring of a guest (grant 1), binds its event channel to
     * `port`, and makes a connection of them (conn_ring_new()). *conn, or
     * -errno with nothing held.
     */
    int (*connect)(void *ctx, struct store *s, unsigned int domid,
                   uint32_t port, struct conn **conn);
    /* Binds another port for an existing connection. */
    int (*rebind)(void *ctx, struct conn *conn, uint32_t port);
};

/* The connection to the hypervisor, for the next program in a live update. */
struct hv_link {
    int fd;        /* the control socket; -1: no hypervisor */
    int virq_rx;   /* VIRQ_DOM_EXC, */
    uint32_t virq; /* and its port */
};

extern const struct hv_ops hv_none;

#endif
