/*
 * netback from outside: what it reads and writes in the store, from the
 * toolstack's directory to a card that sends a frame, and what makes it refuse.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "fake_host.h"
#include "netback.h"
#include "ring_poll.h"
#include "xenbus_backend.h"

#include <xen/io/netif.h>

#define BACK  "/local/domain/1/backend/vif/5/0"
#define FRONT "/local/domain/5/device/vif/0"

#define TX_REF 10 /* references are pages of the fake guest */
#define RX_REF 11
#define DATA   12

static struct driver driver;
static struct xenbus_room *room;
static const struct backend_ops *const ops[] = { &netback_ops };

static void set(const char *path, const char *value)
{
    fake_store_set(driver.store, path, value);
}

static const char *get(const char *node)
{
    char path[100];

    snprintf(path, sizeof(path), BACK "/%s", node);
    return fake_store_get(driver.store, path);
}

static void expect(const char *node, const char *value)
{
    const char *is = get(node);

    assert_non_null(is);
    assert_string_equal(is, value);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

static void settle(void)
{
    struct timeval t = { .tv_usec = 5000 };

    event_base_once(driver.base, -1, EV_TIMEOUT, stop, driver.base, &t);
    poll_room_run(driver.poll);
}

/* The toolstack's directory; more nodes may be set before. */
static void make_device(const char *type)
{
    set(BACK "/type", type);
    set(BACK "/frontend", FRONT);
    set(BACK "/frontend-id", "5");
    set(BACK "/online", "1");
    set(FRONT "/state", "1");
    set(BACK "/state", "1");
    settle();
}

/* What netfront writes. */
static void front_connects(void)
{
    struct netif_tx_sring *tx = fake_page(TX_REF);
    struct netif_rx_sring *rx = fake_page(RX_REF);

    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    set(FRONT "/tx-ring-ref", "10");
    set(FRONT "/rx-ring-ref", "11");
    set(FRONT "/request-rx-copy", "1");
    set(FRONT "/feature-sg", "1");
    set(FRONT "/feature-persistent", "1");
    set(FRONT "/state", "4");
    settle();
}

static void connect_whole(void)
{
    make_device("nat");
    set(FRONT "/event-channel", "2");
    front_connects();
    expect("state", "4");
}

/* The guest sends a frame of which netback takes one request. */
static void guest_sends(unsigned int size, unsigned int ref)
{
    struct netif_tx_sring *tx = fake_page(TX_REF);

    tx->ring[tx->req_prod % 256].req =
        (struct netif_tx_request){ .gref = ref, .size = (uint16_t)size };
    tx->req_prod++;
    fake_guest_sends();
    settle();
}

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    driver.base = event_base_new();
    driver.store = fake_store_new(driver.base);
    if (poll_room_new(driver.base, &driver.poll))
        return -1;
    return xenbus_backend_start(&driver, ops, 1, &room);
}

static int teardown(void **state)
{
    (void)state;
    xenbus_backend_stop(room);
    assert_int_equal(fake.maps, 0);
    assert_int_equal(fake.bound, 0);
    poll_room_free(driver.poll);
    store_close(driver.store);
    event_base_free(driver.base);
    return 0;
}

static void test_offer(void **state)
{
    (void)state;
    make_device("nat");
    expect("state", "2");
    expect("feature-rx-copy", "1");
    expect("feature-sg", "1");
    expect("feature-split-event-channels", "1");
    expect("feature-persistent", "1");
    expect("mtu", "65520");
}

static void test_mtu(void **state)
{
    (void)state;
    set(BACK "/mtu", "9000");
    make_device("nat");
    expect("mtu", "9000");
}

static void refused(const char *type, const char *word)
{
    make_device(type);
    assert_non_null(get("hotplug-error"));
    if (!strstr(get("hotplug-error"), word))
        print_error("%s\n", get("hotplug-error"));
    assert_non_null(strstr(get("hotplug-error"), word));
    expect("state", "6");
}

static void test_unknown_type(void **state)
{
    (void)state;
    refused("carrier-pigeon", "unknown vif type \"carrier-pigeon\"");
}

static void test_bad_mtu(void **state)
{
    (void)state;
    set(BACK "/mtu", "67");
    refused("nat", "mtu");
}

