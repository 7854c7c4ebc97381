/*
 * The guest's TCP/IP stack against hostile peers: no segment ends the guest,
 * what peers make it keep is bounded, and others are served meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lwip/dns.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sockets.h"

#include "guest-kernel/net/memory.h"
#include "tests/unit/net_peer.h"
#include "tests/unit/net_stack.h"

#define RAM  (16u << 20)
#define PEER 0x0a090009u

static const unsigned char mss1460[] = { 2, 4, 0x05, 0xb4 };
static const unsigned char mss_ws[] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 7 };
static char buf[1 << 18], pattern[1 << 18];
static uint16_t next_port = 20000;
static int listener = -1;
static size_t held_before;

static void bug(const char *what, const char *file, int line)
{
    fail_msg("the guest ends: %s (%s:%d)", what, file, line);
}

static void nonblocking(int s)
{
    assert_int_equal(lwip_fcntl(s, F_SETFL, O_NONBLOCK), 0);
}

static int listen_at(uint16_t port, int backlog)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int s = lwip_socket(AF_INET, SOCK_STREAM, 0);

    nonblocking(s);
    assert_int_equal(lwip_bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(lwip_listen(s, backlog), 0);
    return s;
}

static int setup(void **state)
{
    (void)state;
    net_stack_start(RAM, bug);
    net_stack_pages = true;
    net_stack_answers_arp = true;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + i / 251);
    held_before = net_memory_held();
    listener = listen_at(80, 64);
    return 0;
}

/* All connections end, whatever state they are in, and nothing is left. */
static int teardown(void **state)
{
    (void)state;
    for (int s = LWIP_SOCKET_OFFSET; s < 1000; s++) {
        struct linger now = { .l_onoff = 1 };

        lwip_setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        lwip_close(s);
    }
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    net_stack_forget();
    net_stack_pass(120000);
    net_stack_forget();
    assert_null(tcp_tw_pcbs);
    assert_int_equal(net_stack_packet_errors, 0);
    assert_in_range(net_memory_held(), 0, held_before + 8192);
    assert_int_equal(net_stack_pages_held, 0);
    return 0;
}

static struct net_peer new_peer(uint16_t window)
{
    return (struct net_peer){
        .ip = PEER, .port = next_port++, .guest_port = 80, .window = window
    };
}

static int accepted(void)
{
    int s = lwip_accept(listener, NULL, NULL);

    if (s >= 0)
        nonblocking(s);
    return s;
}

/* Connects; returns the guest's socket. */
static int connected(struct net_peer *p, const void *options, size_t n)
{
    int s;

    assert_true(peer_connect(p, options, n));
    s = accepted();
    assert_true(s >= 0);
    return s;
}

/* A new peer asks and is answered. */
static void assert_serves(void)
{
    struct net_peer p = new_peer(65535);
    int s = connected(&p, mss1460, 4);

    peer_data(&p, "question", 8);
    assert_int_equal(lwip_recv(s, buf, 100, 0), 8);
    assert_int_equal(lwip_send(s, "answer", 6, 0), 6);
    assert_int_equal(peer_stream(&p, buf, sizeof(buf)), 6);
    assert_memory_equal(buf, "answer", 6);
    lwip_close(s);
}

/* ---- options ---- */

/* What the guest sends of `total` bytes: the largest segment; checks them. */
static size_t largest_segment(struct net_peer *p, int s, size_t total)
{
    struct frame_tcp t;
    size_t got = 0, largest = 0;

    assert_int_equal(lwip_send(s, pattern, total, 0), total);
    for (int i = 0; i < 2000 && got < total; i++) {
        uint32_t was = p->ack;

        if (!peer_receive(p, &t)) {
            net_stack_pass(250);
            continue;
        }
        if (p->ack == was)
            continue;
        assert_memory_equal(t.data, pattern + got, t.n);
        got += t.n;
        if (t.n > largest)
            largest = t.n;
        peer_ack(p);
    }
    assert_int_equal(got, total);
    return largest;
}

