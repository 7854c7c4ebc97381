/*
 * What a guest may send into its NAT network: frames are checked here, whole,
 * before libslirp sees them.
 *
 * libslirp trusts its guest in places: it aborts on some fragments, reads
 * beyond urgent data and connects to any address. So only what is on a written
 * list passes: ARP, and IPv4 with TCP, UDP and ICMP echo requests, whose
 * headers and lengths agree, from an address of the guest's own to a
 * destination that nat_may_reach() allows.
 *
 * Addresses and ports are in the host's byte order.
 */
#ifndef RINGSIDE_BACKENDS_NAT_PACKET_H
#define RINGSIDE_BACKENDS_NAT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAT_NETWORK    0x0a000200 /* 10.0.2.0/24 */
#define NAT_GATEWAY    0x0a000202
#define NAT_NAMESERVER 0x0a000203
#define NAT_GUEST      0x0a00020f /* by DHCP */

#define NAT_ICMP 1
#define NAT_TCP  6
#define NAT_UDP  17

/* The host's loopback network, 127.0.0.0/8. */
#define NAT_IS_LOOPBACK(address) ((address) >> 24 == 127)

#define NAT_IPV4_HEADER 20
#define NAT_PAYLOAD_MAX (65535 - NAT_IPV4_HEADER)
/* An Ethernet frame around the longest IPv4 packet. */
#define NAT_FRAME_MAX (14 + 65535)

#define NAT_FIN 0x01
#define NAT_SYN 0x02
#define NAT_RST 0x04
#define NAT_ACK 0x10
#define NAT_URG 0x20

/* An IPv4 packet, or a fragment of one; `payload` is within the frame. */
struct nat_ipv4 {
    uint32_t src, dst;
    uint16_t id;
    uint8_t protocol, ttl, tos;
    bool plain; /* its header has no options and it is no fragment */
    bool more_fragments;
    size_t offset; /* of the fragment, in bytes */
    const uint8_t *payload;
    size_t len;
    uint8_t mac[6]; /* the sender's */
};

/* What the transport header says. Ports are 0 for ICMP. */
struct nat_transport {
    uint16_t sport, dport;
    uint32_t seq, ack; /* from here on TCP only */
    uint8_t flags;
    uint16_t window;
    size_t data_len;
};

/* An ARP packet for IPv4 over Ethernet. */
struct nat_arp {
    bool request;
    uint8_t mac[6]; /* the sender's */
    uint32_t sender, target;
};

/* False: the frame is no such packet or its lengths do not fit. */
bool nat_parse_arp(const uint8_t *frame, size_t len, struct nat_arp *out);

/*
 * False: the frame is not IPv4, its lengths do not fit, its header checksum is
 * wrong, or it could not exist (a fragment that ends beyond 64 KiB, an empty
 * or odd-sized one).
 */
bool nat_parse_ipv4(const uint8_t *frame, size_t len, struct nat_ipv4 *out);

/*
 * Checks the transport header of a whole packet. False: a protocol that is not
 * on the list, an ICMP message that is no echo request, a header or an option
 * that does not fit, flags that exclude each other, destination port 0.
 */
bool nat_parse_transport(const struct nat_ipv4 *p, struct nat_transport *out);

/* May the guest use this address as its own? */
bool nat_is_guest(uint32_t address);

/*
 * The written list of destinations (docs/network.md), for every protocol;
 * `port` is 0 for ICMP. host_loopback: the gateway leads to the host's
 * 127.0.0.1. DHCP is no destination: see nat_is_dhcp().
 */
bool nat_may_reach(uint32_t dst, uint8_t protocol, uint16_t port,
                   bool host_loopback);

/*
 * The ports of a UDP datagram, of which p may be the first fragment. False: p
 * is neither.
 */
bool nat_udp_ports(const struct nat_ipv4 *p, uint16_t *from, uint16_t *to);

/*
 * Is this a request to the DHCP server that is whole and asks for the card
 * with this hardware address?
 */
bool nat_is_dhcp(const struct nat_ipv4 *p, const struct nat_transport *t,
                 const uint8_t mac[6]);

/* Is this libslirp's DHCP server, speaking to the guest? */
bool nat_is_dhcp_answer(const struct nat_ipv4 *p);

/*
 * Writes an Ethernet frame around a packet of p's addresses, id, protocol, ttl
 * and tos, with p's payload: no options, no fragment. TCP's urgent pointer is
 * removed. Returns the length; `frame` has room for NAT_FRAME_MAX.
 */
size_t nat_build(uint8_t *frame, const struct nat_ipv4 *p);

/*
 * Gives a packet or fragment without IP options another source or destination,
 * and makes the checksums right, UDP's as well.
 */
void nat_set_source(uint8_t *frame, uint32_t address);
void nat_set_destination(uint8_t *frame, uint32_t address);

/* A TCP segment without data or options, checksums and all. 54 bytes. */
#define NAT_SEGMENT_FRAME 54
void nat_build_segment(uint8_t frame[NAT_SEGMENT_FRAME],
                       const struct nat_ipv4 *p, const struct nat_transport *t);

/*
 * What tells the guest that its packet p was refused: a reset for a TCP
 * segment, for others ICMP "administratively prohibited". Returns its length,
 * 0 if the packet gets no answer. `frame` has room for NAT_REFUSAL_MAX.
 */
#define NAT_REFUSAL_MAX (14 + 20 + 8 + 20 + 8)
size_t nat_build_refusal(uint8_t *frame, const struct nat_ipv4 *p,
                         const struct nat_transport *t);

/* "ADDRESS is at MAC", from MAC, to the gateway. 42 bytes. */
#define NAT_ARP_FRAME 42
void nat_build_arp_reply(uint8_t frame[NAT_ARP_FRAME], uint32_t address,
                         const uint8_t mac[6]);

#endif
