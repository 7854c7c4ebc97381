/*
 * The guest's TCP/IP stack against its own program: whatever a call is given,
 * and whatever other threads do meanwhile, the guest goes on.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sockets.h"

#include "guest-kernel/net/memory.h"
#include "tests/unit/net_peer.h"
#include "tests/unit/net_stack.h"

#define RAM     (16u << 20)
#define PEER    0x0a090009u
#define LINGERS 5 /* s */

static const unsigned char mss_ws[] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 7 };
static char buf[1 << 20], pattern[1 << 20];
static int listener;
static struct net_peer peer;

static void bug(const char *what, const char *file, int line)
{
    fail_msg("the guest ends: %s (%s:%d)", what, file, line);
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };

    a.sin_addr.s_addr = htonl(ip);
    a.sin_port = htons(port);
    return a;
}

static int setup(void **state)
{
    struct sockaddr_in a = address(0, 80);

    (void)state;
    net_stack_start(RAM, bug);
    net_stack_answers_arp = true;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + i / 251);
    listener = lwip_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(lwip_bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(lwip_listen(listener, 8), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_stack_meanwhile = NULL;
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
    return 0;
}

/* A peer with this window connects; returns the guest's socket. */
static int connected(uint16_t window)
{
    static uint16_t port = 30000;
    int s;

    peer = (struct net_peer){
        .ip = PEER, .port = port++, .guest_port = 80, .window = window
    };
    assert_true(peer_connect(&peer, mss_ws, sizeof(mss_ws)));
    s = lwip_accept(listener, NULL, NULL);
    assert_true(s >= 0);
    return s;
}

static void set_nonblocking(int s, bool on)
{
    assert_int_equal(lwip_fcntl(s, F_SETFL, on ? O_NONBLOCK : 0), 0);
}

static void set_linger(int s)
{
    struct linger l = { .l_onoff = 1, .l_linger = LINGERS };

    assert_int_equal(lwip_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)),
                     0);
}

/* The peer takes what comes, and acknowledges it. */
static size_t taken;

static void peer_takes(bool over)
{
    if (!over)
        taken += peer_stream(&peer, buf + taken, sizeof(buf) - taken);
}

static ssize_t send_pieces(int s, const struct sockaddr_in *to,
                           struct iovec *pieces, int n)
{
    struct msghdr m = { .msg_iov = pieces, .msg_iovlen = n };
    struct sockaddr_in name;

    if (to) {
        name = *to;
        m.msg_name = &name;
        m.msg_namelen = sizeof(name);
    }
    return lwip_sendmsg(s, &m, 0);
}

/* ---- messages of several pieces ---- */

/* The datagram that the guest sent, if it is the pattern's first n bytes. */
static bool sent_datagram(size_t n)
{
    static unsigned char frame[FRAME_BYTES];
    const unsigned char *data;
    uint16_t sport, dport;
    size_t len, got;

    while ((len = net_stack_sent(frame, sizeof(frame))))
        if (frame_read_udp(frame, len, &sport, &dport, &data, &got))
            return got == n && memcmp(data, pattern, n) == 0;
    return false;
}

/* Pieces that are empty, to an address that ARP does not know yet. */
static void test_empty_pieces_of_datagram(void **state)
{
    struct iovec pieces[] = {
        { NULL, 0 }, { pattern, 600 },       { NULL, 0 },
        { NULL, 0 }, { pattern + 600, 100 }, { NULL, 0 },
    };
    int s = lwip_socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    for (int first = 0; first < 2; first++) {
        for (int n = 2; n <= 6 - first; n++) {
            struct sockaddr_in to =
                address(0x0a090020u + (uint32_t)(6 * first + n), 9);
            ssize_t len = n < 5 - first ? 600 : 700;

            assert_int_equal(send_pieces(s, &to, pieces + first, n), len);
            assert_true(sent_datagram((size_t)len));
        }
    }
}

