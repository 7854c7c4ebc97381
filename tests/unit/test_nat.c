/*
 * What a hostile guest sends into its NAT network: it ends nothing, reaches
 * only what it may, and gets a bounded share of the driver domain. Runs in a
 * network namespace of its own, without a route.
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "nat_clients.h"
#include "nat_guest.h"
#include "nat_bounds.h"

static struct nat_guest g;
static bool enough_descriptors;

static int setup(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX };

    (void)state;
    nat_guest_start(&g, &config);
    return 0;
}

static int setup_loopback(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX, .host_loopback = true };

    (void)state;
    nat_guest_start(&g, &config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nat_guest_stop(&g);
    return 0;
}

static struct link_stats stats(void)
{
    struct link_stats s;

    g.link->ops->get_stats(g.link, &s);
    return s;
}

/* Did exactly these bytes arrive, as one datagram? */
static bool arrived(int s, const void *data, size_t n)
{
    static char buf[65536];
    ssize_t got;

    nat_guest_settle(&g);
    got = recv(s, buf, sizeof(buf), 0);
    return got == (ssize_t)n && memcmp(buf, data, n) == 0 &&
           recv(s, buf, sizeof(buf), 0) < 0;
}

/* The link works: a datagram reaches the host. */
static void assert_alive(void)
{
    uint16_t port;
    int s = host_socket(true, 0, &port);

    nat_guest_udp(&g, 60000, HOST_ADDRESS, port, "alive", 5);
    assert_true(arrived(s, "alive", 5));
    close(s);
}

/* ---- fragments ---- */

/* 42 bytes, of which libslirp alone dies. */
static void test_last_fragment_first(void **state)
{
    uint8_t frame[60], payload[8] = { 0 };

    (void)state;
    for (g.ip_id = 1; g.ip_id < 50; g.ip_id++)
        nat_guest_send(&g, frame,
                       frame_ipv4(&g, frame, NAT_GATEWAY, NAT_UDP, 1, payload,
                                  sizeof(payload)));
    nat_guest_settle(&g);
    assert_alive();
}

static void test_fragments_arrive(void **state)
{
    static char data[65000];
    uint16_t port;
    int s = host_socket(true, 0, &port);
    int room = 1 << 20;

    (void)state;
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 >> 3);
    for (size_t n = 100; n <= sizeof(data); n = n * 3 - 1) {
        for (size_t piece = 8; piece <= 4096; piece *= 8) {
            nat_guest_udp_pieces(&g, 4000, HOST_ADDRESS, port, data, n, piece,
                                 false);
            assert_true(arrived(s, data, n));
            nat_guest_udp_pieces(&g, 4000, HOST_ADDRESS, port, data, n, piece,
                                 true);
            assert_true(arrived(s, data, n));
        }
    }
    nat_guest_udp_pieces(&g, 4000, HOST_ADDRESS, port, data, sizeof(data), 1480,
                         true);
    assert_true(arrived(s, data, sizeof(data)));
    close(s);
}

/* ---- destinations ---- */

static const struct {
    uint32_t address;
    bool reached;
} places[] = {
    { 0x00000000, false }, /* 0.0.0.0 */
    { 0x00000001, false }, { 0x00ffffff, false },
    { 0x0a000001, true },  /* 10.0.0.1 */
    { 0x0a000200, false }, /* the guest's own network */
    { 0x0a000202, false }, /* gateway */
    { 0x0a000203, false }, /* name server: port 53 only */
    { 0x0a000204, false }, { 0x0a0002ff, false },
    { 0x0a090001, true },  { 0x64400001, true },  /* 100.64.0.1 */
    { 0x7f000001, false },                        /* 127.0.0.1 */
    { 0x7f000035, false },                        /* 127.0.0.53 */
    { 0x7fffffff, false }, { 0xa9fea9fe, false }, /* 169.254.169.254 */
    { 0xac100001, true },                         /* 172.16.0.1 */
    { 0xc0000001, false },                        /* 192.0.0.1 */
    { 0xc0000201, false },                        /* 192.0.2.1 */
    { 0xc0586301, false },                        /* 192.88.99.1 */
    { 0xc0a80001, true },                         /* 192.168.0.1 */
    { 0xc6120001, true },                         /* 198.18.0.1 */
    { 0xc6336401, false },                        /* 198.51.100.1 */
    { 0xcb007101, false },                        /* 203.0.113.1 */
    { 0x08080808, true },                         /* 8.8.8.8 */
    { 0xdffffffe, true },                         /* 223.255.255.254 */
    { 0xe0000001, false },                        /* 224.0.0.1 */
    { 0xeffffffa, false },                        /* 239.255.255.250 */
    { 0xf0000001, false },                        /* 240.0.0.1 */
    { 0xffffffff, false },                        /* 255.255.255.255 */
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* All of them are addresses of this host, as far as Linux takes them. */
static void own_places(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t a = places[i].address;

        if (a >> 24 && a >> 24 != 127 && a >> 28 < 14 && a != HOST_ADDRESS)
            netns_add_address(a);
    }
}

