/*
 * Checksums that a guest left to us (NETTXF_csum_blank).
 */
#include "inet_checksum.h"
#include "netback_queue.h"

void vif_checksum_fill_(char *frame, size_t len)
{
    struct inet_segment s;
    uint16_t sum;

    if (!inet_segment_find(frame, len, len, &s))
        return;
    memset(s.field, 0, 2);
    sum = (uint16_t)~inet_sum(s.start, s.len, s.pseudo);
    if (sum == 0 && s.protocol == INET_UDP)
        sum = 0xffff; /* 0 would mean: none */
    memcpy(s.field, &sum, 2);
}
