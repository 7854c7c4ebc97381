/* Checking and building the frames of a NAT network; see nat_packet.h. */
#include <string.h>

#include "inet_checksum.h"
#include "nat_packet.h"

#define ETHER_IPV4 0x0800
#define ETHER_ARP  0x0806

#define TCP_HEADER  20
#define UDP_HEADER  8
#define ICMP_HEADER 8
#define ICMP_ECHO   8

#define DNS_PORT         53
#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define TFTP_PORT        69
#define DHCP_MIN         240 /* with its magic number */

static const uint8_t gateway_mac[6] = { 0x52, 0x55, 10, 0, 2, 2 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

/* ---- parsing ---- */

bool nat_parse_arp(const uint8_t *frame, size_t len, struct nat_arp *out)
{
    static const uint8_t ethernet_ipv4[] = { 0, 1, 8, 0, 6, 4 };
    const uint8_t *arp = frame + ETHERNET_HEADER;
    uint16_t op;

    if (len < NAT_ARP_FRAME || get16(frame + 12) != ETHER_ARP ||
        memcmp(arp, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0)
        return false;
    op = get16(arp + 6);
    if (op != 1 && op != 2)
        return false;
    out->request = op == 1;
    memcpy(out->mac, arp + 8, 6);
    out->sender = get32(arp + 14);
    out->target = get32(arp + 24);
    return memcmp(out->mac, frame + 6, 6) == 0;
}

/* Can a fragment of this place and length exist? */
static bool fragment_fits(const struct nat_ipv4 *p)
{
    if (p->offset == 0 && !p->more_fragments)
        return true;
    if (p->len == 0 || p->offset + p->len > NAT_PAYLOAD_MAX)
        return false;
    return !p->more_fragments || p->len % 8 == 0;
}

bool nat_parse_ipv4(const uint8_t *frame, size_t len, struct nat_ipv4 *out)
{
    const uint8_t *ip = frame + ETHERNET_HEADER;
    size_t header, total;
    uint16_t fragment;

    if (len < ETHERNET_HEADER + NAT_IPV4_HEADER ||
        get16(frame + 12) != ETHER_IPV4 || ip[0] >> 4 != 4)
        return false;
    header = (ip[0] & 15) * 4u;
    total = get16(ip + 2);
    if (header < NAT_IPV4_HEADER || total < header ||
        total > len - ETHERNET_HEADER || inet_sum(ip, header, 0) != 0xffff)
        return false;
    fragment = get16(ip + 6);
    out->tos = ip[1];
    out->id = get16(ip + 4);
    out->more_fragments = fragment & 0x2000;
    out->offset = (fragment & 0x1fff) * 8u;
    out->ttl = ip[8];
    out->protocol = ip[9];
    out->src = get32(ip + 12);
    out->dst = get32(ip + 16);
    out->plain = header == NAT_IPV4_HEADER && !(fragment & 0xbfff);
    out->payload = ip + header;
    out->len = total - header;
    memcpy(out->mac, frame + 6, 6);
    return out->ttl > 0 && fragment_fits(out);
}

/* Do the options of a TCP header of that length fit into it? */
static bool tcp_options_fit(const uint8_t *tcp, size_t header)
{
    for (size_t at = TCP_HEADER; at < header;) {
        size_t n;

        if (tcp[at] == 0)
            return true;
        if (tcp[at] == 1) {
            at++;
            continue;
        }
        n = at + 1 < header ? tcp[at + 1] : 0;
        if (n < 2 || n > header - at)
            return false;
        at += n;
    }
    return true;
}

static bool parse_tcp(const struct nat_ipv4 *p, struct nat_transport *out)
{
    const uint8_t *tcp = p->payload;
    size_t header;

    if (p->len < TCP_HEADER)
        return false;
    header = (tcp[12] >> 4) * 4u;
    if (header < TCP_HEADER || header > p->len || !tcp_options_fit(tcp, header))
        return false;
    out->seq = get32(tcp + 4);
    out->ack = get32(tcp + 8);
    out->flags = tcp[13];
    out->window = get16(tcp + 14);
    out->data_len = p->len - header;
    switch (out->flags & (NAT_SYN | NAT_FIN | NAT_RST)) {
    case 0:
    case NAT_FIN:
        return out->flags & NAT_ACK;
    case NAT_SYN:
    case NAT_RST:
        return true;
    default:
        return false;
    }
}

bool nat_parse_transport(const struct nat_ipv4 *p, struct nat_transport *out)
{
    memset(out, 0, sizeof(*out));
    if (p->protocol == NAT_ICMP)
        return p->len >= ICMP_HEADER && p->payload[0] == ICMP_ECHO &&
               p->payload[1] == 0;
    if ((p->protocol != NAT_TCP && p->protocol != NAT_UDP) ||
        p->len < UDP_HEADER)
        return false;
    out->sport = get16(p->payload);
    out->dport = get16(p->payload + 2);
    if (out->dport == 0)
        return false;
    if (p->protocol == NAT_TCP)
        return out->sport != 0 && parse_tcp(p, out);
    return get16(p->payload + 4) >= UDP_HEADER &&
           get16(p->payload + 4) <= p->len;
}

/* ---- who may talk to whom ---- */

bool nat_is_guest(uint32_t address)
{
    return address >> 8 == NAT_NETWORK >> 8 && address != NAT_NETWORK &&
           address != (NAT_NETWORK | 0xff) && address != NAT_GATEWAY &&
           address != NAT_NAMESERVER;
}

enum reach { NO, YES, GATEWAY, NAMESERVER };

/*
 * The first row that contains an address decides; what is in no row is not
 * reached. Rows for special purposes are those of the IANA registry (RFC 6890):
 * what it calls no valid destination, or not to be forwarded, is not reached.
 */
static const struct {
    uint32_t network;
    unsigned int bits;
    enum reach reach;
} destinations[] = {
    { NAT_GATEWAY, 32, GATEWAY },
    { NAT_NAMESERVER, 32, NAMESERVER },
    { NAT_NETWORK, 24, NO },
    { 0x00000000, 8, NO },   /* "this network": Linux takes it for itself */
    { 0x7f000000, 8, NO },   /* loopback */
    { 0xa9fe0000, 16, NO },  /* link-local, and what clouds offer there */
    { 0xc0000000, 24, NO },  /* 192.0.0.0: protocol assignments */
    { 0xc0000200, 24, NO },  /* 192.0.2.0: documentation */
    { 0xc0586300, 24, NO },  /* 192.88.99.0: 6to4 relays, deprecated */
    { 0xc6336400, 24, NO },  /* 198.51.100.0: documentation */
    { 0xcb007100, 24, NO },  /* 203.0.113.0: documentation */
    { 0x0a000000, 8, YES },  /* private */
    { 0x64400000, 10, YES }, /* 100.64.0.0: shared by carriers' NAT */
    { 0xac100000, 12, YES }, /* 172.16.0.0: private */
    { 0xc0a80000, 16, YES }, /* 192.168.0.0: private */
    { 0xc6120000, 15, YES }, /* 198.18.0.0: benchmarks */
    { 0x00000000, 1, YES },  /* classes A, */
    { 0x80000000, 2, YES },  /* B */
    { 0xc0000000, 3, YES },  /* and C: unicast */
};

static enum reach reach_of(uint32_t dst)
{
    for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++)
        if ((dst ^ destinations[i].network) >> (32 - destinations[i].bits) == 0)
            return destinations[i].reach;
    return NO;
}

bool nat_may_reach(uint32_t dst, uint8_t protocol, uint16_t port,
                   bool host_loopback)
{
    switch (reach_of(dst)) {
    case YES:
        return true;
    case GATEWAY:
        if (protocol == NAT_ICMP)
            return true;
        return host_loopback && !(protocol == NAT_UDP && port == TFTP_PORT);
    case NAMESERVER:
        return protocol == NAT_ICMP || port == DNS_PORT;
    case NO:
        break;
    }
    return false;
}

bool nat_udp_ports(const struct nat_ipv4 *p, uint16_t *from, uint16_t *to)
{
    if (p->protocol != NAT_UDP || p->offset || p->len < UDP_HEADER)
        return false;
    *from = get16(p->payload);
    *to = get16(p->payload + 2);
    return true;
}

bool nat_is_dhcp(const struct nat_ipv4 *p, const struct nat_transport *t,
                 const uint8_t mac[6])
{
    static const uint8_t request_ethernet[] = { 1, 1, 6 };
    const uint8_t *bootp = p->payload + UDP_HEADER;

    return p->protocol == NAT_UDP && t->dport == DHCP_SERVER_PORT &&
           t->sport == DHCP_CLIENT_PORT &&
           (p->dst == UINT32_MAX || p->dst == NAT_GATEWAY) &&
           (p->src == 0 || nat_is_guest(p->src)) &&
           get16(p->payload + 4) >= UDP_HEADER + DHCP_MIN &&
           memcmp(bootp, request_ethernet, sizeof(request_ethernet)) == 0 &&
           memcmp(bootp + 28, mac, 6) == 0;
}

bool nat_is_dhcp_answer(const struct nat_ipv4 *p)
{
    uint16_t from, to;

    return p->src == NAT_GATEWAY && nat_udp_ports(p, &from, &to) &&
           from == DHCP_SERVER_PORT && to == DHCP_CLIENT_PORT;
}

/* ---- building ---- */

static void build_headers(uint8_t *frame, const struct nat_ipv4 *p, size_t len)
{
    uint8_t *ip = frame + ETHERNET_HEADER;
    uint16_t sum;

    memcpy(frame, gateway_mac, 6);
    memcpy(frame + 6, p->mac, 6);
    put16(frame + 12, ETHER_IPV4);
    memset(ip, 0, NAT_IPV4_HEADER);
    ip[0] = 0x45;
    ip[1] = p->tos;
    put16(ip + 2, NAT_IPV4_HEADER + len);
    put16(ip + 4, p->id);
    ip[8] = p->ttl;
    ip[9] = p->protocol;
    put32(ip + 12, p->src);
    put32(ip + 16, p->dst);
    sum = (uint16_t)~inet_sum(ip, NAT_IPV4_HEADER, 0);
    memcpy(ip + 10, &sum, 2);
}

/*
 * n bytes (an even number) that a checksum covers change from `from` to `to`.
 * RFC 1624: HC' = ~(~HC + ~m + m').
 */
static void adjust(uint8_t *checksum, const uint8_t *from, const uint8_t *to,
                   size_t n)
{
    uint16_t sum;

    memcpy(&sum, checksum, 2);
    sum = (uint16_t)~inet_sum(
        to, n, (uint64_t)(uint16_t)~sum + (uint16_t)~inet_sum(from, n, 0));
    memcpy(checksum, &sum, 2);
}

/* Takes URG and the pointer away, and what they added to the checksum. */
static void clear_urgent(uint8_t *tcp)
{
    static const uint8_t none[2];
    uint8_t flags[2];

    memcpy(flags, tcp + 12, 2);
    tcp[13] &= (uint8_t)~NAT_URG;
    adjust(tcp + 16, flags, tcp + 12, 2);
    adjust(tcp + 16, tcp + 18, none, 2);
    memset(tcp + 18, 0, 2);
}

/* UDP's checksum is in the first fragment, if there is one at all. */
static bool has_udp_checksum(const uint8_t *ip)
{
    const uint8_t *udp = ip + NAT_IPV4_HEADER;

    return ip[9] == NAT_UDP && !(get16(ip + 6) & 0x1fff) &&
           get16(ip + 2) >= NAT_IPV4_HEADER + UDP_HEADER && get16(udp + 6);
}

static void set_address(uint8_t *ip, uint8_t *at, uint32_t address)
{
    uint8_t *udp_checksum = ip + NAT_IPV4_HEADER + 6, to[4];

    put32(to, address);
    adjust(ip + 10, at, to, 4);
    if (has_udp_checksum(ip)) {
        adjust(udp_checksum, at, to, 4);
        if (!get16(udp_checksum))
            put16(udp_checksum, 0xffff); /* 0 would say that there is none */
    }
    memcpy(at, to, 4);
}

void nat_set_source(uint8_t *frame, uint32_t address)
{
    uint8_t *ip = frame + ETHERNET_HEADER;

    set_address(ip, ip + 12, address);
}

void nat_set_destination(uint8_t *frame, uint32_t address)
{
    uint8_t *ip = frame + ETHERNET_HEADER;

    set_address(ip, ip + 16, address);
}

size_t nat_build(uint8_t *frame, const struct nat_ipv4 *p)
{
    uint8_t *payload = frame + ETHERNET_HEADER + NAT_IPV4_HEADER;

    build_headers(frame, p, p->len);
    memcpy(payload, p->payload, p->len);
    if (p->protocol == NAT_TCP && p->len >= TCP_HEADER &&
        (payload[13] & NAT_URG))
        clear_urgent(payload);
    return ETHERNET_HEADER + NAT_IPV4_HEADER + p->len;
}

void nat_build_segment(uint8_t frame[NAT_SEGMENT_FRAME],
                       const struct nat_ipv4 *p, const struct nat_transport *t)
{
    uint8_t *tcp = frame + ETHERNET_HEADER + NAT_IPV4_HEADER;
    struct inet_segment s;
    uint16_t sum;

    build_headers(frame, p, TCP_HEADER);
    memset(tcp, 0, TCP_HEADER);
    put16(tcp, t->sport);
    put16(tcp + 2, t->dport);
    put32(tcp + 4, t->seq);
    put32(tcp + 8, t->ack);
    tcp[12] = TCP_HEADER / 4 << 4;
    tcp[13] = t->flags;
    put16(tcp + 14, t->window);
    if (!inet_segment_find(frame, NAT_SEGMENT_FRAME, NAT_SEGMENT_FRAME, &s))
        return; /* cannot be: p is a TCP packet */
    sum = (uint16_t)~inet_sum(s.start, s.len, s.pseudo);
    memcpy(s.field, &sum, 2);
}

/* Turns a frame of ours around: from the gateway, to the guest. */
static void to_guest(uint8_t *frame, const uint8_t mac[6])
{
    memcpy(frame, mac, 6);
    memcpy(frame + 6, gateway_mac, 6);
}

static size_t build_reset(uint8_t *frame, const struct nat_ipv4 *p,
                          const struct nat_transport *t)
{
    struct nat_ipv4 back = *p;
    struct nat_transport reset = { .sport = t->dport, .dport = t->sport };

    if (t->flags & NAT_RST)
        return 0;
    back.src = p->dst;
    back.dst = p->src;
    back.ttl = 255;
    /* RFC 9293, 3.5.2: a reset that the sender of the segment accepts. */
    if (t->flags & NAT_ACK) {
        reset.flags = NAT_RST;
        reset.seq = t->ack;
    } else {
        reset.flags = NAT_RST | NAT_ACK;
        reset.ack = t->seq + (uint32_t)t->data_len + !!(t->flags & NAT_SYN);
    }
    nat_build_segment(frame, &back, &reset);
    to_guest(frame, p->mac);
    return NAT_SEGMENT_FRAME;
}

static size_t build_prohibited(uint8_t *frame, const struct nat_ipv4 *p)
{
    uint8_t *icmp = frame + ETHERNET_HEADER + NAT_IPV4_HEADER;
    const size_t len = ICMP_HEADER + NAT_IPV4_HEADER + 8;
    struct nat_ipv4 back = *p;
    uint8_t quoted[ETHERNET_HEADER + NAT_IPV4_HEADER];
    uint16_t sum;

    build_headers(quoted, p, p->len);
    back.src = NAT_GATEWAY;
    back.dst = p->src;
    back.protocol = NAT_ICMP;
    back.ttl = 255;
    build_headers(frame, &back, len);
    memset(icmp, 0, ICMP_HEADER);
    icmp[0] = 3;  /* unreachable: */
    icmp[1] = 13; /* administratively prohibited */
    memcpy(icmp + 8, quoted + ETHERNET_HEADER, NAT_IPV4_HEADER);
    memcpy(icmp + 8 + NAT_IPV4_HEADER, p->payload, 8);
    sum = (uint16_t)~inet_sum(icmp, len, 0);
    memcpy(icmp + 2, &sum, 2);
    to_guest(frame, p->mac);
    return ETHERNET_HEADER + NAT_IPV4_HEADER + len;
}

size_t nat_build_refusal(uint8_t *frame, const struct nat_ipv4 *p,
                         const struct nat_transport *t)
{
    /* Nobody answers for addresses that cannot be a source of packets. */
    if (p->dst >> 24 == 0 || NAT_IS_LOOPBACK(p->dst) || p->dst >> 28 >= 14 ||
        p->dst == (NAT_NETWORK | 0xff))
        return 0;
    return p->protocol == NAT_TCP ? build_reset(frame, p, t)
                                  : build_prohibited(frame, p);
}

void nat_build_arp_reply(uint8_t frame[NAT_ARP_FRAME], uint32_t address,
                         const uint8_t mac[6])
{
    static const uint8_t reply[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
    uint8_t *arp = frame + ETHERNET_HEADER;

    memcpy(frame, gateway_mac, 6);
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, ETHER_ARP);
    memcpy(arp, reply, sizeof(reply));
    memcpy(arp + 8, mac, 6);
    put32(arp + 14, address);
    memcpy(arp + 18, gateway_mac, 6);
    put32(arp + 24, NAT_GATEWAY);
}
