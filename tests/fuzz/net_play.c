/* See net_play.h. */
#include <string.h>

#include "inet_checksum.h"
#include "tests/fuzz/net_play.h"
#include "tests/unit/net_frame.h"

#define PEERS 8
#define DATA  4096

/* One end of a connection that may be there. */
struct end {
    uint32_t ip;
    uint16_t port, guest_port;
    uint32_t seq, ack, window;
};

static struct end ends[PEERS];
static uint16_t next_port;
static unsigned char query[512]; /* the last question to the name server */
static size_t query_n;
static uint16_t query_port;
static unsigned char dhcp[600]; /* the last message of the DHCP client */
static size_t dhcp_n;
static unsigned char frame[FRAME_BYTES], last[FRAME_BYTES];
static size_t last_n;
static unsigned char data[DATA];

uint32_t net_byte(struct net_bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

uint32_t net_below(struct net_bytes *b, uint32_t n)
{
    uint32_t v = net_byte(b) << 8;

    return (v | net_byte(b)) % n;
}

/* Mostly small, sometimes anything. */
static uint32_t some_number(struct net_bytes *b)
{
    static const uint32_t edges[] = {
        0,     1,          2,          3,          8,      20,
        1459,  1460,       1461,       32767,      65534,  65535,
        65536, 0x7fffffff, 2000,       262144,     262143, 262145,
        536,   0x80000000, 0xfffffffe, 0xffffffff, 65515,  28,
    };
    uint32_t how = net_byte(b);

    if (how < 128)
        return how;
    if (how < 160)
        return edges[how % (sizeof(edges) / sizeof(edges[0]))];
    if (how < 240)
        return net_below(b, 3000);
    return net_below(b, 65536) << 16 | net_below(b, 65536);
}

static void give(struct net_play *p, size_t n)
{
    memcpy(last, frame, n);
    last_n = n;
    p->frames++;
    p->give(frame, n);
}

static void fill(struct net_bytes *b, size_t n)
{
    uint32_t seed = net_byte(b) | 1;

    for (size_t i = 0; i < n && i < DATA; i++)
        data[i] = (unsigned char)(seed *= 33);
}

static struct end *some_end(struct net_bytes *b)
{
    return &ends[net_byte(b) % PEERS];
}

/* ---- TCP ---- */

/* An edge of what the guest has sent, or nearly: for SACK. */
static void put_edge(struct net_bytes *b, const struct end *e,
                     unsigned char *out)
{
    uint32_t at = e->ack + net_below(b, 8) * 1460;

    at += net_below(b, 16) ? 0 : 1;
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(at >> (24 - 8 * i));
}

static size_t some_options(struct net_bytes *b, const struct end *e,
                           unsigned char *out)
{
    static const unsigned char known[][4] = {
        { 2, 4, 5, 0xb4 }, { 2, 4, 0, 1 },       { 1, 3, 3, 7 },
        { 1, 3, 3, 15 },   { 4, 2, 1, 1 },       { 1, 1, 5, 10 },
        { 2, 4, 0, 0 },    { 2, 4, 0xff, 0xff }, { 8, 10, 0, 0 },
        { 2, 0, 0, 0 },    { 3, 1, 4, 9 },       { 0, 0, 0, 0 },
    };
    size_t n = net_byte(b) % 16;

    if (n > 10)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t which = net_byte(b);

        if (which < 200)
            memcpy(out + 4 * i, known[which % 12], 4);
        else if (which < 230)
            put_edge(b, e, out + 4 * i);
        else
            for (int k = 0; k < 4; k++)
                out[4 * i + (size_t)k] = (unsigned char)net_byte(b);
    }
    return 4 * n;
}

static void give_tcp(struct net_play *p, struct net_bytes *b, struct end *e,
                     uint8_t flags, uint32_t ahead, uint32_t ack_ahead,
                     size_t n, bool options)
{
    unsigned char opts[40];
    struct frame_tcp t = {
        .src = e->ip,
        .dst = p->guest,
        .sport = e->port,
        .dport = e->guest_port,
        .seq = e->seq + ahead,
        .ack = e->ack + ack_ahead,
        .flags = flags,
        .window = (uint16_t)e->window,
        .options = opts,
        .data = data,
        .n = n < DATA ? n : DATA,
    };

    if (options)
        t.options_n = some_options(b, e, opts);
    fill(b, t.n);
    give(p, frame_make_tcp(&t, frame));
}

