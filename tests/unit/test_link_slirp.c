/*
 * The NAT link: a guest made of a few frames asks for an address, is
 * connected to through a forwarded port, and is told when a port is taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "link.h"
#include "nat_packet.h"
#include "tests/unit/net_frame.h"

static const uint8_t guest_mac[6] = { 0x00, 0x16, 0x3e, 1, 2, 3 };

struct guest {
    struct event_base *base;
    struct link *link;
    uint8_t frame[LINK_FRAME_MAX];
    size_t len;
    unsigned int frames;
    bool (*wanted)(const uint8_t *frame, size_t len);
    bool seen;
};

static void guest_receive(void *arg, const void *frame, size_t len)
{
    struct guest *g = arg;

    g->frames++;
    if (g->seen || (g->wanted && !g->wanted(frame, len)))
        return;
    memcpy(g->frame, frame, len);
    g->len = len;
    g->seen = true;
    event_base_loopbreak(g->base);
}

static void timed_out(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

/* Runs the loop until a wanted frame came, or for a while. */
static bool guest_wait(struct guest *g,
                       bool (*wanted)(const uint8_t *frame, size_t len))
{
    struct event *timer = evtimer_new(g->base, timed_out, g->base);
    struct timeval patience = { 10, 0 };

    g->wanted = wanted;
    g->seen = false;
    g->link->ops->flush(g->link);
    evtimer_add(timer, &patience);
    event_base_loop(g->base, 0);
    event_free(timer);
    return g->seen;
}

static int guest_start(struct guest *g, const struct link_config *config,
                       char *why, size_t n)
{
    struct link_user user = { .receive = guest_receive, .arg = g };
    int err;

    memset(g, 0, sizeof(*g));
    g->base = event_base_new();
    assert_non_null(g->base);
    err = link_slirp.open(g->base, config, &user, &g->link, why, n);
    if (err)
        event_base_free(g->base);
    return err;
}

static void guest_stop(struct guest *g)
{
    g->link->ops->close(g->link);
    event_base_free(g->base);
}

/* Ethernet, IPv4 and UDP around a BOOTP request with DHCP DISCOVER. */
static size_t dhcp_discover(uint8_t *f)
{
    static const uint8_t options[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
    uint8_t bootp[236 + sizeof(options)] = { 1, 1, 6 };
    size_t len;

    memcpy(bootp + 4, "\x12\x34\x56\x78", 4);
    memcpy(bootp + 28, guest_mac, 6);
    memcpy(bootp + 236, options, sizeof(options));
    len = frame_make_udp(0, 68, UINT32_MAX, 67, bootp, sizeof(bootp), f);
    memset(f, 0xff, 6);
    memcpy(f + 6, guest_mac, 6);
    return len;
}

static bool is_dhcp_answer(const uint8_t *f, size_t len)
{
    return len > 14 + 28 + 240 && f[12] == 8 && f[13] == 0 && f[14 + 9] == 17 &&
           f[14 + 23] == 68 && !memcmp(f + 14 + 32, "\x12\x34\x56\x78", 4);
}

static void test_dhcp(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX };
    uint8_t frame[600];
    struct guest g;
    char why[100];

    (void)state;
    assert_int_equal(guest_start(&g, &config, why, sizeof(why)), 0);
    g.link->ops->send(g.link, frame, dhcp_discover(frame));
    /* The answer may have come inside send(). */
    if (!g.seen)
        assert_true(guest_wait(&g, is_dhcp_answer));
    assert_true(is_dhcp_answer(g.frame, g.len));
    assert_memory_equal(g.frame + 14 + 28 + 16, "\x0a\x00\x02\x0f", 4);
    guest_stop(&g);
}

/* A listening socket on a free port of the loopback address. */
static int listener(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return s;
}

static struct link_config forward_config(uint16_t port)
{
    struct link_config config = { .mtu = 1500, .n_forwards = 1 };

    config.forwards[0].host.s_addr = htonl(INADDR_LOOPBACK);
    config.forwards[0].host_port = port;
    config.forwards[0].guest_port = 80;
    return config;
}

