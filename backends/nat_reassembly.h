/*
 * Reassembly of the IPv4 fragments that a guest sends into its NAT network.
 *
 * libslirp gets whole packets only. All is bounded: at most NAT_DATAGRAMS_MAX
 * packets are collected at a time, each for NAT_REASSEMBLY_MS; the one that
 * began first makes room for a new one. Fragments that overlap or contradict
 * each other end their packet (RFC 5722 for IPv6, and no sender of IPv4 does
 * it).
 */
#ifndef RINGSIDE_BACKENDS_NAT_REASSEMBLY_H
#define RINGSIDE_BACKENDS_NAT_REASSEMBLY_H

#include "nat_packet.h"

#define NAT_DATAGRAMS_MAX 8
#define NAT_REASSEMBLY_MS 15000
#define NAT_UNITS         ((NAT_PAYLOAD_MAX + 7) / 8) /* of 8 bytes */

struct nat_datagram {
    uint8_t *data; /* NULL: not in use */
    size_t room;
    struct nat_ipv4 first; /* addresses, protocol, id */
    size_t received;       /* bytes */
    size_t end;            /* of the fragment that reaches farthest */
    size_t total;          /* 0: not known yet */
    uint64_t began;        /* ms */
    uint64_t has[NAT_UNITS / 64 + 1]; /* units received, a bit each */
};

/* All zero at first. */
struct nat_reassembly {
    struct nat_datagram datagram[NAT_DATAGRAMS_MAX];
    struct nat_datagram *whole; /* given out by the last call */
    uint64_t dropped;           /* packets given up */
};

/*
 * Takes a fragment. True: it made a packet whole; *out is valid until the next
 * call. `now` in ms.
 */
bool nat_reassemble(struct nat_reassembly *r, const struct nat_ipv4 *fragment,
                    uint64_t now, struct nat_ipv4 *out);

/* Gives up what has waited for too long. */
void nat_reassembly_expire(struct nat_reassembly *r, uint64_t now);

void nat_reassembly_clear(struct nat_reassembly *r);

#endif