static void tcp_begin(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);

    e->ip = p->server + 8 + net_byte(b) % 4;
    e->port = next_port++;
    e->guest_port = net_byte(b) % 8 ? 80 : 81;
    e->seq = some_number(b);
    e->ack = 0;
    e->window = some_number(b);
    give_tcp(p, b, e, FRAME_SYN, 0, 0, 0, true);
    e->seq++;
}

static void tcp_data(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);
    uint32_t n = 1 + net_below(b, 1460);
    uint8_t flags = FRAME_ACK | FRAME_PSH;

    if (net_byte(b) < 20)
        flags |= FRAME_FIN;
    give_tcp(p, b, e, flags, 0, 0, n, false);
    e->seq += n + (flags & FRAME_FIN);
}

static void tcp_ahead(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);
    uint8_t flags = FRAME_ACK;
    uint32_t ahead = some_number(b);

    if (net_byte(b) < 30)
        flags |= FRAME_FIN;
    give_tcp(p, b, e, flags, ahead, 0, some_number(b) % DATA, false);
}

/* Single bytes with gaps, or single bytes from behind. */
static void tcp_crumbs(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);
    uint32_t n = net_byte(b) % 64, step = 1 + net_byte(b) % 4;

    for (uint32_t i = n; i > 0; i--)
        give_tcp(p, b, e, FRAME_ACK, i * step, 0, 1, false);
}

static void tcp_ack(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);

    if (net_byte(b) < 60)
        e->window = some_number(b);
    give_tcp(p, b, e, FRAME_ACK, 0, net_byte(b) < 200 ? 0 : some_number(b), 0,
             false);
}

static void tcp_end(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);

    give_tcp(p, b, e, FRAME_FIN | FRAME_ACK, 0, 0, 0, false);
    e->seq++;
}

static void tcp_anything(struct net_play *p, struct net_bytes *b)
{
    struct end *e = some_end(b);
    uint8_t flags = (uint8_t)net_byte(b);
    uint32_t ahead = some_number(b), ack_ahead = some_number(b);

    if (net_byte(b) & 1)
        ahead = -ahead;
    if (net_byte(b) & 1)
        ack_ahead = -ack_ahead;
    give_tcp(p, b, e, flags, ahead, ack_ahead, some_number(b) % DATA, true);
}

static void tcp_reset(struct net_play *p, struct net_bytes *b)
{
    give_tcp(p, b, some_end(b), FRAME_RST, net_byte(b) < 128 ? 0 : 1, 0, 0,
             false);
}

/* ---- UDP, DNS, DHCP ---- */

static void udp_anything(struct net_play *p, struct net_bytes *b)
{
    static const uint16_t ports[] = { 7, 7, 7, 53, 67, 68, 9, 0 };
    uint16_t from = ports[net_byte(b) % 8], to = ports[net_byte(b) % 8];
    size_t n = some_number(b) % DATA;

    fill(b, n);
    give(p, frame_make_udp(p->server + 9, from, p->guest, to, data, n, frame));
}

/* Changes some bytes. */
static void spoil(struct net_bytes *b, unsigned char *at, size_t n)
{
    for (uint32_t times = net_byte(b) % 6; n && times > 0; times--)
        at[net_below(b, (uint32_t)n)] = (unsigned char)net_byte(b);
}

static void dns_answer(struct net_play *p, struct net_bytes *b)
{
    static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0,
                                            0,    60, 0, 4, 7, 7, 7, 7 };
    size_t n = query_n;

    if (!n)
        return;
    memcpy(data, query, n);
    data[2] |= 0x80;
    data[7] = (unsigned char)(net_byte(b) % 8);
    for (int i = 0; i < data[7]; i++, n += sizeof(record))
        memcpy(data + n, record, sizeof(record));
    spoil(b, data + 2, n - 2);
    n -= net_byte(b) < 30 ? net_below(b, (uint32_t)n) : 0;
    give(p,
         frame_make_udp(p->server, 53, p->guest, query_port, data, n, frame));
}