static void test_port_taken(void **state)
{
    struct link_config config;
    struct guest g;
    char why[100] = "";
    uint16_t port;
    int s = listener(&port);

    (void)state;
    config = forward_config(port);
    assert_int_equal(guest_start(&g, &config, why, sizeof(why)), -EADDRINUSE);
    assert_non_null(strstr(why, "is taken"));
    assert_non_null(strstr(why, "127.0.0.1"));
    close(s);
}

static bool is_arp_request(const uint8_t *f, size_t len)
{
    return len >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 1 &&
           !memcmp(f + 38, "\x0a\x00\x02\x0f", 4);
}

static bool is_syn(const uint8_t *f, size_t len)
{
    return len >= 54 && f[12] == 8 && f[13] == 0 && f[23] == 6 &&
           f[14 + 20 + 13] == 2;
}

/* "10.0.2.15 is at guest_mac", as an answer to the request. */
static void arp_answer(struct guest *g)
{
    uint8_t f[42];

    memcpy(f, g->frame, sizeof(f));
    memcpy(f, g->frame + 6, 6);
    memcpy(f + 6, guest_mac, 6);
    f[21] = 2;
    memcpy(f + 22, guest_mac, 6);
    memcpy(f + 28, "\x0a\x00\x02\x0f", 4);
    memcpy(f + 32, g->frame + 22, 10);
    g->link->ops->send(g->link, f, sizeof(f));
}

/* With a forward to its port 80; returns the host's port. */
static uint16_t start_with_forward(struct guest *g)
{
    struct link_config config;
    char why[100];
    uint16_t port;

    close(listener(&port));
    config = forward_config(port);
    assert_int_equal(guest_start(g, &config, why, sizeof(why)), 0);
    return port;
}

/* A connection to the host's port arrives at the guest. */
static void assert_forwards(struct guest *g, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    if (connect(s, (struct sockaddr *)&a, sizeof(a)))
        assert_int_equal(errno, EINPROGRESS);
    assert_true(guest_wait(g, is_arp_request));
    arp_answer(g);
    assert_true(guest_wait(g, is_syn));
    assert_memory_equal(g->frame, guest_mac, 6);
    assert_int_equal(g->frame[14 + 20 + 3], 80);
    close(s);
}

static void test_forward(void **state)
{
    struct guest g;
    uint16_t port = start_with_forward(&g);

    (void)state;
    assert_forwards(&g, port);
    guest_stop(&g);
}

/* Links share a table of descriptors. Those of one that has gone come back for
 * another, and those that stay are still served. */
static void test_links_come_and_go(void **state)
{
    struct guest stays, goes, comes;
    uint16_t stays_port = start_with_forward(&stays), port;

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        port = start_with_forward(&goes);
        if (i)
            assert_forwards(&goes, port);
        guest_stop(&goes);
    }
    port = start_with_forward(&comes);
    assert_forwards(&stays, stays_port);
    assert_forwards(&comes, port);
    guest_stop(&comes);
    guest_stop(&stays);
}

/* A SYN of the guest to a port of 10.0.2.2. */
static void send_syn(struct guest *g, uint16_t port)
{
    struct frame_tcp t = { .src = NAT_GUEST,
                           .dst = NAT_GATEWAY,
                           .sport = 10240,
                           .dport = port,
                           .flags = FRAME_SYN,
                           .window = 0xff00 };
    uint8_t f[54];
    size_t len = frame_make_tcp(&t, f);

    memcpy(f, "\x52\x55\x0a\x00\x02\x02", 6);
    memcpy(f + 6, guest_mac, 6);
    g->link->ops->send(g->link, f, len);
}

/* Does a connection of the guest arrive at the host's 127.0.0.1? */
static bool reaches_loopback(bool allowed)
{
    struct link_config config = { .mtu = 1500, .host_loopback = allowed };
    struct guest g;
    char why[100];
    uint16_t port;
    int s = listener(&port), c;

    fcntl(s, F_SETFL, O_NONBLOCK);
    assert_int_equal(guest_start(&g, &config, why, sizeof(why)), 0);
    send_syn(&g, port);
    g.link->ops->flush(g.link);
    c = accept(s, NULL, NULL);
    if (c >= 0)
        close(c);
    close(s);
    guest_stop(&g);
    return c >= 0;
}

