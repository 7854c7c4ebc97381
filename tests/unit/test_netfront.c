/*
 * netfront's rings against a backend in the same process: frames both ways, and
 * a backend that lies. Whatever it writes, a page is always in exactly one
 * place, and nothing outside the pages is handed on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_guest.h"
#include "frontends/netfront_ring.h"
#include "guest-kernel/pages.h"
#include "inet_checksum.h"

/* ---- the user of the card, and its backend ---- */

static struct netfront nf;
static struct netif_tx_back_ring tx;
static struct netif_rx_back_ring rx;
static char got[70000];
static size_t got_len;
static unsigned int woken, frames, held[NETFRONT_PAGES], n_held;
static bool got_checked, keep;

static void on_wake(void *arg)
{
    (void)arg;
    woken++;
}

static void on_receive(void *arg, const struct netfront_piece *p,
                       unsigned int n, size_t len, bool checked)
{
    (void)arg;
    frames++;
    got_len = 0;
    got_checked = checked;
    for (unsigned int i = 0; i < n; i++) {
        char *pool = nf.rx_pool.pages, *data = p[i].data;

        assert_true(data >= pool + p[i].page * PAGE_SIZE);
        assert_true(data + p[i].len <= pool + (p[i].page + 1) * PAGE_SIZE);
        memcpy(got + got_len, data, p[i].len);
        got_len += p[i].len;
        if (keep)
            held[n_held++] = p[i].page;
        else
            netfront_release(&nf, p[i].page);
    }
    assert_int_equal(got_len, len);
}

/* Every page of both pools is in one place. */
static void check_pages(void)
{
    unsigned char seen[NETFRONT_PAGES] = { 0 };
    unsigned int busy = 0;

    for (unsigned int i = 0; i < nf.rx_pool.n_free; i++)
        seen[nf.rx_pool.free[i]]++;
    for (RING_IDX i = nf.rx.rsp_cons; i != nf.rx.req_prod_pvt; i++)
        seen[nf.posted[i % NETFRONT_PAGES]]++;
    for (unsigned int i = 0; i < n_held; i++)
        seen[held[i]]++;
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++)
        assert_int_equal(seen[i], 1);
    memset(seen, 0, sizeof(seen));
    for (unsigned int i = 0; i < nf.tx_pool.n_free; i++)
        seen[nf.tx_pool.free[i]]++;
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++) {
        assert_int_equal(seen[i] + nf.tx_busy[i], 1);
        busy += nf.tx_busy[i];
    }
    assert_int_equal(busy + nf.tx_pool.n_free, NETFRONT_PAGES);
}

static int setup(void **state)
{
    (void)state;
    memset(&nf, 0, sizeof(nf));
    fake_guest_reset(true);
    fake_guest_leave_secrets();
    frames = woken = n_held = 0;
    keep = false;
    nf.user = (struct netfront_user){ .wake = on_wake, .receive = on_receive };
    assert_int_equal(netfront_rings_new(&nf), 0);
    netfront_rings_reset(&nf);
    netfront_post(&nf);
    strcpy(nf.dir, "device/vif/0");
    nf.port = 3;
    nf.mtu = 65520;
    nf.sg = nf.connected = true;
    BACK_RING_INIT(&tx, (struct netif_tx_sring *)nf.tx_page, PAGE_SIZE);
    BACK_RING_INIT(&rx, (struct netif_rx_sring *)nf.rx_page, PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_pages();
    netfront_rings_free(&nf);
    assert_int_equal(fake_guest.grants, 0);
    assert_int_equal(fake_guest.dirty_grants, 0);
    return 0;
}

/* One response; the backend's data is where the request's page is. */
static void respond(int status, unsigned int offset, unsigned int flags,
                    char fill)
{
    RING_IDX i = rx.rsp_prod_pvt++;
    grant_ref_t ref = RING_GET_REQUEST(&rx, i)->gref;
    uint16_t id = RING_GET_REQUEST(&rx, i)->id;

    for (unsigned int p = 0; p < NETFRONT_PAGES; p++)
        if (nf.rx_pool.refs[p] == ref)
            memset(nf.rx_pool.pages + p * PAGE_SIZE, fill, PAGE_SIZE);
    *RING_GET_RESPONSE(&rx, i) = (struct netif_rx_response){
        .id = id,
        .offset = (uint16_t)offset,
        .flags = (uint16_t)flags,
        .status = (int16_t)status,
    };
}

static void deliver(void)
{
    RING_PUSH_RESPONSES(&rx);
    netfront_poll(&nf);
    check_pages();
}

static void test_receive(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        respond(100, 0, NETRXF_data_validated, 'a');
        for (int i = 0; i < 15; i++)
            respond(4096, 0, NETRXF_more_data, (char)('b' + i));
        respond(4094, 2, 0, 'z');
        deliver();
        assert_int_equal(frames, 2 * (round + 1));
        assert_int_equal(got_len, 16 * 4096 - 2);
        assert_false(got_checked);
        assert_int_equal(got[0], 'b');
        assert_int_equal(got[4096 * 15], 'z');
    }
}