/* Accepts and closes what has come; how many that were. */
static unsigned int accept_all(int listener)
{
    unsigned int n = 0;
    int s;

    nat_guest_settle(&g);
    for (; (s = accept(listener, NULL, NULL)) >= 0; n++)
        close(s);
    return n;
}

static unsigned int receive_all(int s)
{
    unsigned int n = 0;
    char c[8];

    nat_guest_settle(&g);
    while (recv(s, c, sizeof(c), 0) >= 0)
        n++;
    return n;
}

static void check_place(uint32_t address, bool reached, int tcp, int udp,
                        uint16_t tcp_port, uint16_t udp_port)
{
    struct nat_transport t = { .sport = 5000,
                               .dport = tcp_port,
                               .seq = 1,
                               .flags = NAT_SYN,
                               .window = 60000 };
    char data[40] = "datagram";
    unsigned int pings = g.pings;
    bool self =
        address == NAT_GATEWAY || address == NAT_NAMESERVER; /* answer pings */

    nat_guest_tcp(&g, address, &t, 0, NULL, 0);
    assert_int_equal(accept_all(tcp), reached);
    nat_guest_udp(&g, 5001, address, udp_port, data, sizeof(data));
    assert_int_equal(receive_all(udp), reached);
    nat_guest_udp_pieces(&g, 5002, address, udp_port, data, sizeof(data), 16,
                         false);
    assert_int_equal(receive_all(udp), reached);
    nat_guest_ping(&g, address);
    if (reached || self) {
        assert_true(nat_guest_wait(&g, &g.pings, pings));
    } else {
        nat_guest_settle(&g);
        assert_int_equal(g.pings, pings);
    }
}

static void test_destinations(void **state)
{
    uint16_t tcp_port, udp_port;
    int tcp = host_socket(false, 8, &tcp_port);
    int udp = host_socket(true, 0, &udp_port);

    (void)state;
    for (size_t i = 0; i < PLACES; i++)
        check_place(places[i].address, places[i].reached, tcp, udp, tcp_port,
                    udp_port);
    close(tcp);
    close(udp);
}

/* host-loopback=1 opens the gateway's address and nothing else. */
static void test_host_loopback(void **state)
{
    uint16_t tcp_port, udp_port;
    int tcp = host_socket(false, 8, &tcp_port);
    int udp = host_socket(true, 0, &udp_port);

    (void)state;
    for (size_t i = 0; i < PLACES; i++)
        check_place(places[i].address,
                    places[i].reached || places[i].address == NAT_GATEWAY, tcp,
                    udp, tcp_port, udp_port);
    close(tcp);
    close(udp);
}

/* The sender must be an address of the guest's own network. */
static void test_sources(void **state)
{
    static const struct {
        uint32_t address;
        bool passes;
    } sources[] = {
        { NAT_GUEST, true },   { 0x0a000263, true },  { NAT_GATEWAY, false },
        { 0x0a0002ff, false }, { 0x0a000200, false }, { NAT_NAMESERVER, false },
        { 0x7f000001, false }, { 0, false },          { HOST_ADDRESS, false },
        { 0xe0000001, false }, { UINT32_MAX, false },
    };
    uint16_t port;
    int s = host_socket(true, 0, &port);

    (void)state;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        g.address = sources[i].address;
        nat_guest_udp(&g, 5000, HOST_ADDRESS, port, "x", 1);
        assert_int_equal(receive_all(s), sources[i].passes);
        nat_guest_udp_pieces(&g, 5000, HOST_ADDRESS, port, "0123456789", 10, 8,
                             false);
        assert_int_equal(receive_all(s), sources[i].passes);
    }
    close(s);
}

/* ---- bounds ---- */