static void test_mss_without_syn(void **state)
{
    struct net_peer p = new_peer(1000);
    int s = connected(&p, mss1460, 4);
    static const unsigned char mss1[] = { 2, 4, 0, 1 };

    (void)state;
    /* The window takes 1,000 of them; the others wait. */
    assert_int_equal(lwip_send(s, pattern, 1400, 0), 1400);
    peer_options(&p, FRAME_ACK | FRAME_PSH, mss1, 4, "x", 1);
    p.seq++;
    assert_int_equal(lwip_recv(s, buf, 100, 0), 1);
    assert_int_equal(lwip_send(s, pattern + 1400, 10, 0), 10);
    assert_int_equal(peer_stream(&p, buf, sizeof(buf)), 1410);
    assert_memory_equal(buf, pattern, 1410);
    p.window = 65535;
    peer_ack(&p);
    assert_int_equal(largest_segment(&p, s, 6000), 1460);
}

/* Neither do the others count without a SYN. */
static void test_options_without_syn(void **state)
{
    static const unsigned char options[] = { 3, 3, 14, 4, 2, 1, 1, 1 };
    struct net_peer p = new_peer(1000);
    int s = connected(&p, mss1460, 4);
    struct frame_tcp t;
    uint32_t first;

    (void)state;
    peer_options(&p, FRAME_ACK, options, 8, "x", 1);
    p.seq++;
    peer_segment(&p, FRAME_ACK, 1, "z", 1);
    while (peer_receive(&p, &t))
        assert_int_equal(t.options_n, 0); /* no SACK */
    /* The window is 1,000 and not 1,000 << 14. */
    assert_int_equal(lwip_send(s, pattern, 4000, 0), 4000);
    first = p.ack;
    net_stack_pass(300);
    while (peer_receive(&p, &t))
        assert_in_range(t.seq + t.n - first, 0, 1000);
}

static void test_options_of_repeated_syn(void **state)
{
    static const unsigned char other[] = { 2, 4, 0x3f, 0xca, 1, 3, 3, 14 };
    struct net_peer p = new_peer(20000);
    struct frame_tcp t;
    int s;

    (void)state;
    p.seq = 5000;
    peer_options(&p, FRAME_SYN, mss1460, 4, NULL, 0);
    peer_options(&p, FRAME_SYN, other, 8, NULL, 0);
    assert_true(peer_receive(&p, &t));
    p.ack = t.seq + 1;
    peer_options(&p, FRAME_SYN | FRAME_ACK, other, 8, NULL, 0);
    p.seq++;
    peer_ack(&p);
    s = accepted();
    assert_true(s >= 0);
    assert_int_equal(largest_segment(&p, s, 6000), 1460);
}

static void test_tiny_mss(void **state)
{
    static const unsigned char tiny[] = { 2, 4, 0, 1 }, none[] = { 2, 4, 0, 0 };
    struct net_peer p = new_peer(20000), q = new_peer(20000);
    int s = connected(&p, tiny, 4);

    (void)state;
    assert_int_equal(largest_segment(&p, s, 100), 48);
    s = connected(&q, none, 4);
    assert_in_range(largest_segment(&q, s, 6000), 536, 1460);
}

/* The guest connects; a SYN that does not answer its own changes nothing. */
static void test_syn_of_a_stranger(void **state)
{
    static const unsigned char options[] = { 2, 4, 0, 100, 1, 3, 3, 14 };
    struct net_peer p = new_peer(3000);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(81),
                             .sin_addr.s_addr = htonl(PEER) };
    int s = lwip_socket(AF_INET, SOCK_STREAM, 0);
    unsigned char frame[100];
    struct frame_tcp t = { 0 };
    size_t n;

    (void)state;
    nonblocking(s);
    assert_int_equal(lwip_connect(s, (struct sockaddr *)&a, sizeof(a)), -1);
    while ((n = net_stack_sent(frame, sizeof(frame))))
        if (frame_read_tcp(frame, n, &t))
            break;
    assert_int_equal(t.flags, FRAME_SYN);
    p.port = 81;
    p.guest_port = t.sport;
    p.seq = 77;
    peer_options(&p, FRAME_SYN, options, 8, NULL, 0);
    p.ack = t.seq + 5;
    peer_options(&p, FRAME_SYN | FRAME_ACK, options, 8, NULL, 0);
    net_stack_forget();
    p.ack = t.seq + 1;
    peer_options(&p, FRAME_SYN | FRAME_ACK, NULL, 0, NULL, 0);
    p.seq++;
    assert_int_equal(largest_segment(&p, s, 6000), 536);
}

/* ---- the receive window ---- */

