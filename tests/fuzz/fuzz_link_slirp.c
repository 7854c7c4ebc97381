/*
 * Frames of a hostile guest through our checks into the real libslirp, in a
 * network namespace without a route: nothing leaves it. libslirp must not die,
 * what it holds stays within its bounds, and nothing of the host's loopback is
 * reached.
 *
 * The input is a program: each step a byte that says what to send and a few
 * bytes that it is made of. Sequence numbers, ports and answers are those of a
 * guest that has a few connections, so that libslirp's states are reached.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "nat_guest.h"

#define PORTS     4
#define STEPS_MAX 400
#define FILES     160 /* so that few flows are too many */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ---- */

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned int take(struct input *in)
{
    if (!in->size)
        return 0;
    in->size--;
    return *in->data++;
}

static uint32_t take32(struct input *in)
{
    uint32_t v = take(in);

    v = v << 8 | take(in);
    v = v << 8 | take(in);
    return v << 8 | take(in);
}

/* ---- the host ---- */

static int tcp_listener, udp_socket, asker;
static uint16_t tcp_port, udp_port, forwarded_port;

/* All that came is from addresses that may be reached; it is answered, so that
 * libslirp has something to do, or thrown away. */
static void host_answers(unsigned int how)
{
    static char data[70000];
    struct sockaddr_in to = { .sin_family = AF_INET }, from;
    socklen_t n = sizeof(to), m = sizeof(from);
    int c;

    while ((c = accept(tcp_listener, (struct sockaddr *)&from, &m)) >= 0) {
        n = sizeof(to);
        if (getsockname(c, (struct sockaddr *)&to, &n) == 0)
            assert(ntohl(to.sin_addr.s_addr) >> 24 != 127);
        (void)!send(c, data, how % 4 * 20000, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (how & 4)
            (void)!recv(c, data, sizeof(data), MSG_DONTWAIT);
        close(c); /* resets it if not all was read */
    }
    m = sizeof(from);
    while (recvfrom(udp_socket, data, sizeof(data), MSG_DONTWAIT,
                    (struct sockaddr *)&from, &m) >= 0) {
        assert(ntohl(from.sin_addr.s_addr) >> 24 != 127);
        (void)!sendto(udp_socket, data, how * 5, MSG_DONTWAIT,
                      (struct sockaddr *)&from, sizeof(from));
        m = sizeof(from);
    }
}

/* ---- the guest ---- */

static const uint32_t places[] = {
    HOST_ADDRESS, HOST_ADDRESS, NAT_GATEWAY, NAT_NAMESERVER, 0x7f000001, 0,
    UINT32_MAX,   0xa9fea9fe,
};

static uint32_t place(unsigned int n)
{
    return places[n % (sizeof(places) / sizeof(places[0]))];
}

static struct nat_guest g;

/* The next segment of one of a few connections. */
static struct nat_transport connection[PORTS];

static void send_tcp(struct input *in)
{
    static uint8_t data[20000];
    unsigned int which = take(in), how = take(in), flags = take(in);
    struct nat_transport *c = &connection[which % PORTS];
    struct nat_transport t;
    size_t n = how & 1 ? take(in) * 50 : 0;

    g.port = c->sport;
    if (flags == 0) { /* as it should begin */
        c->seq = take32(in);
        flags = NAT_SYN;
    }
    t = *c;
    t.flags = (uint8_t)flags;
    if (how & 2)
        t.seq += take(in) << (how >> 4);
    if (how & 4)
        t.ack += take(in) << (how >> 4);
    if (how & 8)
        t.window = (uint16_t)take32(in);
    nat_guest_tcp(&g, place(which / PORTS), &t, (uint16_t)(how << 4), data, n);
    c->seq = t.seq + (uint32_t)n + !!(t.flags & (NAT_SYN | NAT_FIN));
    if (g.segments)
        c->ack = g.got.seq + (uint32_t)g.got.data_len +
                 !!(g.got.flags & (NAT_SYN | NAT_FIN));
    g.segments = 0;
}

static void send_udp(struct input *in)
{
    static uint8_t data[255 * 255];
    unsigned int where = take(in), size = take(in), sport = take(in);
    uint16_t port = sport & 1 ? (uint16_t)(take(in) + 1) : udp_port;

    nat_guest_udp(&g, (uint16_t)(1000 + sport), place(where), port, data,
                  size * size);
}

static void send_fragment(struct input *in)
{
    static uint8_t frame[2000], data[1500];
    unsigned int where = take(in), size = take(in), protocol = take(in);
    uint16_t field = (uint16_t)(take(in) << 8);

    field |= (uint16_t)take(in);
    g.ip_id = (uint16_t)(protocol >> 4);
    memset(data, (int)size, sizeof(data));
    nat_guest_send(&g, frame,
                   frame_ipv4(&g, frame, place(where),
                              protocol & 1 ? NAT_UDP : NAT_TCP, field, data,
                              size * 5));
}

static void send_pieces(struct input *in)
{
    static uint8_t data[255 * 255];
    unsigned int where = take(in), size = take(in), piece = take(in);

    nat_guest_udp_pieces(&g, 3000, place(where), udp_port, data, size * size,
                         (piece / 2 + 1) * 32, piece & 1);
}

/* A DHCP request, more or less. */
static void send_dhcp(struct input *in)
{
    static const uint8_t begin[] = { 1, 1, 6 };
    uint8_t bootp[600];
    size_t n = 230 + take(in);

    memset(bootp, 0, sizeof(bootp));
    memcpy(bootp, begin, 3);
    memcpy(bootp + 28, "\x00\x16\x3e\x01\x02\x03", 6);
    memcpy(bootp + 236, "\x63\x82\x53\x63", 4);
    for (size_t i = 240; i < n; i++)
        bootp[i] = (uint8_t)take(in);
    bootp[28] = (uint8_t)take(in);
    g.address = take(in) & 1 ? NAT_GUEST : 0;
    nat_guest_udp(&g, 68, UINT32_MAX, 67, bootp, n);
    g.address = NAT_GUEST;
}

/* Any bytes, of any kind of frame. */
static void send_bytes(struct input *in)
{
    static const uint8_t zeros[600];
    uint8_t frame[600];
    size_t n = LINK_HEADER + take(in), m = n;
    unsigned int how = take(in);

    memset(frame, 0, sizeof(frame));
    if (how & 1) /* a valid IPv4 header, with anything behind it */
        m = frame_ipv4(&g, frame, place(how >> 4), (uint8_t)take(in), 0, zeros,
                       n);
    for (size_t i = how & 1 ? ETH + IP4 : 0; i < m && in->size; i++)
        frame[i] = (uint8_t)take(in);
    nat_guest_send(&g, frame, m);
}

static void send_arp(struct input *in)
{
    uint8_t frame[NAT_ARP_FRAME];
    uint32_t address = take(in) & 1 ? NAT_NETWORK | take(in) : take32(in);

    nat_build_arp_reply(frame, address,
                        (const uint8_t *)"\x00\x16\x3e\x01\x02\x03");
    frame[21] = (uint8_t)(take(in) & 3);
    frame[41] = (uint8_t)take(in);
    nat_guest_send(&g, frame, sizeof(frame));
}

/* More flows than there may be. */
static void many(struct input *in)
{
    unsigned int first = take(in) << 8, n = take(in) % 64;
    bool tcp = take(in) & 1;

    for (unsigned int i = first; i < first + n; i++) {
        struct nat_transport t = { .sport = (uint16_t)(i | 1),
                                   .dport = tcp_port,
                                   .seq = i,
                                   .flags = NAT_SYN,
                                   .window = 1000 };

        if (tcp)
            nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, NULL, 0);
        else
            nat_guest_udp(&g, (uint16_t)i, HOST_ADDRESS, udp_port, "x", 1);
    }
}