/* 1,200 connections, each opened and left alone. */
static void test_many_connections(void **state)
{
    struct nat_transport t, first;
    uint16_t port;
    int listener, accepted[1200];
    unsigned int before, resets, most = 0;

    (void)state;
    if (!enough_descriptors)
        skip();
    listener = host_socket(false, 1000, &port);
    before = descriptors();
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &first));
    accepted[0] = accept(listener, NULL, NULL);
    resets = g.resets;
    for (int i = 1; i < 1200; i++) {
        if (!nat_guest_connect(&g, (uint16_t)(1000 + i), HOST_ADDRESS, port,
                               &t))
            fail_msg("connection %d", i);
        accepted[i] = accept(listener, NULL, NULL);
        assert_true(accepted[i] >= 0);
        if (i >= 600)
            close(accepted[i]);
        if (i % 100 == 0 && descriptors() - before > most)
            most = descriptors() - before;
    }
    assert_true(most <= NAT_CONNECTIONS_MAX + 600 + 1);
    assert_true(stats().flows <= NAT_CONNECTIONS_MAX);
    assert_true(stats().flows_evicted >= 1200 - NAT_CONNECTIONS_MAX);
    assert_int_equal(stats().flows_refused, 0);
    /* The guest has heard of each, and the oldest is gone. */
    assert_true(g.resets - resets >= 1200 - NAT_CONNECTIONS_MAX);
    resets = g.resets;
    nat_guest_tcp(&g, HOST_ADDRESS, &first, 0, "x", 1);
    assert_true(nat_guest_wait(&g, &g.resets, resets));
    /* The newest works. */
    accepted[0] = accepted[599];
    assert_true(nat_guest_connect(&g, 999, HOST_ADDRESS, port, &t));
    accepted[1] = accept(listener, NULL, NULL);
    nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, "hello", 5);
    nat_guest_settle(&g);
    {
        char buf[8];

        assert_int_equal(recv(accepted[1], buf, sizeof(buf), 0), 5);
    }
    close(accepted[1]);
    for (int i = 2; i < 600; i++)
        close(accepted[i]);
    close(listener);
}

/* Connections that are never answered: libslirp ignores resets of these. */
static void test_connecting(void **state)
{
    struct nat_transport t = { .flags = NAT_SYN, .window = 60000 };
    struct sockaddr_in a = { .sin_family = AF_INET };
    uint16_t port;
    int listener = host_socket(false, 0, &port);
    int full[4];

    (void)state;
    if (!enough_descriptors)
        skip();
    a.sin_addr.s_addr = htonl(HOST_ADDRESS);
    a.sin_port = htons(port);
    for (int i = 0; i < 4; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(full[i], (struct sockaddr *)&a, sizeof(a));
    }
    for (int i = 0; i < 700; i++) {
        t.sport = (uint16_t)(2000 + i);
        t.dport = port;
        t.seq = (uint32_t)random();
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, NULL, 0);
        if (i % 64 == 0)
            nat_guest_settle(&g);
        assert_true(stats().flows <= NAT_CONNECTIONS_MAX);
    }
    assert_int_equal(stats().flows, NAT_CONNECTIONS_MAX);
    assert_int_equal(stats().flows_refused, 0);
    for (int i = 0; i < 4; i++)
        close(full[i]);
    close(listener);
    assert_alive();
}

/* Connections that the guest asks for and never completes. */
static void test_half_open(void **state)
{
    struct nat_transport t = { .flags = NAT_SYN, .window = 60000 };
    uint16_t port;
    int listener = host_socket(false, 64, &port);

    (void)state;
    if (!enough_descriptors)
        skip();
    for (int i = 0; i < 700; i++) {
        t.sport = (uint16_t)(2000 + i);
        t.dport = port;
        t.seq = (uint32_t)random();
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, NULL, 0);
        if (i % 16 == 0)
            accept_all(listener);
        assert_true(stats().flows <= NAT_CONNECTIONS_MAX);
    }
    assert_int_equal(stats().flows_refused, 0);
    close(listener);
    assert_alive();
}

/* Short connections at a high rate; libslirp keeps each for 10 s (TIME_WAIT).
 */
static void test_short_connections(void **state)
{
    uint16_t port;
    int listener = host_socket(false, 64, &port), c;

    (void)state;
    if (!enough_descriptors)
        skip();
    for (int i = 0; i < 700; i++) {
        struct nat_transport t;

        if (!nat_guest_connect(&g, (uint16_t)(2000 + i), HOST_ADDRESS, port,
                               &t))
            fail_msg("connection %d", i);
        c = accept(listener, NULL, NULL);
        assert_true(c >= 0);
        assert_int_equal(send(c, "answer", 6, 0), 6);
        close(c);
        while (!(g.got.flags & (NAT_FIN | NAT_RST)))
            nat_guest_settle(&g);
        assert_false(g.got.flags & NAT_RST);
        t.ack = g.got.seq + (uint32_t)g.got.data_len + 1;
        t.flags = NAT_ACK | NAT_FIN;
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, NULL, 0);
        nat_guest_settle(&g);
        assert_true(stats().flows <= NAT_CONNECTIONS_MAX);
    }
    assert_int_equal(stats().flows_refused, 0);
    close(listener);
}

