/*
 * A guest on a NAT link, made of frames, in a network namespace of its own: for
 * tests that send what must not reach any real network.
 */
#ifndef RINGSIDE_TESTS_NAT_GUEST_H
#define RINGSIDE_TESTS_NAT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "nat_packet.h"

#define ETH 14
#define IP4 20

/* An address of the host in the namespace that a guest may reach. */
#define HOST_ADDRESS 0x0a090001 /* 10.9.0.1 */

extern const uint8_t nat_guest_mac[6];

struct nat_guest {
    struct event_base *base;
    struct link *link;
    uint32_t address; /* the source of its packets */
    uint16_t ip_id;

    /* The last segment that came for `port`, and how many resets did. */
    uint16_t port;
    struct nat_transport got;
    unsigned int segments, resets;

    /* Source and port of the last datagram, and how many came. */
    uint32_t asker;
    uint16_t asker_port, asked_port;
    unsigned int datagrams;

    unsigned int pings, refusals, frames; /* echo replies, ICMP errors, all */
    unsigned int spoilt; /* TCP and UDP whose checksum is wrong */
    unsigned int strays; /* packets from the host's loopback network */
};

/*
 * Makes a network namespace with the loopback device and nothing else, for this
 * process, which has the driver domain's signals. NULL, or why it cannot be
 * made.
 */
const char *netns_enter(void);

/* Gives the loopback device a further address. */
void netns_add_address(uint32_t address);

void nat_guest_start(struct nat_guest *g, const struct link_config *config);
void nat_guest_stop(struct nat_guest *g);

/* Lets the link work until nothing is ready; several times over. */
void nat_guest_settle(struct nat_guest *g);

/* Runs the loop until *n is not `was`; false: it took too long. */
bool nat_guest_wait(struct nat_guest *g, const unsigned int *n,
                    unsigned int was);

/* An Ethernet frame around an IPv4 packet of n bytes of payload; fragment is
 * the field of flags and offset. Returns its length. */
size_t frame_ipv4(struct nat_guest *g, uint8_t *frame, uint32_t dst,
                  uint8_t protocol, uint16_t fragment, const void *payload,
                  size_t n);

void nat_guest_send(struct nat_guest *g, const uint8_t *frame, size_t len);
void nat_guest_ping(struct nat_guest *g, uint32_t dst);
void nat_guest_udp(struct nat_guest *g, uint16_t sport, uint32_t dst,
                   uint16_t dport, const void *data, size_t n);
/* The same in fragments of at most `piece` bytes, a multiple of 8; the last one
 * first if backwards. */
void nat_guest_udp_pieces(struct nat_guest *g, uint16_t sport, uint32_t dst,
                          uint16_t dport, const void *data, size_t n,
                          size_t piece, bool backwards);
/* A segment with a valid checksum; urgent: its URG flag and pointer. */
void nat_guest_tcp(struct nat_guest *g, uint32_t dst,
                   const struct nat_transport *t, uint16_t urgent,
                   const void *data, size_t n);

/* A listener, or with udp a socket, on all addresses of the host. */
int host_socket(bool udp, int backlog, uint16_t *port);

/* Connects to the host's port; t is then what the next segment starts from.
 * Returns false if it was reset or nothing came. */
bool nat_guest_connect(struct nat_guest *g, uint16_t sport, uint32_t dst,
                       uint16_t dport, struct nat_transport *t);

/* How many descriptors this process has. */
unsigned int descriptors(void);

#endif