/* The program reads nothing, and 2,000 bytes of window are left. */
static int nearly_full(struct net_peer *p)
{
    int s = connected(p, mss1460, 4);

    peer_data(p, pattern, 65535 - 2000);
    net_stack_forget();
    return s;
}

/* What has come; `*ended` says whether that is all. */
static size_t read_all(int s, bool *ended)
{
    size_t sum = 0;
    ssize_t n;

    while ((n = lwip_recv(s, buf + sum, sizeof(buf) - sum, 0)) > 0)
        sum += (size_t)n;
    *ended = n == 0;
    return sum;
}

static void test_out_of_order_beyond_window(void **state)
{
    struct net_peer p = new_peer(20000);
    int s = nearly_full(&p);
    bool ended;

    (void)state;
    peer_segment(&p, FRAME_ACK, 1000, pattern + 64535, 1400);
    peer_segment(&p, FRAME_ACK | FRAME_FIN, 1500, pattern + 65035, 501);
    peer_segment(&p, FRAME_ACK, 1200, pattern + 64735, 1300);
    peer_segment(&p, FRAME_ACK, 0, pattern + 63535, 1000);
    assert_int_equal(read_all(s, &ended), 65535);
    assert_memory_equal(buf, pattern, 65535);
    assert_false(ended); /* the FIN was cut off */
    assert_serves();
}

static void test_data_over_fin(void **state)
{
    struct net_peer p = new_peer(20000), q = new_peer(20000);
    int s = nearly_full(&p);
    bool ended;

    (void)state;
    peer_segment(&p, FRAME_ACK | FRAME_FIN, 500, NULL, 0);
    peer_segment(&p, FRAME_ACK, 0, pattern + 63535, 2000);
    assert_int_equal(read_all(s, &ended), 64035);
    assert_true(ended);
    s = nearly_full(&q);
    peer_segment(&q, FRAME_ACK | FRAME_FIN, 500, NULL, 0);
    peer_segment(&q, FRAME_ACK, 100, pattern + 63635, 1900);
    peer_segment(&q, FRAME_ACK, 0, pattern + 63535, 100);
    assert_int_equal(read_all(s, &ended), 64035);
    assert_true(ended);
    assert_serves();
}

/* Half of the sequence space away, nothing is before or after. */
static void test_far_away(void **state)
{
    struct net_peer p = new_peer(20000);
    int s = connected(&p, mss1460, 4);

    (void)state;
    for (uint32_t d = 0x7ffffffe; d <= 0x80000002; d++)
        for (size_t n = 0; n < 4; n++) {
            peer_segment(&p, FRAME_ACK, d, "far", n);
            peer_segment(&p, FRAME_ACK | FRAME_FIN, d, "far", n);
        }
    peer_data(&p, "near", 4);
    assert_int_equal(lwip_recv(s, buf, 10, 0), 4);
    assert_memory_equal(buf, "near", 4);
}

/* ---- the end ---- */

