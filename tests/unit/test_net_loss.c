/*
 * The guest's TCP sender on a wire that loses segments. Time is simulated, and
 * so is what is lost: a run is the same each time, to the millisecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/sockets.h"

#include "tests/unit/net_peer.h"
#include "tests/unit/net_stack.h"

#define RAM     (16u << 20)
#define PEER    0x0a090009u
#define TOTAL   (1u << 20)
#define ROUND   2   /* ms, to the peer and back */
#define RTO     200 /* ms, at least: no run may need one if it need not */
#define SEGMENT 1460

static const unsigned char with_sack[] = { 2, 4, 0x05, 0xb4, 1, 3,
                                           3, 7, 4,    2,    1, 1 };

/* The segment with this byte is lost so many times. */
struct rule {
    uint32_t byte;
    unsigned int times;
};

/* One connection, on which the guest sends `total` bytes. */
static struct {
    struct net_peer peer;
    int socket;
    uint32_t first; /* sequence number */
    uint32_t total, written, acked;
    struct rule rules[4];
    unsigned int per_mille; /* lost besides, in both directions */
    uint32_t random;
    bool sack;
    unsigned int sent, lost;
} wire;

static char pattern[TOTAL];
static uint8_t have[TOTAL + 1];
static int listener;

static void bug(const char *what, const char *file, int line)
{
    fail_msg("the guest ends: %s (%s:%d)", what, file, line);
}

static int setup(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };

    (void)state;
    net_stack_start(RAM, bug);
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + i / 251);
    listener = lwip_socket(AF_INET, SOCK_STREAM, 0);
    lwip_fcntl(listener, F_SETFL, O_NONBLOCK);
    assert_int_equal(lwip_bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(lwip_listen(listener, 8), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lwip_close(wire.socket);
    lwip_close(listener);
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    net_stack_forget();
    net_stack_pass(120000);
    net_stack_forget();
    assert_int_equal(net_stack_packet_errors, 0);
    return 0;
}

/* ---- the peer ---- */

static void connect_wire(bool sack)
{
    static uint16_t port = 30000;

    memset(&wire, 0, sizeof(wire));
    memset(have, 0, sizeof(have));
    wire.random = 0x2545f491;
    wire.sack = sack;
    wire.peer = (struct net_peer){
        .ip = PEER, .port = port++, .guest_port = 80, .window = 4096
    };
    assert_true(
        peer_connect(&wire.peer, with_sack, sack ? sizeof(with_sack) : 8));
    wire.first = wire.peer.ack;
    wire.socket = lwip_accept(listener, NULL, NULL);
    assert_true(wire.socket >= 0);
    lwip_fcntl(wire.socket, F_SETFL, O_NONBLOCK);
}

static bool lose_any(void)
{
    wire.random = wire.random * 1664525u + 1013904223u;
    return (wire.random >> 8) % 1000 < wire.per_mille;
}

static bool lose(uint32_t at, size_t n)
{
    for (unsigned int i = 0; i < 4; i++) {
        struct rule *r = &wire.rules[i];

        if (r->times && at <= r->byte && r->byte < at + n) {
            r->times--;
            return true;
        }
    }
    return lose_any();
}

static void put_block(unsigned char *at, uint32_t left, uint32_t right)
{
    left = htonl(wire.first + left);
    right = htonl(wire.first + right);
    memcpy(at, &left, 4);
    memcpy(at + 4, &right, 4);
}

/* SACK of what is beyond the acknowledged: the block with `last` first. */
static size_t sack_option(uint32_t last, unsigned char *out)
{
    unsigned int n = 0;
    uint32_t end = wire.acked;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t at = wire.acked; at < wire.total && n < 4; at = end) {
            while (at < wire.total && !have[at])
                at++;
            for (end = at; have[end];)
                end++;
            if (at < end && (at <= last && last < end) == !pass)
                put_block(out + 4 + 8 * n++, at, end);
        }
    }
    memcpy(out, (unsigned char[]){ 1, 1, 5, (unsigned char)(2 + 8 * n) }, 4);
    return n ? 4 + 8 * n : 0;
}

static void answer(const struct frame_tcp *t)
{
    uint32_t at = t->seq - wire.first;
    unsigned char option[40];
    size_t n = 0;

    if (t->n) {
        assert_in_range(at + t->n, t->n, wire.total);
        assert_memory_equal(t->data, pattern + at, t->n);
        memset(have + at, 1, t->n);
    }
    while (have[wire.acked])
        wire.acked++;
    wire.peer.ack = wire.first + wire.acked;
    if (wire.sack)
        n = sack_option(at, option);
    if (!lose_any())
        peer_options(&wire.peer, FRAME_ACK, option, n, NULL, 0);
}

