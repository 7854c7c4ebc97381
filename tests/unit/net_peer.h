/*
 * A TCP peer of the guest's stack, for tests: the other end of one connection,
 * which sends what the test wants and remembers what came.
 */
#ifndef RINGSIDE_TEST_NET_PEER_H
#define RINGSIDE_TEST_NET_PEER_H

#include "tests/unit/net_frame.h"

struct net_peer {
    uint32_t ip;
    uint16_t port, guest_port;
    uint32_t seq;    /* of the next byte that it sends in order */
    uint32_t ack;    /* of the next byte that it expects */
    uint16_t window; /* as it is told, unscaled */
};

/* Sends one segment at seq + ahead; seq stays. */
void peer_segment(struct net_peer *p, uint8_t flags, uint32_t ahead,
                  const void *data, size_t n);
void peer_options(struct net_peer *p, uint8_t flags, const void *options,
                  size_t options_n, const void *data, size_t n);
/* Data in order, in segments of 1,400 bytes. */
void peer_data(struct net_peer *p, const void *data, size_t n);
void peer_ack(struct net_peer *p);

/*
 * The next segment that the guest sent to this peer; others are thrown away.
 * Takes note of its data if it is in order.
 */
bool peer_receive(struct net_peer *p, struct frame_tcp *t);
/* All the data that came in order, acknowledged; at most n bytes are kept. */
size_t peer_stream(struct net_peer *p, void *buf, size_t n);

/* The handshake, with p's window and these options; false: no answer. */
bool peer_connect(struct net_peer *p, const void *options, size_t options_n);

#endif