/* A client in the host's loopback network asks, and the guest answers, more or
 * less: from some port, to some port. */
static void client_asks(struct input *in)
{
    static char data[255 * 100];
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(forwarded_port) };
    unsigned int n = take(in), how = take(in);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)!sendto(asker, data, n * 100, MSG_DONTWAIT, (struct sockaddr *)&to,
                  sizeof(to));
    nat_guest_settle(&g);
    if (g.datagrams)
        nat_guest_udp(&g, (uint16_t)(7 + (how & 1)), g.asker,
                      (uint16_t)(how & 6 ? g.asker_port : take(in)), data,
                      how & 8 ? n * 100 : n);
    nat_guest_settle(&g);
    while (recv(asker, data, sizeof(data), MSG_DONTWAIT) >= 0)
        continue;
}

static void settle(struct input *in)
{
    unsigned int how = take(in);

    nat_guest_settle(&g);
    host_answers(how);
    nat_guest_settle(&g);
    if (how >= 224)
        client_asks(in);
}

static void other_address(struct input *in)
{
    g.address = NAT_NETWORK | take(in);
}

static void (*const steps[])(struct input *) = {
    send_tcp,      send_tcp, send_tcp,    send_tcp,      send_udp,
    send_fragment, settle,   send_dhcp,   send_bytes,    send_arp,
    many,          settle,   send_pieces, other_address,
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void check(void)
{
    struct link_stats s;

    g.link->ops->get_stats(g.link, &s);
    assert(s.flows <= FILES / 2);
}

static bool begin(void)
{
    static int ready;
    struct rlimit r = { FILES, FILES };
    uint16_t asker_port;

    if (ready)
        return ready > 0;
    if (netns_enter()) {
        fputs("fuzz_link_slirp: no network namespaces here\n", stderr);
        ready = -1;
        return false;
    }
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > FILES)
        r.rlim_cur = FILES;
    setrlimit(RLIMIT_NOFILE, &r);
    tcp_listener = host_socket(false, 64, &tcp_port);
    udp_socket = host_socket(true, 0, &udp_port);
    asker = host_socket(true, 0, &asker_port);
    close(host_socket(true, 0, &forwarded_port));
    ready = 1;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link_config config = { .mtu = LINK_MTU_MAX, .n_forwards = 1 };
    struct input in = { data, size };

    if (!begin())
        return 0;
    config.mtu = take(&in) & 1 ? 1500 : LINK_MTU_MAX;
    config.forwards[0].udp = true;
    config.forwards[0].host_port = forwarded_port;
    config.forwards[0].guest_port = 7;
    nat_guest_start(&g, &config);
    for (unsigned int i = 0; i < PORTS; i++)
        connection[i] = (struct nat_transport){ .sport = (uint16_t)(2000 + i),
                                                .dport = tcp_port,
                                                .window = 60000 };
    for (unsigned int i = 0; i < STEPS_MAX && in.size; i++) {
        steps[take(&in) % STEPS](&in);
        check();
    }
    settle(&in);
    nat_guest_stop(&g);
    host_answers(0);
    return 0;
}