/* What is under way arrives, or does not; half a round trip later. */
static void deliver(void)
{
    static struct frame_tcp batch[1024];
    static char data[1024][SEGMENT];
    unsigned int n = 0;
    struct frame_tcp t;

    while (n < 1024 && peer_receive(&wire.peer, &t)) {
        if (!t.n)
            continue;
        assert_in_range(t.n, 1, SEGMENT);
        wire.sent++;
        if (lose(t.seq - wire.first, t.n)) {
            wire.lost++;
            continue;
        }
        memcpy(data[n], t.data, t.n);
        batch[n] = t;
        batch[n].data = data[n];
        n++;
    }
    net_stack_pass(ROUND);
    for (unsigned int i = 0; i < n; i++)
        answer(&batch[i]);
}

/* Sends it all; returns after how many ms the peer has it. */
static unsigned int run(uint32_t total)
{
    unsigned int ms;

    wire.total = total;
    for (ms = 0; wire.acked < total; ms += ROUND) {
        ssize_t n = lwip_send(wire.socket, pattern + wire.written,
                              total - wire.written, 0);

        if (n > 0)
            wire.written += (uint32_t)n;
        deliver();
        assert_in_range(ms, 0, 600000);
    }
    return ms;
}

/* How long it takes without loss, and in how many segments. */
static unsigned int run_whole(bool sack, uint32_t total, unsigned int *sent)
{
    unsigned int ms;

    connect_wire(sack);
    ms = run(total);
    *sent = wire.sent;
    lwip_close(wire.socket);
    net_stack_forget();
    return ms;
}

/* ---- tests ---- */

static void test_one_lost(void **state)
{
    unsigned int sent, ms;

    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        ms = run_whole(sack, 300000, &sent);
        connect_wire(sack);
        wire.rules[0] = (struct rule){ 100000, 1 };
        assert_in_range(run(300000), ms, ms + 10 * ROUND);
        assert_int_equal(wire.lost, 1);
        assert_int_equal(wire.sent, sent + 1);
        lwip_close(wire.socket);
    }
}

/* Of one window. Each goes once more, and nothing else. */
static void test_several_lost(void **state)
{
    unsigned int sent, ms;

    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        ms = run_whole(sack, 300000, &sent);
        connect_wire(sack);
        for (unsigned int i = 0; i < 4; i++)
            wire.rules[i] = (struct rule){ 100000 + 2 * i * SEGMENT, 1 };
        assert_in_range(run(300000), ms, ms + 20 * ROUND);
        assert_int_equal(wire.lost, 4);
        assert_int_equal(wire.sent, sent + 4);
        lwip_close(wire.socket);
    }
}

/* A segment that was repeated is lost again, and again. */
static void test_lost_again(void **state)
{
    unsigned int sent, ms;

    (void)state;
    ms = run_whole(true, 300000, &sent);
    connect_wire(true);
    wire.rules[0] = (struct rule){ 50000, 3 };
    assert_in_range(run(300000), ms, ms + 20 * ROUND);
    assert_int_equal(wire.lost, 3);
    assert_int_equal(wire.sent, sent + 3);
}

/* Nothing that comes after them tells that the last ones are missing. */
static void test_tail_lost(void **state)
{
    const unsigned int total = 14 * SEGMENT;
    unsigned int sent, ms;

    (void)state;
    ms = run_whole(true, total, &sent);
    connect_wire(true);
    wire.rules[0] = (struct rule){ total - 1, 1 };
    wire.rules[1] = (struct rule){ total - 1 - SEGMENT, 1 };
    assert_in_range(run(total), ms, ms + 20 * ROUND);
    assert_int_equal(wire.lost, 2);
}

/* When the guest sends its only segment, in ms from the first time on. */
static void repeats(unsigned int *at, unsigned int n)
{
    struct frame_tcp t;

    for (unsigned int ms = 0, i = 0; i < n; ms++) {
        while (i < n && peer_receive(&wire.peer, &t))
            if (t.n || t.flags & FRAME_SYN)
                at[i++] = ms;
        net_stack_pass(1);
        assert_in_range(ms, 0, 100000);
    }
}

/* Its acknowledgement may be delayed: a timeout, which doubles. */
static void test_single_lost(void **state)
{
    unsigned int at[6];

    (void)state;
    connect_wire(true);
    run(20 * SEGMENT); /* the round trip is known */
    assert_int_equal(lwip_send(wire.socket, "x", 1, 0), 1);
    repeats(at, 6);
    assert_int_equal(at[0], 0);
    assert_in_range(at[1], RTO, RTO + 2 * ROUND);
    for (int i = 2; i < 6; i++)
        assert_int_equal(at[i] - at[i - 1], 2 * (at[i - 1] - at[i - 2]));
}