/* Pages that the user keeps come back, and are posted when few are. */
static void test_kept_pages(void **state)
{
    (void)state;
    keep = true;
    for (int i = 0; i < 200; i++) {
        respond(1000, 0, 0, 'k');
        deliver();
    }
    assert_int_equal(n_held, 200);
    assert_true(netfront_short_of_pages(&nf));
    while (n_held) {
        netfront_release(&nf, held[--n_held]);
        check_pages();
    }
    assert_false(netfront_short_of_pages(&nf));
    assert_true(nf.rx.req_prod_pvt - nf.rx.rsp_cons >= NETFRONT_PAGES / 2);
}

static void test_bad_responses(void **state)
{
    static const struct {
        int status;
        unsigned int offset, flags;
    } bad[] = {
        { -1, 0, 0 },     { 0, 0, 0 },
        { 4097, 0, 0 },   { 32767, 0, 0 },
        { 4096, 1, 0 },   { 1, 65535, 0 },
        { -32768, 0, 0 }, { 60, 0, NETRXF_extra_info },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        respond(bad[i].status, bad[i].offset, bad[i].flags, 'x');
        deliver();
        respond(60, 0, NETRXF_more_data, 'x');
        respond(bad[i].status, bad[i].offset, bad[i].flags, 'x');
        deliver();
    }
    for (int i = 0; i < NETFRONT_PIECES_MAX + 3; i++)
        respond(4096, 0, NETRXF_more_data, 'x');
    respond(1, 0, 0, 'x');
    deliver();
    assert_int_equal(frames, 0);
    respond(60, 0, 0, 'y');
    deliver();
    assert_int_equal(frames, 1);
    /* That was told, once, and the card lives on. */
    assert_string_equal(fake_guest.log, "netfront: device/vif/0: dropped a "
                                        "frame that makes no sense\n");
    assert_true(nf.connected);
}

/* An honest backend's error is no news. */
static void test_failed_frame(void **state)
{
    (void)state;
    respond(NETIF_RSP_DROPPED, 0, 0, 'x');
    deliver();
    assert_int_equal(frames, 0);
    assert_string_equal(fake_guest.log, "");
}

/* A frame waits for its end; a producer out of range is not believed. */
static void test_bad_producer(void **state)
{
    (void)state;
    respond(60, 0, NETRXF_more_data, 'x');
    deliver();
    assert_int_equal(frames, 0);
    assert_int_equal(nf.rx.sring->rsp_event, 2);
    respond(60, 0, 0, 'x');
    deliver();
    assert_int_equal(frames, 1);
    for (int i = 0; i < NETFRONT_PAGES; i++)
        respond(60, 0, NETRXF_more_data, 'x');
    deliver();
    assert_int_equal(frames, 1);
    assert_int_equal(nf.rx.req_prod_pvt - nf.rx.rsp_cons, NETFRONT_PAGES);
}

