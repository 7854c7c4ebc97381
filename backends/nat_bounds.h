/*
 * Bounds of a NAT network, nat_bounds.c: how many descriptors of the driver
 * domain it holds, each with what libslirp and the host's kernel keep for it.
 * Where descriptors are short (RLIMIT_NOFILE, many networks) each has less.
 */
#ifndef RINGSIDE_BACKENDS_NAT_BOUNDS_H
#define RINGSIDE_BACKENDS_NAT_BOUNDS_H

#define NAT_CONNECTIONS_MAX 512 /* TCP, begun by the guest */
#define NAT_FORWARDED_MAX   256 /* TCP, to its forwarded ports */
#define NAT_DATAGRAM_MAX    256 /* sockets for UDP and ICMP echo */
#define NAT_SHARE_MIN       16  /* of each, in any case */

#endif
