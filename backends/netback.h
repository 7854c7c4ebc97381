/*
 * netback: the host's end of virtual network cards, <xen/io/netif.h>.
 */
#ifndef RINGSIDE_BACKENDS_NETBACK_H
#define RINGSIDE_BACKENDS_NETBACK_H

struct backend_ops;

/* For xenbus_backend_start(). */
extern const struct backend_ops netback_ops;

#endif