/* The card is down, its thread knows, the log says why, and nobody polls on. */
static void check_down(const char *why)
{
    check_pages();
    assert_false(nf.connected);
    assert_true(nf.broken);
    assert_int_equal(fake_guest.ups, 1);
    assert_true(fake_guest_said("netfront: device/vif/0: the backend broke the "
                                "protocol: "));
    assert_true(fake_guest_said(why));
    netfront_poll(&nf);
    netfront_event(3, &nf);
    assert_int_equal(woken, 0);
}

/* The index of received frames, and how many of them are good. */
static void rx_index(unsigned int hold, unsigned int good, RING_IDX add)
{
    keep = true;
    for (unsigned int i = 0; i < hold; i++) {
        respond(1000, 0, 0, 'k');
        deliver();
    }
    for (unsigned int i = 0; i < good; i++)
        respond(60, 0, 0, 'g');
    RING_PUSH_RESPONSES(&rx);
    nf.rx.sring->rsp_prod += add;
    netfront_poll(&nf);
    check_down("a receive index that cannot be");
    assert_int_equal(frames, hold);
}

static void test_rx_far_ahead(void **state)
{
    (void)state;
    rx_index(0, 3, 1000);
}

/* Within the ring, but beyond the requests: 200 pages are with the user. */
static void test_rx_beyond_requests(void **state)
{
    (void)state;
    rx_index(200, 0, NETFRONT_PAGES - 200 + 1);
}

static void test_rx_behind(void **state)
{
    (void)state;
    rx_index(5, 0, (RING_IDX)-1);
}

static void test_rx_half_the_numbers_away(void **state)
{
    (void)state;
    rx_index(0, 0, 0x80000000);
}

/* The same with indices about to wrap. */
static void at_wrap(void)
{
    rx.rsp_prod_pvt = rx.req_cons = nf.rx.sring->rsp_prod = (RING_IDX)-3;
    nf.rx.rsp_cons = (RING_IDX)-3;
    nf.rx.req_prod_pvt = nf.rx.sring->req_prod = (RING_IDX)-3 + NETFRONT_PAGES;
    /* 256 slots from -3 on: those of before, three places on. */
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++) {
        unsigned int slot = (unsigned int)(i - 3) % NETFRONT_PAGES;
        struct netif_rx_request *r = RING_GET_REQUEST(&nf.rx, slot);

        nf.posted[slot] = (uint16_t)i;
        *r = (struct netif_rx_request){ .id = (uint16_t)slot,
                                        .gref = nf.rx_pool.refs[i] };
    }
}

static void test_rx_wrapped(void **state)
{
    (void)state;
    at_wrap();
    for (int i = 0; i < 10; i++) {
        respond(60, 0, 0, 'w');
        deliver();
    }
    assert_int_equal(frames, 10);
    assert_true(nf.connected);
    keep = true; /* nothing is posted again: 246 requests are left */
    nf.rx.sring->rsp_prod = nf.rx.req_prod_pvt + 1;
    netfront_poll(&nf);
    assert_int_equal(frames, 10);
    check_down("a receive index that cannot be");
}

/* ---- sending ---- */

static int send_frame(const char *data, size_t len)
{
    int err = netfront_send_begin(&nf, len);

    if (err)
        return err;
    netfront_send_append(&nf, data, len / 3);
    netfront_send_append(&nf, data + len / 3, len - len / 3);
    netfront_send_end(&nf);
    check_pages();
    return 0;
}

static void answer_tx(uint16_t id, int16_t status)
{
    *RING_GET_RESPONSE(&tx, tx.rsp_prod_pvt++) =
        (struct netif_tx_response){ .id = id, .status = status };
    RING_PUSH_RESPONSES(&tx);
}