/* The connection is over, and the program's socket is not. */
static void test_shutdown(void **state)
{
    struct net_peer p = new_peer(20000), q = new_peer(20000);
    int s = connected(&p, mss1460, 4);
    struct frame_tcp t;

    (void)state;
    /* The guest closes its side first: TIME_WAIT, and its end. */
    assert_int_equal(lwip_shutdown(s, SHUT_WR), 0);
    while (peer_receive(&p, &t))
        continue;
    peer_segment(&p, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
    assert_non_null(tcp_tw_pcbs);
    net_stack_pass(30000);
    assert_null(tcp_tw_pcbs);
    assert_int_equal(lwip_recv(s, buf, 1, 0), 0);
    assert_int_equal(lwip_send(s, "x", 1, 0), -1);
    assert_int_equal(lwip_close(s), 0);
    /* The peer closes first; then one direction after the other. */
    s = connected(&q, mss1460, 4);
    peer_segment(&q, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
    q.seq++;
    assert_int_equal(lwip_shutdown(s, SHUT_WR), 0);
    assert_int_equal(lwip_shutdown(s, SHUT_RD), 0);
    while (peer_receive(&q, &t))
        continue;
    peer_ack(&q);
    assert_null(tcp_active_pcbs);
    lwip_send(s, "x", 1, 0);
    lwip_close(s);
    assert_serves();
}

/* ---- the send window ---- */

static void test_probe_is_acknowledged(void **state)
{
    struct net_peer p = new_peer(0);
    int s = connected(&p, mss1460, 4);
    struct frame_tcp t;

    (void)state;
    assert_int_equal(lwip_send(s, "x", 1, 0), 1);
    for (int i = 0; i < 100 && !peer_receive(&p, &t); i++)
        net_stack_pass(250);
    assert_int_equal(t.n, 1);
    peer_ack(&p);
    net_stack_pass(20000);
    p.window = 1000;
    peer_ack(&p);
    assert_int_equal(lwip_send(s, "yz", 2, 0), 2);
    assert_int_equal(peer_stream(&p, buf, sizeof(buf)), 2);
}

/* ---- half-open connections, backlog ---- */

static void flood_syn(unsigned int n)
{
    static uint32_t count;

    while (n--) {
        struct net_peer p = { .ip = 0x0a0a0000u + count++ % 60000,
                              .port = (uint16_t)(1024 + n % 60000),
                              .guest_port = 80,
                              .seq = n * 77,
                              .window = 1000 };

        peer_segment(&p, FRAME_SYN, 0, NULL, 0);
        net_stack_forget();
    }
}

static void test_syn_flood(void **state)
{
    struct net_peer p = new_peer(20000);
    size_t held = net_memory_held();
    struct frame_tcp t;

    (void)state;
    flood_syn(70);
    assert_serves();
    flood_syn(5000);
    assert_serves();
    assert_in_range(net_memory_held(), 0, held + 256 * 1024);
    /* A handshake that began gets time, also from the oldest's point of view.
     */
    p.seq = 1;
    peer_segment(&p, FRAME_SYN, 0, NULL, 0);
    assert_true(peer_receive(&p, &t));
    flood_syn(TCP_MAX_HALF_OPEN - 1);
    p.seq++;
    p.ack = t.seq + 1;
    peer_ack(&p);
    assert_true(accepted() >= 0);
    /* Nobody keeps its place by repeating itself. */
    flood_syn(TCP_MAX_HALF_OPEN);
    net_stack_pass(30000);
    assert_serves();
}

static void test_backlog(void **state)
{
    struct net_peer p[5];
    int s;

    (void)state;
    lwip_close(listener);
    net_stack_pass(1000);
    listener = listen_at(80, 4);
    for (int i = 0; i < 5; i++) {
        p[i] = new_peer(20000);
        assert_int_equal(peer_connect(&p[i], mss1460, 4), i < 4);
    }
    flood_syn(200);
    s = accepted();
    assert_true(s >= 0);
    peer_data(&p[0], "x", 1);
    assert_int_equal(lwip_recv(s, buf, 10, 0), 1);
    assert_true(peer_connect(&p[4], mss1460, 4));
    for (int i = 0; i < 4; i++)
        assert_true(accepted() >= 0);
    assert_int_equal(accepted(), -1);
    assert_serves();
}

/* More handshakes than the backlog has room for end at the same time. */
static void test_backlog_race(void **state)
{
    struct net_peer p[6];
    struct frame_tcp t;
    int s;

    (void)state;
    lwip_close(listener);
    net_stack_pass(1000);
    listener = listen_at(80, 4);
    for (int i = 0; i < 6; i++) {
        p[i] = new_peer(20000);
        p[i].seq = 9;
        peer_segment(&p[i], FRAME_SYN, 0, NULL, 0);
        assert_true(peer_receive(&p[i], &t));
        p[i].seq++;
        p[i].ack = t.seq + 1;
    }
    for (int i = 0; i < 6; i++)
        peer_ack(&p[i]);
    for (int i = 0; i < 4; i++)
        assert_true(accepted() >= 0);
    assert_int_equal(accepted(), -1);
    peer_data(&p[5], "late", 4);
    s = accepted();
    assert_true(s >= 0);
    assert_int_equal(lwip_recv(s, buf, 10, 0), 4);
}

/* ---- memory ---- */

static void assert_bounded(void)
{
    assert_in_range(net_memory_held() + net_stack_pages_held * 4096, 0,
                    net_memory_limit() + (1u << 20));
}

static void send_gaps(struct net_peer *p, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        peer_segment(p, FRAME_ACK, 1 + 2 * i, "z", 1);
        net_stack_forget();
    }
}

static void test_gaps(void **state)
{
    size_t held = net_memory_held();

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct net_peer p = new_peer(20000);

        connected(&p, mss_ws, 8);
        send_gaps(&p, 20000);
        assert_in_range(net_memory_held(), 0, held + (i + 1) * 3 * TCP_WND);
    }
    assert_serves();
}

