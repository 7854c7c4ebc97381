/*
 * Checksums that a guest left to us (NETTXF_csum_blank).
 */
#include <string.h>

#include "inet_checksum.h"
#include "netback_queue.h"

#define IP_TCP 6
#define IP_UDP 17

static uint16_t be16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

void vif_checksum_fill_(char *frame, size_t len)
{
    unsigned char *ip = (unsigned char *)frame + LINK_HEADER, *field;
    size_t header, total;
    uint64_t pseudo;
    uint16_t sum;

    if (len < LINK_HEADER + 20 || be16(ip - 2) != 0x0800 || ip[0] >> 4 != 4)
        return;
    header = (ip[0] & 15) * 4u;
    total = be16(ip + 2);
    if (header < 20 || total > len - LINK_HEADER || total < header)
        return;
    if (be16(ip + 6) & 0x3fff) /* a fragment */
        return;
    if (ip[9] == IP_TCP && total >= header + 20)
        field = ip + header + 16;
    else if (ip[9] == IP_UDP && total >= header + 8)
        field = ip + header + 6;
    else
        return;

    /* Big-endian words summed as little-endian ones: swapped, both ways. */
    pseudo = (uint64_t)ip[9] << 8;
    pseudo += (uint16_t)__builtin_bswap16((uint16_t)(total - header));
    pseudo += inet_sum(ip + 12, 8, 0);
    memset(field, 0, 2);
    sum = (uint16_t)~inet_sum(ip + header, total - header, pseudo);
    if (sum == 0 && ip[9] == IP_UDP)
        sum = 0xffff; /* 0 would mean: none */
    memcpy(field, &sum, 2);
}