static void test_send(void **state)
{
    char data[10000];
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i % 253);
    assert_int_equal(send_frame(data, sizeof(data)), 0);
    assert_int_equal(nf.tx.sring->req_prod, 3);
    for (RING_IDX i = 0; i < 3; i++) {
        struct netif_tx_request r = *RING_GET_REQUEST(&tx, i);
        size_t n = i == 0 ? 4096 : r.size;

        assert_int_equal(r.offset, 0);
        assert_int_equal(r.size, i == 0 ? 10000 : i == 1 ? 4096 : 1808);
        assert_int_equal(r.flags, i < 2 ? NETTXF_more_data : 0);
        assert_memory_equal(nf.tx_pool.pages + r.id * PAGE_SIZE, data + at, n);
        at += n;
        answer_tx(r.id, NETIF_RSP_OKAY);
    }
    netfront_poll(&nf);
    check_pages();
    assert_int_equal(nf.tx_pool.n_free, NETFRONT_PAGES);
}

/* The checksum's field holds the pseudo header's sum, and the flags say so. */
static void test_send_checksum(void **state)
{
    unsigned char f[80] = { 0 }, *sent;
    struct netif_tx_request r;
    struct inet_segment s = { .field = NULL };
    uint16_t field;

    (void)state;
    f[12] = 8;
    f[14] = 0x45;
    f[17] = 66;
    f[23] = INET_TCP;
    memcpy(f + 26, "\x0a\x00\x02\x0f\x0a\x00\x02\x02", 8);
    assert_int_equal(send_frame((char *)f, sizeof(f)), 0);
    r = *RING_GET_REQUEST(&tx, 0);
    assert_int_equal(r.flags, NETTXF_csum_blank | NETTXF_data_validated);
    sent = (unsigned char *)nf.tx_pool.pages + r.id * PAGE_SIZE;
    assert_true(inet_segment_find(sent, sizeof(f), sizeof(f), &s));
    memcpy(&field, s.field, 2);
    assert_int_equal(field, s.pseudo);
    f[23] = 1; /* ICMP */
    assert_int_equal(send_frame((char *)f, sizeof(f)), 0);
    assert_int_equal(RING_GET_REQUEST(&tx, 1)->flags, 0);
}

static void test_send_limits(void **state)
{
    static char data[65536];
    int sent = 0;

    (void)state;
    assert_int_equal(send_frame(data, 0), -EMSGSIZE);
    assert_int_equal(send_frame(data, 65535), -EMSGSIZE);
    nf.sg = false;
    assert_int_equal(send_frame(data, 4097), -EMSGSIZE);
    nf.sg = true;
    while (send_frame(data, 65534) == 0)
        sent++;
    assert_int_equal(sent, 16);
    assert_int_equal(send_frame(data, 60), -ENOBUFS);
    nf.connected = false;
    assert_int_equal(send_frame(data, 60), -ENETDOWN);
    netfront_rings_reset(&nf);
    assert_int_equal(nf.tx_pool.n_free, NETFRONT_PAGES);
}

/* Answers to what was never sent, twice, or out of all bounds. */
static void bad_answer(uint16_t id, int16_t status, bool twice)
{
    static char data[60];

    assert_int_equal(send_frame(data, sizeof(data)), 0);
    assert_int_equal(send_frame(data, sizeof(data)), 0);
    if (twice)
        answer_tx(id, status);
    answer_tx(id, status);
    netfront_poll(&nf);
    check_down("an answer to a frame that it does not have");
    assert_int_equal(send_frame(data, sizeof(data)), -ENETDOWN);
}

static void test_answer_to_nothing(void **state)
{
    (void)state;
    bad_answer(7, NETIF_RSP_OKAY, false);
}

static void test_answer_out_of_range(void **state)
{
    (void)state;
    bad_answer(NETFRONT_PAGES, NETIF_RSP_OKAY, false);
}

static void test_answer_twice(void **state)
{
    uint16_t first = nf.tx_pool.free[nf.tx_pool.n_free - 1];

    (void)state;
    bad_answer(first, NETIF_RSP_OKAY, true);
    assert_false(nf.tx_busy[first]);
}

/* It answers extra information; a page would be lost. */
static void test_answer_null(void **state)
{
    (void)state;
    bad_answer(nf.tx_pool.free[nf.tx_pool.n_free - 1], NETIF_RSP_NULL, false);
}