/* Of many connections together; the oldest queue goes, the newest stays. */
static void test_gaps_of_many(void **state)
{
    struct net_peer p;
    int s = -1;
    bool ended;

    (void)state;
    for (int i = 0; i < 120; i++) {
        p = new_peer(20000);
        s = connected(&p, mss_ws, 8);
        for (uint32_t k = 0; k < 60; k++)
            peer_segment(&p, FRAME_ACK, 1000 * (k + 1), pattern, 600);
        net_stack_forget();
        assert_bounded();
    }
    peer_segment(&p, FRAME_ACK, 0, pattern, 1000);
    assert_int_equal(read_all(s, &ended), 1600);
    assert_serves();
}

/* In order, and nobody reads: single bytes that were joined out of order. */
static void test_unread(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct net_peer p = new_peer(20000);

        connected(&p, mss_ws, 8);
        for (int k = 0; k < 40; k++) {
            for (uint32_t j = 200; j > 0; j--)
                peer_segment(&p, FRAME_ACK, j, "z", 1);
            peer_data(&p, "z", 1);
            p.seq += 200;
            net_stack_forget();
        }
        assert_bounded();
    }
    assert_serves();
}

static void test_unread_datagrams(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    static unsigned char frame[2000];
    int s = -1;

    (void)state;
    net_stack_pages = false;
    for (uint16_t port = 1; port <= 100; port++) {
        s = lwip_socket(AF_INET, SOCK_DGRAM, 0);
        nonblocking(s);
        a.sin_port = htons(port);
        assert_int_equal(lwip_bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
        for (int i = 0; i < 200; i++) {
            net_stack_receive(frame, frame_make_udp(PEER, 9, NET_GUEST_IP, port,
                                                    pattern, 1400, frame));
        }
    }
    assert_bounded();
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), 1400);
    assert_serves();
}

/* A datagram with an 802.1Q tag; `tag` is the priority and the number. */
static void give_tagged(uint16_t port, uint16_t tag)
{
    unsigned char frame[1600];
    size_t n = frame_make_udp(PEER, 9, NET_GUEST_IP, port, pattern, 100, frame);

    memmove(frame + 16, frame + 12, n - 12);
    frame[12] = 0x81;
    frame[13] = 0;
    frame[14] = (unsigned char)(tag >> 8);
    frame[15] = (unsigned char)tag;
    net_stack_receive(frame, n + 4);
}

/* Number 0 is a priority only; other numbers are other networks. */
static void test_tags(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(777) };
    int s = lwip_socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    nonblocking(s);
    assert_int_equal(lwip_bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    give_tagged(777, 0);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), 100);
    give_tagged(777, 0xa000);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), 100);
    give_tagged(777, 1);
    give_tagged(777, 0xafff);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), -1);
}

static void test_unacknowledged(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        struct net_peer p = new_peer(65535);
        int s = connected(&p, mss_ws, 8);

        while (lwip_send(s, pattern, 60000, 0) > 0)
            continue;
        net_stack_forget();
        assert_bounded();
    }
    assert_serves();
}

/* The program has closed them; the peers do not acknowledge. */
static void test_orphans(void **state)
{
    size_t held = net_memory_held();

    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct net_peer p = new_peer(65535);
        int s = connected(&p, mss_ws, 8);

        lwip_send(s, pattern, 60000, 0);
        lwip_close(s);
        net_stack_forget();
        assert_bounded();
    }
    assert_serves();
    for (int i = 0; i < 1500; i++) {
        struct net_peer p = new_peer(65535);

        lwip_close(connected(&p, mss_ws, 8));
        net_stack_forget();
    }
    assert_in_range(net_memory_held(), 0, held + (1u << 20));
    assert_serves();
}