static void dhcp_answer(struct net_play *p, struct net_bytes *b)
{
    static const unsigned char kinds[] = { 2, 5, 6, 1 };
    static const unsigned char options[] = {
        99, 130, 83, 99, 53,  1,   5,   54, 4,  10, 9,  0, 1, 51, 4,  0,   0,
        1,  0,   1,  4,  255, 255, 255, 0,  3,  4,  10, 9, 0, 1,  6,  4,   10,
        9,  0,   1,  58, 4,   0,   0,   0,  60, 59, 4,  0, 0, 0,  90, 255,
    };
    size_t n = 236 + sizeof(options);

    if (dhcp_n < 236)
        return;
    memcpy(data, dhcp, 236);
    data[0] = 2;
    data[16] = (unsigned char)(p->guest >> 24);
    data[17] = (unsigned char)(p->guest >> 16);
    data[18] = (unsigned char)(p->guest >> 8);
    data[19] = (unsigned char)p->guest;
    memcpy(data + 236, options, sizeof(options));
    data[242] = kinds[net_byte(b) % 4];
    spoil(b, data + 236, sizeof(options));
    if (net_byte(b) < 40)
        spoil(b, data, n);
    if (net_byte(b) < 30)
        n -= net_below(b, (uint32_t)n);
    give(p, frame_make_udp(p->server, 67, p->guest, 68, data, n, frame));
}

/* ---- IP, ICMP, ARP, Ethernet ---- */

static void ip_fragments(struct net_play *p, struct net_bytes *b)
{
    struct frame_ip ip = {
        .src = p->server + 9,
        .dst = p->guest,
        .id = (uint16_t)(net_byte(b) % 8),
        .proto = net_byte(b) & 1 ? INET_UDP : 1,
    };
    uint32_t at = net_byte(b) < 128 ? 0 : some_number(b) % 65536 & ~7u;

    for (uint32_t k = 1 + net_byte(b) % 8; k > 0; k--) {
        size_t n = some_number(b) % 1481 & ~7u;
        bool more = net_byte(b) < 180;

        if (!more)
            n += net_byte(b) % 8;
        fill(b, n);
        if (at == 0 && n >= 8 && ip.proto == INET_UDP)
            memcpy(data, "\0\7\0\7\0\0\0\0", 8);
        ip.frag = (uint16_t)(at / 8 | (more ? 0x2000 : 0));
        give(p, frame_make_ip(&ip, data, n, frame));
        at = net_byte(b) < 200 ? at + (uint32_t)n : some_number(b) & 0xfff8;
        at &= 0xfff8;
    }
}

static void ip_anything(struct net_play *p, struct net_bytes *b)
{
    static const uint8_t protos[] = { 1, 2, 6, 17, 41, 99 };
    struct frame_ip ip = {
        .src = net_byte(b) < 200 ? p->server + 9 : some_number(b),
        .dst = net_byte(b) < 230 ? p->guest : some_number(b),
        .id = (uint16_t)net_byte(b),
        .frag = (uint16_t)(net_byte(b) < 20 ? net_below(b, 65536) : 0),
        .proto = protos[net_byte(b) % 6],
    };
    size_t n = some_number(b) % 1480;

    fill(b, n);
    give(p, frame_make_ip(&ip, data, n, frame));
}

static void icmp_echo(struct net_play *p, struct net_bytes *b)
{
    struct frame_ip ip = {
        .src = p->server + 9, .dst = p->guest, .id = 1, .proto = 1
    };
    size_t n = 8 + some_number(b) % 1400;
    uint16_t sum;

    fill(b, n);
    data[0] = net_byte(b) < 200 ? 8 : (unsigned char)net_byte(b);
    data[1] = data[2] = data[3] = 0;
    sum = (uint16_t)~inet_sum(data, n, 0);
    memcpy(data + 2, &sum, 2);
    give(p, frame_make_ip(&ip, data, n, frame));
}

static void put32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void arp_anything(struct net_play *p, struct net_bytes *b)
{
    static const unsigned char head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0 };
    static const unsigned char mac[] = FRAME_GUEST_MAC;

    memset(frame, 0xff, 6);
    if (net_byte(b) & 1)
        memcpy(frame, mac, 6);
    memset(frame + 6, 2, 6);
    memcpy(frame + 12, head, sizeof(head));
    frame[21] = (unsigned char)(1 + net_byte(b) % 3);
    memset(frame + 22, 2, 6);
    put32(frame + 28, p->server + net_byte(b));
    memset(frame + 32, 0, 6);
    put32(frame + 38, net_byte(b) < 200 ? p->guest : some_number(b));
    spoil(b, frame + 12, 30);
    give(p, FRAME_ARP);
}

