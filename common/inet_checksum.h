/*
 * The Internet checksum (RFC 1071), for both sides of a network card.
 */
#ifndef RINGSIDE_INET_CHECKSUM_H
#define RINGSIDE_INET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The 16-bit ones' complement sum (not inverted) of n bytes plus `sum`, in the
 * byte order of memory: store the result as it is. An odd last byte counts as
 * if a zero followed, so only the last of several pieces may be odd.
 */
static inline uint16_t inet_sum(const void *data, size_t n, uint64_t sum)
{
    const unsigned char *p = data;
    uint64_t a = 0, b = 0, w;

    /* Halves of 64-bit words: sums of 32-bit numbers, room for 2^32 of them. */
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

#endif