static void test_time_wait(void **state)
{
    size_t held = net_memory_held();
    struct frame_tcp t;

    (void)state;
    for (int i = 0; i < 8000; i++) {
        struct net_peer p = new_peer(65535);
        int s = connected(&p, mss1460, 4);

        lwip_close(s);
        while (peer_receive(&p, &t))
            continue;
        peer_segment(&p, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
        net_stack_forget();
    }
    assert_in_range(net_memory_held(), 0, held + (1u << 20));
    assert_serves();
}

/* A connection that the guest closes first, and that is over. */
static void to_time_wait(struct net_peer *p)
{
    struct frame_tcp t;

    lwip_close(connected(p, mss1460, 4));
    while (peer_receive(p, &t))
        continue;
    peer_segment(p, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
    p->seq++;
    while (peer_receive(p, &t))
        continue;
    assert_non_null(tcp_tw_pcbs);
}

/* The first answer to a SYN with this number. */
static struct frame_tcp answer_to_syn(struct net_peer *p, uint32_t seq)
{
    struct frame_tcp t;

    p->seq = seq;
    peer_segment(p, FRAME_SYN, 0, NULL, 0);
    assert_true(peer_receive(p, &t));
    return t;
}

/* RFC 1122, 4.2.2.13: the same port again, with higher numbers. */
static void test_time_wait_again(void **state)
{
    static const uint32_t ahead[] = { 1, 1000, 300000, 1u << 30 };
    struct net_peer p;
    struct frame_tcp t;
    uint32_t sent;
    int s;

    (void)state;
    for (int i = 0; i < 4; i++) {
        p = new_peer(65535);
        to_time_wait(&p);
        sent = p.ack;
        t = answer_to_syn(&p, p.seq + ahead[i]);
        assert_int_equal(t.flags, FRAME_SYN | FRAME_ACK);
        assert_in_range(t.seq - sent, 1, INT32_MAX);
        assert_null(tcp_tw_pcbs);
        p.seq++;
        p.ack = t.seq + 1;
        peer_ack(&p);
        s = accepted();
        assert_true(s >= 0);
        peer_data(&p, "again", 5);
        assert_int_equal(lwip_recv(s, buf, 100, 0), 5);
        lwip_close(s);
        net_stack_forget();
    }
}

/* But not an old one, nor one for which nobody listens; it stays as it is. */
static void test_time_wait_stays(void **state)
{
    static const uint32_t behind[] = { 0, 1, 1000, 1u << 30 };
    struct net_peer p = new_peer(65535);
    struct frame_tcp t;
    uint32_t seq;

    (void)state;
    to_time_wait(&p);
    seq = p.seq;
    for (int i = 0; i < 4; i++) {
        t = answer_to_syn(&p, seq - behind[i]);
        assert_int_equal(t.flags & FRAME_SYN, 0);
        assert_non_null(tcp_tw_pcbs);
    }
    p.seq = seq + 1000;
    peer_segment(&p, FRAME_SYN | FRAME_ACK, 0, NULL, 0);
    peer_segment(&p, FRAME_SYN | FRAME_RST, 0, NULL, 0);
    assert_non_null(tcp_tw_pcbs);
    lwip_close(listener);
    answer_to_syn(&p, seq + 1000);
    assert_non_null(tcp_tw_pcbs);
}

/*
 * The program has closed one direction only, and still has the socket: it
 * hears that its connection is over.
 */
static void test_time_wait_of_socket(void **state)
{
    struct net_peer p = new_peer(65535);
    int s = connected(&p, mss1460, 4);
    struct frame_tcp t;

    (void)state;
    assert_int_equal(lwip_shutdown(s, SHUT_WR), 0);
    while (peer_receive(&p, &t))
        continue;
    peer_segment(&p, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
    p.seq++;
    assert_non_null(tcp_tw_pcbs);
    net_stack_forget();
    t = answer_to_syn(&p, p.seq + 1000);
    assert_int_equal(t.flags, FRAME_SYN | FRAME_ACK);
    assert_int_equal(lwip_recv(s, buf, 1, 0), 0);
    assert_int_equal(lwip_close(s), 0);
    assert_serves();
}

/* ---- IP ---- */

static void send_fragment(uint32_t src, uint16_t id, unsigned int offset,
                          size_t n, bool more)
{
    static unsigned char frame[FRAME_BYTES];
    struct frame_ip ip = {
        .src = src, .dst = NET_GUEST_IP, .id = id, .proto = 17
    };

    ip.frag = (uint16_t)(offset / 8 | (more ? 0x2000 : 0));
    net_stack_receive(frame, frame_make_ip(&ip, pattern + offset, n, frame));
}

static int datagram_socket(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int s = lwip_socket(AF_INET, SOCK_DGRAM, 0);

    nonblocking(s);
    assert_int_equal(lwip_bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

/* pattern[] begins with a header of this, for port 9, without a checksum. */
static void set_udp_header(size_t n)
{
    pattern[0] = pattern[1] = pattern[2] = 0;
    pattern[3] = 9;
    pattern[4] = (char)(n >> 8);
    pattern[5] = (char)n;
    pattern[6] = pattern[7] = 0;
}

static void test_reassembly(void **state)
{
    size_t held = net_memory_held();
    int s = datagram_socket(9);

    (void)state;
    for (unsigned int i = 0; i < 3000; i++) {
        send_fragment(0x0a0a0000u + i, (uint16_t)i, 1448, 1400, true);
        assert_in_range(net_memory_held(), 0,
                        held + net_memory_limit() / 8 + 65536);
    }
    net_stack_pages = false;
    for (unsigned int i = 0; i < 100; i++) {
        send_fragment(0x0a0a0000u + i, (uint16_t)i, 1448, 40000, true);
        assert_in_range(net_memory_held(), 0,
                        held + net_memory_limit() / 8 + 65536);
    }
    set_udp_header(20000);
    for (unsigned int at = 0; at < 20000; at += 1000)
        send_fragment(PEER, 7, at, 1000, at + 1000 < 20000);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), 20000 - 8);
    assert_memory_equal(buf, pattern + 8, 20000 - 8);
    /* Nothing behind the end, whichever comes first. */
    set_udp_header(1000);
    send_fragment(PEER, 8, 1000, 1000, true);
    send_fragment(PEER, 8, 504, 496, false);
    send_fragment(PEER, 8, 0, 504, true);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), -1);
    send_fragment(PEER, 9, 504, 496, false);
    send_fragment(PEER, 9, 1000, 64000, true);
    send_fragment(PEER, 9, 504, 0, true);
    send_fragment(PEER, 9, 0, 504, true);
    assert_int_equal(lwip_recv(s, buf, sizeof(buf), 0), 1000 - 8);
    /* As large as it can be, and larger. */
    send_fragment(PEER, 10, 65000, 535, true);
    send_fragment(PEER, 10, 65000, 536, false);
    net_stack_pass(120000);
    net_stack_forget();
    assert_serves();
}

/* ---- ARP ---- */

static void test_arp_table(void **state)
{
    static unsigned char frame[2000];
    int s = datagram_socket(9);
    unsigned char out[100];

    (void)state;
    assert_serves(); /* the peer's address is known */
    net_stack_answers_arp = false;
    for (unsigned int i = 0; i < 1000; i++) {
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(9),
                                 .sin_addr.s_addr =
                                     htonl(0x0a090014u + i % 200) };

        lwip_sendto(s, pattern, 1400, 0, (struct sockaddr *)&a, sizeof(a));
        net_stack_forget();
    }
    assert_bounded();
    net_stack_receive(frame,
                      frame_make_udp(PEER, 9, NET_GUEST_IP, 10, "x", 1, frame));
    /* The answer (port unreachable) needs no question. */
    assert_true(net_stack_sent(out, sizeof(out)) > 0);
}