/* The same on the loopback interface, which goes on working. */
static void test_empty_pieces_on_loopback(void **state)
{
    struct iovec pieces[] = { { pattern, 600 }, { NULL, 0 } };
    struct sockaddr_in a = address(INADDR_LOOPBACK, 9000);
    int s = lwip_socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    assert_int_equal(lwip_bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(send_pieces(s, &a, pieces, 2), 600);
        netif_poll(netif_find("lo0"));
        assert_int_equal(lwip_recv(s, buf, sizeof(buf), MSG_DONTWAIT), 600);
        assert_memory_equal(buf, pattern, 600);
    }
}

/* Of a stream, while memory is short: it waits for its acknowledgement. */
static void test_empty_pieces_of_stream(void **state)
{
    struct iovec pieces[] = {
        { NULL, 0 }, { pattern, 600 },       { NULL, 0 },
        { NULL, 0 }, { pattern + 600, 100 }, { NULL, 0 },
    };
    int s = connected(65535);
    void *hog;

    (void)state;
    assert_int_equal(send_pieces(s, NULL, pieces, 6), 700);
    taken = peer_stream(&peer, buf, sizeof(buf));
    assert_int_equal(taken, 700);
    assert_memory_equal(buf, pattern, 700);
    hog = net_heap_alloc(net_memory_limit());
    assert_non_null(hog);
    assert_true(net_memory_short());
    net_stack_meanwhile = peer_takes;
    taken = 0;
    assert_int_equal(send_pieces(s, NULL, pieces, 6), 700);
    taken += peer_stream(&peer, buf + taken, sizeof(buf) - taken);
    assert_int_equal(taken, 700);
    assert_memory_equal(buf, pattern, 700);
    net_heap_free(hog);
}

/* A full buffer with exactly 64 KiB left of a piece that is not the last. */
static void test_pieces_of_64k(void **state)
{
    struct iovec pieces[] = {
        { pattern, TCP_SND_BUF + 65536 },
        { pattern + TCP_SND_BUF + 65536, 1 },
    };
    int s = connected(1000);

    (void)state;
    net_stack_meanwhile = peer_takes;
    taken = 0;
    alarm(60); /* it was an endless loop */
    assert_int_equal(send_pieces(s, NULL, pieces, 2), TCP_SND_BUF + 65537);
    alarm(0);
    while (taken < TCP_SND_BUF + 65537) {
        peer_takes(false);
        net_stack_pass(250);
    }
    assert_memory_equal(buf, pattern, TCP_SND_BUF + 65537);
}

/* ---- several threads ---- */

static int shared;

/*
 * A second thread: it has the baton, and the test waits, until it waits in a
 * call or ends.
 */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool runs; /* it has the baton */
    ssize_t result;
} second = { .lock = PTHREAD_MUTEX_INITIALIZER,
             .changed = PTHREAD_COND_INITIALIZER };

/* Gives the baton, and waits for it. */
static void baton(bool to_second, bool come_back)
{
    pthread_mutex_lock(&second.lock);
    second.runs = to_second;
    pthread_cond_signal(&second.changed);
    while (come_back && second.runs == to_second)
        pthread_cond_wait(&second.changed, &second.lock);
    pthread_mutex_unlock(&second.lock);
}

static void *second_sends(void *arg)
{
    (void)arg;
    second.result = lwip_send(shared, pattern, 300000, 0);
    baton(false, false);
    return NULL;
}

static void second_starts(void)
{
    pthread_mutex_lock(&second.lock);
    second.runs = true;
    assert_int_equal(pthread_create(&second.thread, NULL, second_sends, NULL),
                     0);
    while (second.runs)
        pthread_cond_wait(&second.changed, &second.lock);
    pthread_mutex_unlock(&second.lock);
}

/* The peer takes what the first thread has sent. Then the second one comes
 * before it, and waits in turn. */
static void second_comes_first(bool over)
{
    static pthread_t first;

    if (!second.thread)
        first = pthread_self();
    if (pthread_equal(first, pthread_self())) {
        peer_takes(over);
        if (over)
            second_starts();
    } else if (!over && taken < 600000) {
        baton(false, true);
        peer_takes(false);
    }
}

static void test_two_senders(void **state)
{
    (void)state;
    shared = connected(65535);
    taken = 0;
    net_stack_meanwhile = second_comes_first;
    assert_int_equal(lwip_send(shared, pattern, 300000, 0), 300000);
    while (second.result == 0)
        baton(true, true);
    pthread_join(second.thread, NULL);
    assert_int_equal(second.result, 300000);
}

