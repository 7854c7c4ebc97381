/* Frames for tests. See net_frame.h. */
#include <arpa/inet.h>
#include <string.h>

#include "inet_checksum.h"
#include "tests/unit/net_frame.h"

static const unsigned char guest_mac[] = FRAME_GUEST_MAC;
static const unsigned char peer_mac[] = { 2, 0, 0, 0, 0, 9 };

static void put16(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static void put32(unsigned char *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

size_t frame_make_ip(const struct frame_ip *ip, const void *data, size_t n,
                     unsigned char *out)
{
    unsigned char *h = out + ETHERNET_HEADER;
    uint16_t sum;

    memcpy(out, guest_mac, 6);
    memcpy(out + 6, peer_mac, 6);
    put16(out + 12, 0x0800);
    memset(h, 0, 20);
    h[0] = 0x45;
    put16(h + 2, (uint32_t)(20 + n));
    put16(h + 4, ip->id);
    put16(h + 6, ip->frag);
    h[8] = 64;
    h[9] = ip->proto;
    put32(h + 12, ip->src);
    put32(h + 16, ip->dst);
    sum = (uint16_t)~inet_sum(h, 20, 0);
    memcpy(h + 10, &sum, 2);
    if (n)
        memmove(h + 20, data, n);
    return ETHERNET_HEADER + 20 + n;
}

uint16_t frame_checksum(uint32_t src, uint32_t dst, uint8_t proto,
                        const void *data, size_t n)
{
    unsigned char pseudo[12] = { 0 };

    put32(pseudo, src);
    put32(pseudo + 4, dst);
    pseudo[9] = proto;
    put16(pseudo + 10, (uint32_t)n);
    return (uint16_t)~inet_sum(data, n, inet_sum(pseudo, 12, 0));
}

size_t frame_make_udp(uint32_t src, uint16_t sport, uint32_t dst,
                      uint16_t dport, const void *data, size_t n,
                      unsigned char *out)
{
    struct frame_ip ip = { .src = src, .dst = dst, .id = 1, .proto = INET_UDP };
    unsigned char *h = out + ETHERNET_HEADER + 20;
    uint16_t sum;

    put16(h, sport);
    put16(h + 2, dport);
    put16(h + 4, (uint32_t)(8 + n));
    put16(h + 6, 0);
    memcpy(h + 8, data, n);
    sum = frame_checksum(src, dst, INET_UDP, h, 8 + n);
    memcpy(h + 6, &sum, 2);
    return frame_make_ip(&ip, h, 8 + n, out);
}

size_t frame_make_tcp(const struct frame_tcp *t, unsigned char *out)
{
    struct frame_ip ip = {
        .src = t->src, .dst = t->dst, .id = 1, .proto = INET_TCP
    };
    unsigned char *h = out + ETHERNET_HEADER + 20;
    size_t head = 20 + t->options_n;
    uint16_t sum;

    memset(h, 0, 20);
    put16(h, t->sport);
    put16(h + 2, t->dport);
    put32(h + 4, t->seq);
    put32(h + 8, t->ack);
    h[12] = (unsigned char)(head / 4 << 4);
    h[13] = t->flags;
    put16(h + 14, t->window);
    put16(h + 18, t->urgent);
    if (t->options_n)
        memcpy(h + 20, t->options, t->options_n);
    if (t->n)
        memcpy(h + head, t->data, t->n);
    sum = frame_checksum(t->src, t->dst, INET_TCP, h, head + t->n);
    memcpy(h + 16, &sum, 2);
    return frame_make_ip(&ip, h, head + t->n, out);
}

/* The IPv4 payload of a frame, or NULL. */
static const unsigned char *ip_payload(const unsigned char *frame, size_t n,
                                       uint8_t proto, size_t *len)
{
    const unsigned char *h = frame + ETHERNET_HEADER;
    size_t head, total;

    if (n < ETHERNET_HEADER + 20 || get16(frame + 12) != 0x0800 ||
        h[9] != proto)
        return NULL;
    head = (size_t)(h[0] & 15) * 4;
    total = get16(h + 2);
    if (head < 20 || total < head || total > n - ETHERNET_HEADER)
        return NULL;
    *len = total - head;
    return h + head;
}

bool frame_read_tcp(const unsigned char *frame, size_t n, struct frame_tcp *t)
{
    size_t len, head;
    const unsigned char *h = ip_payload(frame, n, INET_TCP, &len);

    if (!h || len < 20)
        return false;
    head = (size_t)(h[12] >> 4) * 4;
    if (head < 20 || head > len)
        return false;
    *t = (struct frame_tcp){
        .src = get32(frame + ETHERNET_HEADER + 12),
        .dst = get32(frame + ETHERNET_HEADER + 16),
        .sport = get16(h),
        .dport = get16(h + 2),
        .seq = get32(h + 4),
        .ack = get32(h + 8),
        .flags = h[13],
        .window = get16(h + 14),
        .options = h + 20,
        .options_n = head - 20,
        .data = h + head,
        .n = len - head,
    };
    return true;
}

bool frame_read_udp(const unsigned char *frame, size_t n, uint16_t *sport,
                    uint16_t *dport, const unsigned char **data, size_t *len)
{
    const unsigned char *h = ip_payload(frame, n, INET_UDP, len);

    if (!h || *len < 8)
        return false;
    *sport = get16(h);
    *dport = get16(h + 2);
    *data = h + 8;
    *len -= 8;
    return true;
}

bool frame_arp_reply(const unsigned char *frame, size_t n, uint32_t but,
                     unsigned char *reply)
{
    if (n < FRAME_ARP || get16(frame + 12) != 0x0806 ||
        get16(frame + 20) != 1 || get32(frame + 38) == but)
        return false;
    memcpy(reply, frame, FRAME_ARP);
    memcpy(reply, guest_mac, 6);
    memcpy(reply + 6, peer_mac, 6);
    put16(reply + 20, 2);
    memcpy(reply + 22, peer_mac, 6);
    memcpy(reply + 28, frame + 38, 4);
    memcpy(reply + 32, frame + 22, 10);
    return true;
}