/* A quoted packet whose payload is not in the first buffer. */
static void test_unreachable(void **state)
{
    static unsigned char frame[6000];
    struct frame_ip ip = { .src = PEER, .dst = NET_GUEST_IP, .proto = 99 };
    size_t n = frame_make_ip(&ip, pattern, 5000, frame);
    unsigned char out[100];

    (void)state;
    net_stack_first = 14 + 20;
    net_stack_receive(frame, n);
    assert_int_equal(net_stack_sent(out, sizeof(out)), 14 + 20 + 8 + 28);
    assert_memory_equal(out + 42, frame + 14, 28);
}

/* ---- DNS ---- */

static unsigned int found, found_none;

static void name_found(const char *name, const ip_addr_t *addr, void *arg)
{
    (void)name;
    (void)arg;
    if (addr)
        found = lwip_ntohl(ip4_addr_get_u32(addr));
    else
        found_none++;
}

struct query {
    uint16_t port;
    unsigned char data[300];
    size_t n;
};

static struct query ask(const char *name)
{
    static unsigned char frame[2000];
    const unsigned char *data;
    struct query q = { 0 };
    uint16_t dport;
    ip_addr_t addr;
    size_t n;

    assert_int_equal(dns_gethostbyname(name, &addr, name_found, NULL),
                     ERR_INPROGRESS);
    while ((n = net_stack_sent(frame, sizeof(frame))))
        if (frame_read_udp(frame, n, &q.port, &dport, &data, &q.n) &&
            dport == 53)
            break;
    assert_in_range(q.n, 1, sizeof(q.data));
    memcpy(q.data, data, q.n);
    return q;
}