/* UDP from every port; the newest one works, pings as well. */
static void test_many_datagrams(void **state)
{
    uint16_t port;
    int s = host_socket(true, 0, &port);
    unsigned int before = descriptors();

    (void)state;
    for (unsigned int i = 1; i < 3000; i++) {
        nat_guest_udp(&g, (uint16_t)i, HOST_ADDRESS, port, &i, sizeof(i));
        assert_true(arrived(s, &i, sizeof(i)));
        assert_true(stats().flows < NAT_DATAGRAM_MAX);
    }
    /* 8.8.8.8 is this host's, but an address without a host is not there. */
    for (unsigned int i = 1; i < 3000; i++) {
        nat_guest_ping(&g, HOST_ADDRESS);
        assert_true(stats().flows < NAT_DATAGRAM_MAX);
    }
    assert_true(descriptors() - before < NAT_DATAGRAM_MAX);
    assert_true(stats().flows_evicted > 2000);
    close(s);
    assert_alive();
}

/* Two networks in a process with few descriptors have half of the half each. */
static void test_shares(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX };
    struct link_stats s;
    struct nat_guest other;
    struct rlimit r, few;
    uint16_t port;
    int udp = host_socket(true, 0, &port);

    (void)state;
    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur < 1024)
        skip();
    few = r;
    few.rlim_cur = 1024;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    nat_guest_start(&other, &config);
    for (unsigned int i = 1; i < 1000; i++) {
        nat_guest_udp(&other, (uint16_t)i, HOST_ADDRESS, port, "x", 1);
        other.link->ops->get_stats(other.link, &s);
        assert_true(s.flows <= 1024 / 4 * NAT_DATAGRAM_MAX / 1024);
        nat_guest_udp(&g, (uint16_t)i, HOST_ADDRESS, port, "x", 1);
        assert_true(stats().flows <= 1024 / 4 * NAT_DATAGRAM_MAX / 1024);
    }
    nat_guest_stop(&other);
    setrlimit(RLIMIT_NOFILE, &r);
    close(udp);
}

/* TCP's timers do not see how datagram sockets are ended. */
static void test_datagrams_beside_tcp(void **state)
{
    struct nat_transport t;
    uint16_t port, udp_port;
    int listener = host_socket(false, 4, &port), c;
    int udp = host_socket(true, 0, &udp_port);
    char buf[8];

    (void)state;
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    /* An end that is not acknowledged: libslirp would give up by its timers. */
    assert_int_equal(send(c, "hi", 2, 0), 2);
    nat_guest_settle(&g);
    for (unsigned int i = 1; i < 20000; i++)
        nat_guest_udp(&g, (uint16_t)i, HOST_ADDRESS, udp_port, "x", 1);
    nat_guest_settle(&g);
    nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, "hello", 5);
    nat_guest_settle(&g);
    assert_int_equal(recv(c, buf, sizeof(buf), 0), 5);
    close(c);
    close(udp);
    close(listener);
}

/* One-byte segments behind a gap: libslirp would keep 65 KiB for each. */
static void test_out_of_order(void **state)
{
    struct nat_transport t, ahead;
    uint16_t port;
    int listener = host_socket(false, 4, &port), c;
    size_t before, after;
    char data[64], buf[64];

    (void)state;
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    assert_true(c >= 0);
    before = mallinfo2().uordblks;
    ahead = t;
    for (int i = 0; i < 60000; i++) {
        ahead.seq = t.seq + 2 + (uint32_t)i;
        nat_guest_tcp(&g, HOST_ADDRESS, &ahead, 0, "x", 1);
    }
    after = mallinfo2().uordblks;
    assert_true(after < before + (16u << 20));
    /* What is sent again in order arrives. */
    memset(data, 'y', sizeof(data));
    nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, data, sizeof(data));
    nat_guest_settle(&g);
    assert_int_equal(recv(c, buf, sizeof(buf), 0), sizeof(buf));
    assert_int_equal(buf[0], 'y');
    close(c);
    close(listener);
}