static void test_host_loopback(void **state)
{
    (void)state;
    assert_false(reaches_loopback(false));
    assert_true(reaches_loopback(true));
}

/* A paused link leaves connections in the host's kernel. */
static void test_pause(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    struct link_config config;
    struct guest g;
    char why[100];
    uint16_t port;
    int s = listener(&port);

    (void)state;
    close(s);
    config = forward_config(port);
    assert_int_equal(guest_start(&g, &config, why, sizeof(why)), 0);
    g.link->ops->pause(g.link, true);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    if (connect(s, (struct sockaddr *)&a, sizeof(a)))
        assert_int_equal(errno, EINPROGRESS);
    for (int i = 0; i < 20; i++)
        event_base_loop(g.base, EVLOOP_NONBLOCK);
    assert_int_equal(g.frames, 0);
    g.link->ops->pause(g.link, false);
    assert_true(guest_wait(&g, is_arp_request));
    close(s);
    guest_stop(&g);
}

/* Frames that no decent guest sends, and one too short for an address. */
static void test_hostile_frames(void **state)
{
    struct link_config config = { .mtu = LINK_MTU_MAX };
    static uint8_t frame[LINK_FRAME_MAX];
    struct guest g;
    char why[100];

    (void)state;
    srandom(1);
    assert_int_equal(guest_start(&g, &config, why, sizeof(why)), 0);
    for (int i = 0; i < 3000; i++) {
        size_t len = 34 + (size_t)random() % 200;

        if (i % 100 == 0)
            len = LINK_FRAME_MAX;
        for (size_t j = 0; j < len && j < 300; j++)
            frame[j] = (uint8_t)random();
        if (i % 4) {
            frame[12] = 8;
            frame[13] = i % 8 ? 0 : 6;
            frame[14] = 0x45;
        }
        /* Nothing may leave this machine: to 10.0.2.2 and nowhere else. */
        memcpy(frame + 30, "\x0a\x00\x02\x02", 4);
        g.link->ops->send(g.link, frame, len);
    }
    g.link->ops->send(g.link, frame, LINK_HEADER);
    g.link->ops->flush(g.link);
    guest_stop(&g);
}

static void test_forward_text(void **state)
{
    struct link_config c;
    char why[100], many[1000] = "";

    (void)state;
    assert_int_equal(
        link_parse_forwards("tcp:8080:80, udp:0.0.0.0:53:5353", &c, why, 100),
        0);
    assert_int_equal(c.n_forwards, 2);
    assert_false(c.forwards[0].udp);
    assert_int_equal(c.forwards[0].host.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(c.forwards[0].host_port, 8080);
    assert_int_equal(c.forwards[0].guest_port, 80);
    assert_true(c.forwards[1].udp);
    assert_int_equal(c.forwards[1].host.s_addr, 0);
    assert_int_equal(link_parse_forwards("", &c, why, 100), 0);
    assert_int_equal(c.n_forwards, 0);

    for (const char *const *bad =
             (const char *const[]){
                 "tcp", "tcp:80", "sctp:1:2", "tcp:0:80", "tcp:80:65536",
                 "tcp:-1:80", "tcp:x:1:2", "tcp:1.2.3:1:2", "tcp:1.2.3.4:1:2:3",
                 "tcp:8o:80", "tcp::80", "tcp:80:80;rm", NULL };
         *bad; bad++) {
        assert_int_equal(link_parse_forwards(*bad, &c, why, 100), -EINVAL);
        assert_non_null(strstr(why, *bad));
    }
    for (int i = 0; i <= LINK_FORWARDS_MAX; i++)
        strcat(many, "tcp:1:2 ");
    assert_int_equal(link_parse_forwards(many, &c, why, 100), -E2BIG);
    memset(many, 'x', sizeof(many) - 1);
    assert_int_equal(link_parse_forwards(many, &c, why, 100), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_text),
        cmocka_unit_test(test_dhcp),
        cmocka_unit_test(test_port_taken),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_host_loopback),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_hostile_frames),
        cmocka_unit_test(test_links_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