/* RFC 6298: a second at first, then twice as long each time. */
static void test_handshake_lost(void **state)
{
    static const unsigned int wanted[] = { 0, 1000, 3000, 7000, 15000 };
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(99),
                             .sin_addr.s_addr = htonl(PEER) };
    socklen_t n = sizeof(a);
    unsigned int at[5];

    (void)state;
    memset(&wire, 0, sizeof(wire));
    wire.socket = lwip_socket(AF_INET, SOCK_STREAM, 0);
    lwip_fcntl(wire.socket, F_SETFL, O_NONBLOCK);
    assert_int_equal(lwip_connect(wire.socket, (struct sockaddr *)&a, n), -1);
    assert_int_equal(lwip_getsockname(wire.socket, (struct sockaddr *)&a, &n),
                     0);
    wire.peer = (struct net_peer){ .ip = PEER,
                                   .port = 99,
                                   .guest_port = ntohs(a.sin_port) };
    repeats(at, 5);
    assert_memory_equal(at, wanted, sizeof(at));
}

/* Whatever is lost, all of it arrives; and there is a limit to the price. */
static void test_rates(void **state)
{
    static const struct {
        unsigned int per_mille, ms, extra; /* at most; segments more */
    } rates[] = {
        { 1, 400, 5 }, { 10, 1200, 20 }, { 30, 3000, 60 }, { 200, 120000, 900 }
    };

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        for (int sack = 0; sack < 2; sack++) {
            unsigned int ms;

            connect_wire(sack);
            wire.per_mille = rates[i].per_mille;
            ms = run(TOTAL);
            print_message("%u/1000 lost, %s SACK: %u ms, %u sent, %u lost\n",
                          rates[i].per_mille, sack ? "with" : "without", ms,
                          wire.sent, wire.lost);
            lwip_close(wire.socket);
            if (!sack)
                continue;
            assert_in_range(ms, 0, rates[i].ms);
            assert_in_range(wire.sent - wire.lost, 0,
                            TOTAL / SEGMENT + 1 + rates[i].extra);
        }
    }
}

/* One block that is told with an acknowledgement of nothing. */
static void tell_block(uint32_t left, uint32_t right)
{
    unsigned char option[12] = { 1, 1, 5, 10 };

    put_block(option + 4, left, right);
    peer_options(&wire.peer, FRAME_ACK, option, sizeof(option), NULL, 0);
}

/*
 * The peer lies: it has everything but the first segment, then it has not.
 * Blocks that cannot be are nothing; and what it said is forgotten in time.
 */
static void test_lies(void **state)
{
    static const struct {
        uint32_t left, right;
    } blocks[] = { { 0, 1u << 31 }, { 5000, 4000 },      { 3000, 3000 },
                   { 0, 1 },        { -1u << 30, 2000 }, { 1, 1u << 30 } };
    struct frame_tcp t;

    (void)state;
    connect_wire(true);
    wire.total = wire.written = 100000;
    assert_int_equal(lwip_send(wire.socket, pattern, 100000, 0), 100000);
    for (unsigned int i = 0; i < 6; i++)
        for (int n = 0; n < 300; n++)
            tell_block(blocks[i].left, blocks[i].right);
    net_stack_forget();
    for (int i = 0; i < 300; i++) {
        tell_block(SEGMENT, 2 * SEGMENT);
        tell_block(2 * SEGMENT, 3 * SEGMENT);
        peer_receive(&wire.peer, &t);
    }
    run(100000);
}

/* Options whose length lies. */
static void test_bad_options(void **state)
{
    unsigned char option[40];

    (void)state;
    connect_wire(true);
    wire.total = wire.written = 50000;
    assert_int_equal(lwip_send(wire.socket, pattern, 50000, 0), 50000);
    for (unsigned int len = 0; len < 256; len++) {
        for (size_t n = 4; n <= 40; n += 4) {
            memset(option, 0xff, sizeof(option));
            option[n - 4] = 1;
            option[n - 3] = 5;
            option[n - 2] = (unsigned char)len;
            peer_options(&wire.peer, FRAME_ACK, option, n, NULL, 0);
            option[0] = 5;
            option[1] = (unsigned char)len;
            peer_options(&wire.peer, FRAME_ACK, option, n, NULL, 0);
        }
    }
    run(50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_handshake_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_options, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