/* Many small segments in order, while libslirp has data for the guest, too. */
static void test_small_segments(void **state)
{
    struct nat_transport t;
    uint16_t port;
    int listener = host_socket(false, 4, &port), c;
    unsigned int got = 0;
    char buf[4096];

    (void)state;
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    assert_int_equal(send(c, "unacknowledged", 14, 0), 14);
    nat_guest_settle(&g);
    for (int i = 0; i < 5000; i++) {
        t.window = (uint16_t)(60000 - i); /* not libslirp's fast path */
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, "z", 1);
        t.seq++;
        if (i % 500 == 0)
            got += (unsigned int)recv(c, buf, sizeof(buf), MSG_DONTWAIT);
    }
    nat_guest_settle(&g);
    for (ssize_t n; (n = recv(c, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
        got += (unsigned int)n;
    assert_int_equal(got, 5000);
    assert_int_equal(stats().filtered, 0);
    close(c);
    close(listener);
}

/* libslirp sends as many bytes as the pointer says, from beyond the data. */
static void test_urgent(void **state)
{
    struct nat_transport t;
    uint16_t port;
    int listener = host_socket(false, 4, &port), c;
    char buf[4096];

    (void)state;
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    t.flags |= NAT_URG;
    for (int i = 0; i < 20; i++) {
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 2000, "urgent", 6);
        t.seq += 6;
        nat_guest_settle(&g);
        assert_int_equal(recv(c, buf, sizeof(buf), 0), 6);
        assert_memory_equal(buf, "urgent", 6);
    }
    close(c);
    close(listener);
}

/*
 * The host sends more than the guest takes and then resets the connection while
 * data of the guest waits: libslirp finds an error and no room to read.
 */
static void test_reset_while_full(void **state)
{
    /* With this MTU libslirp's buffer has room for 90 whole segments. */
    struct link_config config = { .mtu = 1500 };
    const size_t mss = 1500 - 40;
    static char data[46 * 1460];
    struct linger hard = { 1, 0 };
    struct nat_transport t;
    uint16_t port;
    int listener = host_socket(false, 4, &port), c, small = 4096;

    (void)state;
    nat_guest_stop(&g);
    nat_guest_start(&g, &config);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    assert_int_equal(send(c, data, 44 * mss, MSG_DONTWAIT), 44 * mss);
    nat_guest_settle(&g);
    assert_int_equal(send(c, data, 46 * mss, MSG_DONTWAIT), 46 * mss);
    nat_guest_settle(&g);
    for (int i = 0; i < 30000; i++) {
        if ((int32_t)(g.got.ack + g.got.window - t.seq) < (int32_t)mss)
            break;
        nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, data, mss);
        t.seq += (uint32_t)mss;
        nat_guest_settle(&g);
    }
    setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(c);
    nat_guest_settle(&g);
    close(listener);
    assert_alive();
}

/* Many clients of a forwarded port. */
static void test_many_clients(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX, .n_forwards = 1 };
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s[NAT_FORWARDED_MAX + 100];
    unsigned int n = sizeof(s) / sizeof(s[0]), segments;
    uint16_t port;

    (void)state;
    if (!enough_descriptors)
        skip();
    nat_guest_stop(&g);
    close(host_socket(false, 1, &port));
    config.forwards[0].host_port = port;
    config.forwards[0].guest_port = 80;
    nat_guest_start(&g, &config);
    nat_guest_ping(&g, NAT_GATEWAY); /* the guest is there */
    g.port = 80;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    for (unsigned int i = 0; i < n; i++) {
        s[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(s[i], (struct sockaddr *)&a, sizeof(a));
        nat_guest_settle(&g);
    }
    assert_int_equal(stats().flows, NAT_FORWARDED_MAX);
    /* The guest refuses the last one: its place is for one that waits. */
    segments = g.segments;
    {
        struct nat_transport t = { .sport = 80,
                                   .dport = g.got.sport,
                                   .ack = g.got.seq + 1,
                                   .flags = NAT_RST | NAT_ACK };

        nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, NULL, 0);
    }
    assert_true(nat_guest_wait(&g, &g.segments, segments));
    nat_guest_settle(&g);
    assert_int_equal(stats().flows, NAT_FORWARDED_MAX);
    for (unsigned int i = 0; i < n; i++)
        close(s[i]);
}