static void test_bad_forward(void **state)
{
    (void)state;
    set(BACK "/forward", "tcp:80");
    refused("nat", "bad forward \"tcp:80\"");
}

static void test_bad_tap(void **state)
{
    (void)state;
    set(BACK "/tap", "a-name-that-is-too-long");
    refused("tap", "TAP device");
}

static void test_taken_port(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(a);
    char forward[60];

    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
    snprintf(forward, sizeof(forward), "tcp:127.0.0.1:%u:80",
             ntohs(a.sin_port));
    set(BACK "/forward", forward);
    refused("nat", "is taken");
    close(s);
}

static void test_connect(void **state)
{
    struct netif_tx_sring *tx = fake_page(TX_REF);

    (void)state;
    connect_whole();
    assert_int_equal(fake.bound, 1);
    guest_sends(60, DATA);
    assert_int_equal(tx->rsp_prod, 1);
    assert_int_equal(tx->ring[0].rsp.status, NETIF_RSP_OKAY);
    assert_int_equal(fake.mapped[DATA], 1);
    assert_true(fake.notified > 0);
}

/* What the guest sends is only read, whether its grants persist or not. */
static void test_read_only_grant(void **state)
{
    struct netif_tx_sring *tx = fake_page(TX_REF);

    (void)state;
    connect_whole();
    fake.read_only[DATA] = true;
    guest_sends(60, DATA);
    guest_sends(60, DATA);
    assert_int_equal(tx->rsp_prod, 2);
    assert_int_equal(tx->ring[1].rsp.status, NETIF_RSP_OKAY);
    expect("state", "4");
}

static void test_split_channels(void **state)
{
    (void)state;
    make_device("nat");
    set(FRONT "/event-channel-tx", "2");
    set(FRONT "/event-channel-rx", "3");
    front_connects();
    expect("state", "4");
    assert_int_equal(fake.bound, 2);
}

/* The guest closes and comes again. */
static void test_reconnect(void **state)
{
    (void)state;
    connect_whole();
    guest_sends(60, DATA);
    set(FRONT "/state", "5");
    settle();
    assert_int_equal(fake.maps, 0);
    assert_int_equal(fake.bound, 0);
    set(FRONT "/state", "6");
    settle();
    set(FRONT "/state", "1");
    settle();
    expect("state", "2");
    front_connects();
    expect("state", "4");
    guest_sends(60, DATA);
    assert_int_equal(fake.mapped[DATA], 1);
}

/* Whatever is wrong, nothing of the guest stays mapped or bound. */
static void front_refused(const char *word)
{
    assert_non_null(get("hotplug-error"));
    if (!strstr(get("hotplug-error"), word))
        print_error("%s\n", get("hotplug-error"));
    assert_non_null(strstr(get("hotplug-error"), word));
    assert_string_not_equal(get("state"), "4");
    assert_int_equal(fake.maps, 0);
    assert_int_equal(fake.bound, 0);
}

static void test_without_rx_copy(void **state)
{
    (void)state;
    make_device("nat");
    set(FRONT "/event-channel", "2");
    set(FRONT "/tx-ring-ref", "10");
    set(FRONT "/rx-ring-ref", "11");
    set(FRONT "/state", "4");
    settle();
    front_refused("request-rx-copy");
}

static void test_bad_ring_ref(void **state)
{
    (void)state;
    make_device("nat");
    set(FRONT "/event-channel", "2");
    fake.denied[RX_REF] = true;
    front_connects();
    front_refused("rx-ring-ref");
}

static void test_without_channel(void **state)
{
    (void)state;
    make_device("nat");
    front_connects();
    front_refused("event channel");
}

static void test_half_a_channel(void **state)
{
    (void)state;
    make_device("nat");
    set(FRONT "/event-channel-tx", "2");
    front_connects();
    front_refused("event channel");
}

static void test_many_queues(void **state)
{
    (void)state;
    make_device("nat");
    set(FRONT "/multi-queue-num-queues", "2");
    set(FRONT "/event-channel", "2");
    front_connects();
    front_refused("queue");
}

static void test_broken_ring(void **state)
{
    struct netif_tx_sring *tx = fake_page(TX_REF);

    (void)state;
    connect_whole();
    tx->req_prod = 12345;
    fake_guest_sends();
    settle();
    front_refused("producer index is impossible");
}

