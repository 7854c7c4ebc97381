/*
 * The Internet checksum (RFC 1071), for both ends of a network card.
 */
#ifndef RINGSIDE_INET_CHECKSUM_H
#define RINGSIDE_INET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ETHERNET_HEADER 14
#define INET_TCP        6
#define INET_UDP        17

/*
 * The 16-bit ones' complement sum (not inverted) of n bytes plus `sum`, in the
 * byte order of memory: store the result as it is. An odd last byte counts as
 * if a zero followed, so only the last of several pieces may be odd.
 */
static inline uint16_t inet_sum(const void *data, size_t n, uint64_t sum)
{
    const unsigned char *p = data;
    uint64_t a = 0, b = 0, w;

    /* Halves of 64-bit words: sums of 32-bit numbers, room for 2^31 of them. */
    for (; n >= 16; n -= 16, p += 16) {
        memcpy(&w, p, 8);
        a += (w & 0xffffffff) + (w >> 32);
        memcpy(&w, p + 8, 8);
        b += (w & 0xffffffff) + (w >> 32);
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum += (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32);
    for (; n >= 2; n -= 2, p += 2) {
        uint16_t h;

        memcpy(&h, p, 2);
        sum += h;
    }
    if (n)
        sum += *p; /* little endian: the low byte of a word */
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* A TCP segment or UDP datagram in an Ethernet frame. */
struct inet_segment {
    unsigned char *start; /* of the TCP or UDP header */
    unsigned char *field; /* its checksum */
    size_t len;
    unsigned char protocol; /* INET_TCP or INET_UDP */
    uint16_t pseudo;        /* the sum of the pseudo header */
};

/*
 * Finds the whole, unfragmented segment in a frame over IPv4 of len bytes, of
 * which `linear` at least are at `frame`. False: there is none, or its lengths
 * do not fit. Every byte that decides is read once: another domain may write
 * the frame.
 */
static inline int inet_segment_find(void *frame, size_t linear, size_t len,
                                    struct inet_segment *out)
{
    unsigned char *ip = (unsigned char *)frame + ETHERNET_HEADER;
    unsigned char protocol;
    size_t header, total;

    if (linear < ETHERNET_HEADER + 20 || ip[-2] != 8 || ip[-1] != 0 ||
        ip[0] >> 4 != 4)
        return 0;
    header = (ip[0] & 15) * 4u;
    total = (size_t)ip[2] << 8 | ip[3];
    if (header < 20 || total > len - ETHERNET_HEADER || total < header + 8)
        return 0;
    if ((ip[6] & 0x3f) || ip[7])
        return 0; /* a fragment */
    protocol = ip[9];
    out->protocol = protocol;
    out->start = ip + header;
    out->len = total - header;
    if (protocol == INET_TCP && out->len >= 20)
        out->field = out->start + 16;
    else if (protocol == INET_UDP)
        out->field = out->start + 6;
    else
        return 0;
    if (ETHERNET_HEADER + header + (protocol == INET_TCP ? 20 : 8) > linear)
        return 0;
    /* Big-endian words summed as little-endian ones: swapped, both ways. */
    out->pseudo = inet_sum(ip + 12, 8,
                           ((uint64_t)protocol << 8) +
                               __builtin_bswap16((uint16_t)out->len));
    return 1;
}

#endif