/* A forwarded connection works with host-loopback=0, both ways. */
static void test_forwarded(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX, .n_forwards = 1 };
    struct sockaddr_in a = { .sin_family = AF_INET };
    struct nat_transport t;
    uint16_t port;
    char buf[8];
    int s;

    (void)state;
    nat_guest_stop(&g);
    close(host_socket(false, 1, &port));
    config.forwards[0].host_port = port;
    config.forwards[0].guest_port = 80;
    nat_guest_start(&g, &config);
    g.port = 80;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)!connect(s, (struct sockaddr *)&a, sizeof(a));
    assert_true(nat_guest_wait(&g, &g.segments, 0));
    assert_int_equal(g.got.flags, NAT_SYN);
    t = (struct nat_transport){ .sport = 80,
                                .dport = g.got.sport,
                                .seq = 7,
                                .ack = g.got.seq + 1,
                                .flags = NAT_SYN | NAT_ACK,
                                .window = 60000 };
    nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, NULL, 0);
    t.seq++;
    t.flags = NAT_ACK;
    nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, "hello", 5);
    nat_guest_settle(&g);
    assert_int_equal(recv(s, buf, sizeof(buf), 0), 5);
    assert_int_equal(send(s, "world", 5, 0), 5);
    g.got.data_len = 0;
    nat_guest_settle(&g);
    assert_int_equal(g.got.data_len, 5);
    close(s);
}

/* A client of 127.0.0.1 with the port `from`, while it connects to `to`. */
static int client_from(uint16_t from, uint16_t to)
{
    const struct linger reset = { .l_onoff = 1 };
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;

    /* Its end leaves nothing in TIME_WAIT that the next one would meet. */
    setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(from);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    a.sin_port = htons(to);
    (void)!connect(s, (struct sockaddr *)&a, sizeof(a));
    return s;
}

/*
 * A client that ends its connection leaves it in libslirp for a while; from the
 * same port it may come again at once.
 */
static void test_client_comes_again(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX, .n_forwards = 1 };
    struct nat_transport t;
    uint16_t port, from;
    char buf[8];

    (void)state;
    nat_guest_stop(&g);
    close(host_socket(false, 1, &port));
    close(host_socket(false, 1, &from));
    config.forwards[0].host_port = port;
    config.forwards[0].guest_port = 80;
    nat_guest_start(&g, &config);
    nat_guest_ping(&g, NAT_GATEWAY); /* the guest is there */
    g.port = 80;
    for (uint32_t i = 1; i < 6; i++) {
        unsigned int before = g.segments;
        int s = client_from(from, port);

        assert_true(nat_guest_wait(&g, &g.segments, before));
        assert_int_equal(g.got.flags, NAT_SYN);
        t = (struct nat_transport){ .sport = 80,
                                    .dport = g.got.sport,
                                    .seq = i * 1000000,
                                    .ack = g.got.seq + 1,
                                    .flags = NAT_SYN | NAT_ACK,
                                    .window = 60000 };
        nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, NULL, 0);
        t.seq++;
        t.flags = NAT_ACK;
        nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, "hello", 5);
        nat_guest_settle(&g);
        assert_int_equal(recv(s, buf, sizeof(buf), 0), 5);
        shutdown(s, SHUT_WR);
        while (!(g.got.flags & NAT_FIN))
            assert_true(nat_guest_wait(&g, &g.segments, g.segments));
        close(s);
        t.seq += 5;
        t.ack++;
        t.flags = NAT_FIN | NAT_ACK;
        nat_guest_tcp(&g, NAT_GATEWAY, &t, 0, NULL, 0);
        nat_guest_settle(&g);
    }
}

/* ---- forwarded UDP ports ---- */

/* A guest that has port 53 forwarded, or another, on any address of the host.
 * Returns the host's port. */
static uint16_t start_forwarded_udp(struct link_config *config)
{
    uint16_t port;

    nat_guest_stop(&g);
    close(host_socket(true, 0, &port));
    config->mtu = config->mtu ? config->mtu : LINK_MTU_MAX;
    config->n_forwards = 1;
    config->forwards[0].udp = true;
    config->forwards[0].host_port = port;
    if (!config->forwards[0].guest_port)
        config->forwards[0].guest_port = 53;
    nat_guest_start(&g, config);
    nat_guest_ping(&g, NAT_GATEWAY); /* the guest is there */
    return port;
}