static void tx_index(RING_IDX prod)
{
    static char data[60];

    assert_int_equal(send_frame(data, sizeof(data)), 0);
    nf.tx.sring->rsp_prod = prod;
    netfront_poll(&nf);
    check_down("a transmit index that cannot be");
}

static void test_tx_ahead(void **state)
{
    (void)state;
    tx_index(2);
}

static void test_tx_behind(void **state)
{
    (void)state;
    tx_index((RING_IDX)-1);
}

/* Who waits for pages learns it, too, and does not wait out its patience. */
static void test_tx_ahead_while_full(void **state)
{
    static char data[65534];

    (void)state;
    while (send_frame(data, sizeof(data)) == 0)
        ;
    nf.tx.sring->rsp_prod += 5000;
    fake_guest.sleeps = 0;
    assert_int_equal(send_frame(data, sizeof(data)), -ENETDOWN);
    assert_int_equal(fake_guest.sleeps, 0);
    check_down("a transmit index that cannot be");
}

/* A new connection starts with all pages in their pools. */
static void test_after_it_broke(void **state)
{
    static char data[60];

    (void)state;
    tx_index(2);
    netfront_rings_reset(&nf);
    BACK_RING_INIT(&tx, (struct netif_tx_sring *)nf.tx_page, PAGE_SIZE);
    BACK_RING_INIT(&rx, (struct netif_rx_sring *)nf.rx_page, PAGE_SIZE);
    netfront_post(&nf);
    nf.broken = false;
    nf.connected = true;
    check_pages();
    respond(60, 0, 0, 'y');
    deliver();
    assert_int_equal(frames, 1);
    assert_int_equal(send_frame(data, sizeof(data)), 0);
}

/* The user sends while frames come in; the wait there sees the rings change. */
static bool reset_meanwhile(void)
{
    fake_guest.other_side = NULL;
    netfront_rings_reset(&nf);
    netfront_post(&nf);
    return true;
}

static void receive_and_sleep(void *arg, const struct netfront_piece *p,
                              unsigned int n, size_t len, bool checked)
{
    struct wait_queue q;

    on_receive(arg, p, n, len, checked);
    wait_queue_init(&q);
    wait_queue_sleep(&q, 1);
}

static void test_connection_changes_in_receive(void **state)
{
    (void)state;
    nf.user.receive = receive_and_sleep;
    for (int i = 0; i < 100; i++)
        respond(60, 0, 0, 'x');
    RING_PUSH_RESPONSES(&rx);
    fake_guest.other_side = reset_meanwhile;
    netfront_poll(&nf);
    check_pages();
    assert_int_equal(frames, 1);
    assert_true(nf.connected);
}

/* ---- events ---- */

static void test_events(void **state)
{
    (void)state;
    netfront_event(3, &nf);
    assert_int_equal(woken, 0);
    respond(60, 0, 0, 'e');
    RING_PUSH_RESPONSES(&rx);
    netfront_event(3, &nf);
    assert_int_equal(woken, 1);
    netfront_poll(&nf);
    assert_int_equal(nf.rx.sring->rsp_event, 2);
    netfront_event(3, &nf);
    assert_int_equal(woken, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_receive),
        TEST(test_kept_pages),
        TEST(test_bad_responses),
        TEST(test_failed_frame),
        TEST(test_bad_producer),
        TEST(test_rx_far_ahead),
        TEST(test_rx_beyond_requests),
        TEST(test_rx_behind),
        TEST(test_rx_half_the_numbers_away),
        TEST(test_rx_wrapped),
        TEST(test_send),
        TEST(test_send_checksum),
        TEST(test_send_limits),
        TEST(test_answer_to_nothing),
        TEST(test_answer_out_of_range),
        TEST(test_answer_twice),
        TEST(test_answer_null),
        TEST(test_tx_ahead),
        TEST(test_tx_behind),
        TEST(test_tx_ahead_while_full),
        TEST(test_after_it_broke),
        TEST(test_connection_changes_in_receive),
        TEST(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