/* Makes IP's checksum right again, and that of TCP or UDP, if they fit. */
static void mend(unsigned char *f, size_t n)
{
    unsigned char *h = f + ETHERNET_HEADER;
    size_t head = (size_t)(h[0] & 15) * 4, at;
    uint16_t sum;

    if (n < ETHERNET_HEADER + 20 || head < 20 || n < ETHERNET_HEADER + head)
        return;
    h[10] = h[11] = 0;
    sum = (uint16_t)~inet_sum(h, head, 0);
    memcpy(h + 10, &sum, 2);
    at = h[9] == INET_TCP ? 16 : h[9] == INET_UDP ? 6 : 0;
    if (!at || n < ETHERNET_HEADER + head + at + 2)
        return;
    h[head + at] = h[head + at + 1] = 0;
    n -= ETHERNET_HEADER + head;
    sum = frame_checksum((uint32_t)h[12] << 24 | (uint32_t)h[13] << 16 |
                             (uint32_t)h[14] << 8 | h[15],
                         (uint32_t)h[16] << 24 | (uint32_t)h[17] << 16 |
                             (uint32_t)h[18] << 8 | h[19],
                         h[9], h + head, n);
    memcpy(h + head + at, &sum, 2);
}

/* The last frame once more, with some bytes changed, shorter or longer. */
static void last_spoiled(struct net_play *p, struct net_bytes *b)
{
    size_t n = last_n;

    if (!n)
        return;
    memcpy(frame, last, n);
    spoil(b, frame + 12, n < 80 ? n - 12 : 68);
    if (net_byte(b) < 60)
        n = 1 + net_below(b, (uint32_t)n);
    else if (net_byte(b) < 20 && n < 2000)
        memset(frame + n, 0, 64), n += 64;
    if (net_byte(b) < 220)
        mend(frame, n);
    give(p, n);
}

static void raw(struct net_play *p, struct net_bytes *b)
{
    size_t n = 1 + net_byte(b) % 100;

    for (size_t i = 0; i < n; i++)
        frame[i] = (unsigned char)net_byte(b);
    if (n > 14 && net_byte(b) < 200)
        memcpy(frame + 12, "\x08\x00\x45", n > 15 ? 3 : 2);
    give(p, n);
}

typedef void step_fn(struct net_play *p, struct net_bytes *b);

/* What happens often stands there often. */
static step_fn *const steps[] = {
    tcp_begin,    tcp_begin,    tcp_data,     tcp_data,     tcp_data,
    tcp_ahead,    tcp_ahead,    tcp_ack,      tcp_ack,      tcp_ack,
    tcp_anything, tcp_anything, tcp_crumbs,   tcp_end,      tcp_reset,
    udp_anything, dns_answer,   dhcp_answer,  ip_fragments, ip_anything,
    icmp_echo,    arp_anything, last_spoiled, last_spoiled, raw,
};

void net_play_step(struct net_play *p, struct net_bytes *b)
{
    steps[net_byte(b) % (sizeof(steps) / sizeof(steps[0]))](p, b);
}

void net_play_reset(struct net_play *p)
{
    memset(ends, 0, sizeof(ends));
    for (uint32_t i = 0; i < PEERS; i++)
        ends[i] = (struct end){ .ip = p->server + 8, .guest_port = 80 };
    next_port = 20000;
    query_n = dhcp_n = last_n = 0;
}

/* ---- what the guest says ---- */

static void saw_tcp(const struct frame_tcp *t)
{
    for (int i = 0; i < PEERS; i++) {
        struct end *e = &ends[i];

        if (e->ip != t->dst || e->port != t->dport || e->guest_port != t->sport)
            continue;
        if (t->flags & FRAME_SYN)
            e->ack = t->seq + 1;
        else if (t->seq == e->ack)
            e->ack += (uint32_t)t->n + (t->flags & FRAME_FIN);
        return;
    }
    /* The guest connects. */
    if (t->flags == FRAME_SYN)
        ends[t->sport % PEERS] = (struct end){ .ip = t->dst,
                                               .port = t->dport,
                                               .guest_port = t->sport,
                                               .seq = 7,
                                               .ack = t->seq + 1,
                                               .window = 8000 };
}

void net_play_saw(struct net_play *p, const unsigned char *f, size_t n)
{
    const unsigned char *payload;
    uint16_t sport, dport;
    struct frame_tcp t;
    size_t len;

    (void)p;
    if (frame_read_tcp(f, n, &t)) {
        saw_tcp(&t);
        return;
    }
    if (!frame_read_udp(f, n, &sport, &dport, &payload, &len))
        return;
    if (dport == 53 && len <= sizeof(query)) {
        memcpy(query, payload, len);
        query_n = len;
        query_port = sport;
    } else if (dport == 67 && len <= sizeof(dhcp)) {
        memcpy(dhcp, payload, len);
        dhcp_n = len;
    }
}