/* A sender waits, and somebody makes its socket nonblocking, or sets a limit of
 * time: it returns what it has sent. */
static void becomes_nonblocking(bool over)
{
    if (!over)
        set_nonblocking(shared, true);
    peer_takes(over);
}

static void gets_limit(bool over)
{
    struct timeval soon = { .tv_usec = 1000 };

    if (!over)
        assert_int_equal(lwip_setsockopt(shared, SOL_SOCKET, SO_SNDTIMEO, &soon,
                                         sizeof(soon)),
                         0);
}

static void test_send_while_changed(void **state)
{
    ssize_t n;

    (void)state;
    shared = connected(1000);
    taken = 0;
    net_stack_meanwhile = becomes_nonblocking;
    n = lwip_send(shared, pattern, sizeof(pattern), 0);
    assert_in_range(n, TCP_SND_BUF, sizeof(pattern) - 1);
    shared = connected(1000);
    net_stack_meanwhile = gets_limit;
    n = lwip_send(shared, pattern, sizeof(pattern), 0);
    assert_in_range(n, 1, sizeof(pattern) - 1);
}

/* One shuts it down, which lingers, and another does as well. */
static int others[3];

static void others_shut_down(bool over)
{
    if (over)
        return;
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
        others[how] = lwip_shutdown(shared, how);
    peer_takes(false);
}

static void test_two_shut_down(void **state)
{
    (void)state;
    shared = connected(65535);
    set_linger(shared);
    assert_int_equal(lwip_send(shared, pattern, 1000, 0), 1000);
    taken = 0;
    net_stack_meanwhile = others_shut_down;
    assert_int_equal(lwip_shutdown(shared, SHUT_RDWR), 0);
    assert_int_equal(taken, 1000);
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
        assert_int_equal(others[how], -1);
}

/* ---- lingering ---- */

static unsigned int waits;

static void count_waits(bool over)
{
    waits += !over;
}

static void assert_closes_at_once(int s)
{
    waits = 0;
    net_stack_meanwhile = count_waits;
    assert_int_equal(lwip_close(s), 0);
    assert_int_equal(waits, 0);
}

/* Data are under way, and some that came were not read: a reset. */
static void test_linger_unread(void **state)
{
    struct frame_tcp t = { .flags = 0 };
    int s = connected(65535);

    (void)state;
    set_linger(s);
    assert_int_equal(lwip_send(s, pattern, 1000, 0), 1000);
    peer_segment(&peer, FRAME_ACK, 0, "unread", 6);
    assert_closes_at_once(s);
    while (peer_receive(&peer, &t) && !(t.flags & FRAME_RST))
        continue;
    assert_true(t.flags & FRAME_RST);
}

/* The connection is not yet made. */
static void test_linger_connecting(void **state)
{
    struct sockaddr_in a = address(PEER, 81);
    int s = lwip_socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    set_linger(s);
    set_nonblocking(s, true);
    assert_int_equal(lwip_connect(s, (struct sockaddr *)&a, sizeof(a)), -1);
    set_nonblocking(s, false);
    assert_closes_at_once(s);
}

/* It is nonblocking: the data are sent, and nobody waits. */
static void test_linger_nonblocking(void **state)
{
    (void)state;
    for (int shut_down = 0; shut_down < 2; shut_down++) {
        int s = connected(65535);

        set_linger(s);
        set_nonblocking(s, true);
        assert_int_equal(lwip_send(s, pattern, 1000, 0), 1000);
        if (shut_down)
            assert_int_equal(lwip_shutdown(s, SHUT_RDWR), 0);
        assert_closes_at_once(s);
        assert_int_equal(peer_stream(&peer, buf, sizeof(buf)), 1000);
        /* Its end, whoever has a pointer to it. */
        peer_segment(&peer, FRAME_RST | FRAME_ACK, 0, NULL, 0);
    }
}

/* The time is over, and only then one of three segments is acknowledged. */
static void acknowledges_late(bool over)
{
    if (!over && waits++ * NET_STACK_TICK_MS == LINGERS * 1000) {
        peer.ack += 1460;
        peer_ack(&peer);
    }
}