static void test_denied_page(void **state)
{
    (void)state;
    connect_whole();
    fake.denied[DATA] = true;
    guest_sends(60, DATA);
    front_refused("not granted");
}

/* The device's counters have this word, as in " tx_dropped=1". */
static void assert_told(const char *word)
{
    struct evbuffer *out = evbuffer_new();
    const char *text;

    xenbus_backend_tell(room, out);
    evbuffer_add(out, "", 1);
    text = (const char *)evbuffer_pullup(out, -1);
    if (!strstr(text, word))
        print_error("%s: %s\n", word, text);
    assert_non_null(strstr(text, word));
    evbuffer_free(out);
}

/* A frame of the guest from another hardware address, then from its own. */
static void send_two(void)
{
    uint8_t *frame = fake_page(DATA);

    memset(frame, 0, 60);
    guest_sends(60, DATA);
    memcpy(frame + 6, "\x00\x16\x3e\x01\x02\x03", 6);
    guest_sends(60, DATA);
    assert_told(" tx_packets=2 ");
}

static void test_antispoof(void **state)
{
    (void)state;
    set(BACK "/mac", "00:16:3e:01:02:03");
    connect_whole();
    send_two();
    assert_told(" tx_dropped=1 ");
}

static void test_antispoof_ip(void **state)
{
    (void)state;
    set(BACK "/mac", "00:16:3e:01:02:03");
    set(BACK "/ip", "10.0.2.15");
    connect_whole();
    send_two(); /* neither is IPv4 from there */
    assert_told(" tx_dropped=2 ");
}

static void test_antispoof_off(void **state)
{
    (void)state;
    set(BACK "/mac", "00:16:3e:01:02:03");
    set(BACK "/ip", "10.0.2.15");
    set(BACK "/antispoof", "0");
    connect_whole();
    send_two();
    assert_told(" tx_dropped=0 ");
}

static void test_bad_ip(void **state)
{
    (void)state;
    set(BACK "/mac", "00:16:3e:01:02:03");
    set(BACK "/ip", "10.0.2");
    refused("nat", "ip is no IPv4 address");
}

#define BACK2 "/local/domain/1/backend/vif/6/0"

static void make_second(const char *mac)
{
    fake_store_set(driver.store, BACK2 "/type", "nat");
    fake_store_set(driver.store, BACK2 "/mac", mac);
    fake_store_set(driver.store, BACK2 "/frontend",
                   "/local/domain/6/device/vif/0");
    fake_store_set(driver.store, BACK2 "/state", "1");
    settle();
}

static void test_mac_of_another(void **state)
{
    (void)state;
    fake_store_set(driver.store, "/local/domain/5/name", "web");
    fake_store_set(driver.store, BACK "/mac", "00:16:3e:01:02:03");
    connect_whole();
    make_second("00:16:3E:01:02:03");
    assert_string_equal(fake_store_get(driver.store, BACK2 "/state"), "6");
    assert_string_equal(fake_store_get(driver.store, BACK2 "/hotplug-error"),
                        "mac 00:16:3e:01:02:03: vif 0 of web has it; give each "
                        "guest its own");
    fake_store_remove(driver.store, BACK2);
    settle();
    make_second("00:16:3e:01:02:04");
    assert_string_equal(fake_store_get(driver.store, BACK2 "/state"), "2");
    /* The address is free when its owner is gone. */
    fake_store_remove(driver.store, BACK);
    fake_store_remove(driver.store, BACK2);
    settle();
    make_second("00:16:3e:01:02:03");
    assert_string_equal(fake_store_get(driver.store, BACK2 "/state"), "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_offer),           TEST(test_mtu),
        TEST(test_unknown_type),    TEST(test_bad_mtu),
        TEST(test_bad_forward),     TEST(test_bad_tap),
        TEST(test_taken_port),      TEST(test_connect),
        TEST(test_read_only_grant), TEST(test_split_channels),
        TEST(test_reconnect),       TEST(test_without_rx_copy),
        TEST(test_bad_ring_ref),    TEST(test_without_channel),
        TEST(test_half_a_channel),  TEST(test_many_queues),
        TEST(test_broken_ring),     TEST(test_denied_page),
        TEST(test_antispoof),       TEST(test_antispoof_ip),
        TEST(test_antispoof_off),   TEST(test_bad_ip),
        TEST(test_mac_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
