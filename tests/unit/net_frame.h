/*
 * Ethernet frames with ARP, IPv4, UDP and TCP: made and read by tests.
 * Addresses and numbers are in the machine's order.
 */
#ifndef RINGSIDE_TEST_NET_FRAME_H
#define RINGSIDE_TEST_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_GUEST_MAC                    \
    {                                      \
        0x00, 0x16, 0x3e, 0x00, 0x00, 0x02 \
    }
#define FRAME_ARP    42
#define FRAME_IP_MAX 65535
#define FRAME_BYTES  (14 + FRAME_IP_MAX)

#define FRAME_FIN 0x01
#define FRAME_SYN 0x02
#define FRAME_RST 0x04
#define FRAME_PSH 0x08
#define FRAME_ACK 0x10

struct frame_ip {
    uint32_t src, dst;
    uint16_t id, frag; /* frag: flags and offset, as in the header */
    uint8_t proto;
};

struct frame_tcp {
    uint32_t src, dst;
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window, urgent;
    const void *options; /* a multiple of 4 bytes */
    size_t options_n;
    const void *data;
    size_t n;
};

/* Each writes a frame to the guest into out and returns its length. (None is
 * made by the code that tests look at: it has functions of its own.) */
size_t frame_make_ip(const struct frame_ip *ip, const void *data, size_t n,
                     unsigned char *out);
size_t frame_make_udp(uint32_t src, uint16_t sport, uint32_t dst,
                      uint16_t dport, const void *data, size_t n,
                      unsigned char *out);
size_t frame_make_tcp(const struct frame_tcp *t, unsigned char *out);

/* Ones' complement sum of a TCP or UDP segment with its pseudo header. */
uint16_t frame_checksum(uint32_t src, uint32_t dst, uint8_t proto,
                        const void *data, size_t n);

/* Reads a frame of the guest's; false if it is none. Pointers lead into it. */
bool frame_read_tcp(const unsigned char *frame, size_t n, struct frame_tcp *t);
bool frame_read_udp(const unsigned char *frame, size_t n, uint16_t *sport,
                    uint16_t *dport, const unsigned char **data, size_t *len);

/* The frame is an ARP request, not for `but`: makes the answer. */
bool frame_arp_reply(const unsigned char *frame, size_t n, uint32_t but,
                     unsigned char *reply);

#endif