/* The query's answer with one address. */
static void answer(const struct query *q, uint32_t ip, uint16_t from,
                   uint16_t to)
{
    static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0,
                                            0,    60, 0, 4, 7, 7, 7, 7 };
    unsigned char data[400], frame[600];

    memcpy(data, q->data, q->n);
    data[2] |= 0x80;
    data[7] = 1;
    memcpy(data + q->n, record, sizeof(record));
    net_stack_receive(frame, frame_make_udp(ip, from, NET_GUEST_IP, to, data,
                                            q->n + sizeof(record), frame));
}

static void test_dns_answers(void **state)
{
    struct query a, b, wrong;

    (void)state;
    a = ask("a.example.test");
    b = ask("b.example.test");
    found = 0;
    assert_int_not_equal(a.port, b.port);
    answer(&a, NET_SERVER_IP, 54, a.port);
    answer(&a, NET_SERVER_IP, 0, a.port);
    answer(&a, NET_SERVER_IP + 1, 53, a.port);
    answer(&a, NET_SERVER_IP, 53, b.port);
    answer(&a, NET_SERVER_IP, 53, (uint16_t)(a.port + 1));
    wrong = a;
    wrong.data[1] ^= 1; /* the transaction's number */
    answer(&wrong, NET_SERVER_IP, 53, a.port);
    wrong = a;
    wrong.data[13] = 'x'; /* the name */
    answer(&wrong, NET_SERVER_IP, 53, a.port);
    wrong = a;
    wrong.data[wrong.n - 3] = 28; /* its type */
    answer(&wrong, NET_SERVER_IP, 53, a.port);
    assert_int_equal(found, 0);
    answer(&a, NET_SERVER_IP, 53, a.port);
    assert_int_equal(found, 0x07070707);
    found = 0;
    answer(&b, NET_SERVER_IP, 53, b.port);
    assert_int_equal(found, 0x07070707);
}

/* Each in a process of its own, with a stack of its own. */
static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_mss_without_syn),
    cmocka_unit_test(test_options_without_syn),
    cmocka_unit_test(test_options_of_repeated_syn),
    cmocka_unit_test(test_tiny_mss),
    cmocka_unit_test(test_syn_of_a_stranger),
    cmocka_unit_test(test_out_of_order_beyond_window),
    cmocka_unit_test(test_data_over_fin),
    cmocka_unit_test(test_far_away),
    cmocka_unit_test(test_shutdown),
    cmocka_unit_test(test_probe_is_acknowledged),
    cmocka_unit_test(test_syn_flood),
    cmocka_unit_test(test_backlog),
    cmocka_unit_test(test_backlog_race),
    cmocka_unit_test(test_gaps),
    cmocka_unit_test(test_gaps_of_many),
    cmocka_unit_test(test_unread),
    cmocka_unit_test(test_unread_datagrams),
    cmocka_unit_test(test_tags),
    cmocka_unit_test(test_unacknowledged),
    cmocka_unit_test(test_orphans),
    cmocka_unit_test(test_time_wait),
    cmocka_unit_test(test_time_wait_again),
    cmocka_unit_test(test_time_wait_stays),
    cmocka_unit_test(test_time_wait_of_socket),
    cmocka_unit_test(test_reassembly),
    cmocka_unit_test(test_arp_table),
    cmocka_unit_test(test_unreachable),
    cmocka_unit_test(test_dns_answers),
};

static int run_one(const struct CMUnitTest *test)
{
    const struct CMUnitTest group[] = { *test };

    return cmocka_run_group_tests_name("net_stack", group, setup, teardown);
}

int main(void)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        int status = 1;
        pid_t pid = fork();

        if (pid == 0)
            exit(run_one(&tests[i]));
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
            failed++;
        if (!WIFEXITED(status))
            printf("not ok 1 - %s died\n", tests[i].name);
        fflush(stdout);
    }
    return failed;
}