/* A socket of the host's with the address `from` that sends to `to`. */
static int udp_client(uint32_t from, uint32_t to, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    a.sin_addr.s_addr = htonl(from);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    a.sin_addr.s_addr = htonl(to);
    a.sin_port = htons(port);
    assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

/* The guest is asked by n bytes, sees them come from `seen`, and answers. */
static void assert_answered(int s, size_t n, uint32_t seen)
{
    static char data[30000];
    unsigned int before = g.datagrams;

    assert_int_equal(send(s, data, n, 0), n);
    assert_true(nat_guest_wait(&g, &g.datagrams, before));
    assert_int_equal(g.asker, seen);
    assert_int_equal(g.asked_port, 53);
    nat_guest_udp(&g, 53, g.asker, g.asker_port, "answer", 6);
    assert_true(arrived(s, "answer", 6));
    assert_int_equal(g.spoilt, 0);
}

/* Whoever asks is answered, in any order: clients of the host's loopback
 * network, whom the guest sees as the gateway, and others. */
static void test_forwarded_udp(void **state)
{
    static const uint32_t clients[] = { 0x7f000001, HOST_ADDRESS, 0x7f000001,
                                        0x7f000002, 0x7f123456,   HOST_ADDRESS,
                                        0x7f000002, 0x7f000001 };
    static const size_t sizes[] = { 1, 2, 1001, 20000 };

    (void)state;
    for (unsigned int loopback = 0; loopback < 2; loopback++) {
        struct link_config config = { .host_loopback = loopback };
        uint16_t port = start_forwarded_udp(&config);

        for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
            bool is_loopback = NAT_IS_LOOPBACK(clients[i]);
            int s = udp_client(
                clients[i], is_loopback ? INADDR_LOOPBACK : HOST_ADDRESS, port);

            for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
                assert_answered(s, sizes[k],
                                is_loopback ? NAT_GATEWAY : clients[i]);
            close(s);
        }
    }
}

/* A question that comes in fragments has one source in all of them. */
static void test_forwarded_udp_fragments(void **state)
{
    struct link_config config = { .mtu = 1500 };
    uint16_t port = start_forwarded_udp(&config);
    int s = udp_client(0x7f000002, 0x7f000001, port);

    (void)state;
    assert_answered(s, 20000, NAT_GATEWAY);
    assert_int_equal(g.strays, 0);
    close(s);
}

/* How the guest tries to send to a loopback socket of the host's. */
struct
try {
    uint16_t sport;
    uint32_t source, dst;
    uint16_t dport;
};

static void assert_refused(int s, const struct try *t)
{
    uint64_t filtered = stats().filtered;
    char buf[16];

    g.address = t->source;
    nat_guest_udp(&g, t->sport, t->dst, t->dport, "strange", 7);
    g.address = NAT_GUEST;
    nat_guest_settle(&g);
    assert_int_equal(recv(s, buf, sizeof(buf), 0), -1);
    assert_int_equal(stats().filtered, filtered + 1);
}

/* The guest may answer who asked, from the port that was asked, and may not
 * send anything else there. */
static void test_forwarded_udp_strangers(void **state)
{
    struct link_config config = { .host_loopback = false };
    uint16_t port = start_forwarded_udp(&config), other_port, asks;
    int s = udp_client(INADDR_LOOPBACK, INADDR_LOOPBACK, port);
    int other = host_socket(true, 0, &other_port);
    struct try t;

    (void)state;
    assert_answered(s, 9, NAT_GATEWAY);
    asks = g.asker_port;
    t = (struct try){ 53, NAT_GUEST, NAT_GATEWAY, other_port };
    assert_refused(other, &t);
    t = (struct try){ 54, NAT_GUEST, NAT_GATEWAY, asks };
    assert_refused(s, &t);
    t = (struct try){ 53, NAT_GUEST + 1, NAT_GATEWAY, asks };
    assert_refused(s, &t);
    t = (struct try){ 53, NAT_GUEST, INADDR_LOOPBACK, asks };
    assert_refused(s, &t);
    nat_guest_udp(&g, 53, NAT_GATEWAY, asks, "answer", 6);
    assert_true(arrived(s, "answer", 6));
    close(s);
    close(other);
}