/* Wherever the timer is that looks at it twice a second. */
static void test_linger_expires(void **state)
{
    struct frame_tcp t;

    (void)state;
    for (unsigned int phase = 0; phase < 500; phase += NET_STACK_TICK_MS) {
        int s = connected(65535);
        uint32_t none = peer.ack;

        set_linger(s);
        net_stack_meanwhile = acknowledges_late;
        net_stack_pass(phase);
        assert_int_equal(lwip_send(s, pattern, 4000, 0), 4000);
        while (peer_receive(&peer, &t))
            continue;
        peer.ack = none;
        waits = 0;
        assert_int_equal(lwip_close(s), 0);
        assert_in_range(waits * NET_STACK_TICK_MS, LINGERS * 1000,
                        LINGERS * 1000 + 550);
        while (peer_receive(&peer, &t) && !(t.flags & FRAME_RST))
            continue;
        assert_true(t.flags & FRAME_RST);
    }
}

/* The peer ends the connection as well, before or after; and acknowledges the
 * data, and the FIN, one by one. */
static bool peer_is_first;

static void ends_step_by_step(bool over)
{
    if (over)
        return;
    waits++;
    if (waits == 3 || waits == 5) {
        peer.ack += waits == 3 ? 1000 : 1;
        peer_ack(&peer);
    }
    if (waits == 6 && !peer_is_first)
        peer_segment(&peer, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
}

static void test_linger_to_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int s = connected(65535);

        peer_is_first = i == 0;
        set_linger(s);
        assert_int_equal(lwip_send(s, pattern, 1000, 0), 1000);
        if (peer_is_first) {
            peer_segment(&peer, FRAME_FIN | FRAME_ACK, 0, NULL, 0);
            peer.seq++;
        }
        waits = 0;
        net_stack_meanwhile = ends_step_by_step;
        assert_int_equal(lwip_close(s), 0);
        assert_in_range(waits, 5, 20);
    }
}

/* Data are under way and all was read: it waits. */
static void test_linger_waits(void **state)
{
    int s = connected(65535);

    (void)state;
    set_linger(s);
    assert_int_equal(lwip_send(s, pattern, 1000, 0), 1000);
    taken = 0;
    net_stack_meanwhile = peer_takes;
    assert_int_equal(lwip_close(s), 0);
    assert_int_equal(taken, 1000);
}

/* ---- others ---- */

/* One socket in as many places as poll() takes. */
static void test_poll_one_often(void **state)
{
    static struct pollfd fds[300];
    int s = connected(65535);

    (void)state;
    for (int i = 0; i < 300; i++)
        fds[i] = (struct pollfd){ .fd = s, .events = POLLIN };
    assert_int_equal(lwip_poll(fds, 300, 100), 0);
    peer_segment(&peer, FRAME_ACK, 0, "x", 1);
    assert_int_equal(lwip_poll(fds, 300, 100), 300);
}

/* Every option of a socket whose connection was reset. */
static void test_options_after_reset(void **state)
{
    static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP };
    union {
        struct ifreq device;
        struct linger linger;
        char bytes[64];
        int number;
    } value = { .bytes = { 0 } };
    int s = connected(65535);

    (void)state;
    peer_segment(&peer, FRAME_RST | FRAME_ACK, 0, NULL, 0);
    for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++) {
        for (int name = 0; name < 0x2000; name++) {
            socklen_t len = sizeof(value);

            lwip_getsockopt(s, levels[l], name, &value, &len);
            memset(&value, 0, sizeof(value));
            lwip_setsockopt(s, levels[l], name, &value, sizeof(value));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty_pieces_of_datagram),
        TEST(test_empty_pieces_on_loopback),
        TEST(test_empty_pieces_of_stream),
        TEST(test_pieces_of_64k),
        TEST(test_two_senders),
        TEST(test_send_while_changed),
        TEST(test_two_shut_down),
        TEST(test_linger_unread),
        TEST(test_linger_connecting),
        TEST(test_linger_nonblocking),
        TEST(test_linger_expires),
        TEST(test_linger_to_the_end),
        TEST(test_linger_waits),
        TEST(test_poll_one_often),
        TEST(test_options_after_reset),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