/* What the DHCP server says to a forwarded port 68 is no question. */
static void test_forwarded_udp_dhcp(void **state)
{
    static const uint8_t magic_discover[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
    struct link_config config = { .host_loopback = false };
    uint8_t bootp[300] = { 1, 1, 6 };
    uint64_t filtered;

    (void)state;
    config.forwards[0].guest_port = 68;
    start_forwarded_udp(&config);
    memcpy(bootp + 28, nat_guest_mac, 6);
    memcpy(bootp + 236, magic_discover, sizeof(magic_discover));
    nat_guest_udp(&g, 68, NAT_GATEWAY, 67, bootp, sizeof(bootp));
    nat_guest_settle(&g);
    assert_int_equal(g.datagrams, 1);
    assert_int_equal(g.asker, NAT_GATEWAY);
    filtered = stats().filtered;
    nat_guest_udp(&g, 68, NAT_GATEWAY, 67, "strange", 7);
    assert_int_equal(stats().filtered, filtered + 1);
}

/* So many clients, and for so long. */
static void test_forwarded_udp_bounds(void **state)
{
    static struct nat_clients c;
    struct nat_client who = { .address = 0x7f000007, .guest_port = 53 };

    (void)state;
    for (who.port = 1; who.port <= NAT_CLIENTS_MAX + 1; who.port++) {
        who.asked = 1000u + who.port;
        nat_client_asks(&c, &who);
    }
    assert_int_equal(nat_client_find(&c, 1, 53, who.asked), 0);
    for (uint16_t port = 2; port <= NAT_CLIENTS_MAX + 1; port++) {
        uint64_t end = 1000u + port + NAT_CLIENT_MS;

        assert_int_equal(nat_client_find(&c, port, 53, end - 1), who.address);
        assert_int_equal(nat_client_find(&c, port, 53, end), 0);
    }
}

/* A connection may begin anew with the ports of one that has not ended. */
static void test_same_ports_again(void **state)
{
    struct nat_transport t;
    uint16_t port;
    int listener = host_socket(false, 4, &port), c;
    char buf[8];

    (void)state;
    assert_true(nat_guest_connect(&g, 1000, HOST_ADDRESS, port, &t));
    c = accept(listener, NULL, NULL);
    nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, "one", 3);
    nat_guest_settle(&g);
    assert_int_equal(recv(c, buf, sizeof(buf), 0), 3);
    close(c);
    t = (struct nat_transport){ .sport = 1000,
                                .dport = port,
                                .seq = 900000,
                                .flags = NAT_SYN,
                                .window = 60000 };
    nat_guest_tcp(&g, HOST_ADDRESS, &t, 0, NULL, 0);
    for (int i = 0; i < 1000 && g.got.ack != 900001; i++) {
        nat_guest_settle(&g);
        usleep(1000);
    }
    assert_int_equal(g.got.ack, 900001);
    assert_int_equal(g.got.flags, NAT_SYN | NAT_ACK);
    c = accept(listener, NULL, NULL);
    assert_true(c >= 0);
    close(c);
    close(listener);
}

/* Frames that are on no list, and headers that lie. */
static void test_strange_frames(void **state)
{
    static const uint16_t types[] = { 0x86dd, 0x88f8, 0x8100, 0x0805, 0x0000 };
    uint8_t frame[2000], payload[1500] = { 0 };
    uint64_t filtered = 0;

    (void)state;
    for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (size_t n = ETH; n < 200; n++) {
            memset(frame, (int)n, sizeof(frame));
            frame[12] = (uint8_t)(types[i] >> 8);
            frame[13] = (uint8_t)types[i];
            nat_guest_send(&g, frame, n);
            filtered++;
        }
    }
    assert_int_equal(stats().filtered, filtered);
    /* Every length that is said, in frames of every length. */
    for (unsigned int proto = 0; proto < 256; proto++) {
        size_t n =
            frame_ipv4(&g, frame, NAT_GATEWAY, (uint8_t)proto, 0, payload, 100);

        for (size_t len = ETH; len <= n; len++)
            nat_guest_send(&g, frame, len);
    }
    nat_guest_settle(&g);
    assert_int_equal(stats().flows, 0);
    assert_alive();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Each network has its whole bounds, and the test has descriptors as well. */
static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return;
    r.rlim_cur = r.rlim_max < 8192 ? r.rlim_max : 8192;
    enough_descriptors =
        setrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 8192;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_last_fragment_first),
        TEST(test_fragments_arrive),
        TEST(test_destinations),
        cmocka_unit_test_setup_teardown(test_host_loopback, setup_loopback,
                                        teardown),
        TEST(test_sources),
        TEST(test_many_connections),
        TEST(test_connecting),
        TEST(test_half_open),
        TEST(test_short_connections),
        TEST(test_many_datagrams),
        TEST(test_shares),
        TEST(test_datagrams_beside_tcp),
        TEST(test_out_of_order),
        TEST(test_small_segments),
        TEST(test_urgent),
        TEST(test_reset_while_full),
        TEST(test_many_clients),
        TEST(test_forwarded),
        TEST(test_forwarded_udp),
        TEST(test_forwarded_udp_fragments),
        TEST(test_forwarded_udp_strangers),
        TEST(test_forwarded_udp_dhcp),
        cmocka_unit_test(test_forwarded_udp_bounds),
        TEST(test_same_ports_again),
        TEST(test_client_comes_again),
        TEST(test_strange_frames),
    };
    const char *why = netns_enter();

    if (why) {
        printf("1..0 # SKIP %s\n", why);
        return 0;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    raise_descriptors();
    own_places();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
