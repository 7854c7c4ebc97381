/*
 * The rings of a vchan: both ends in one process, and an end that lies. What
 * comes out is what went in, in order; whatever the other end writes into its
 * indices, nothing is touched outside of the rings.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel/vchan_ring.h"

struct pair {
    struct vchan_interface *page;
    char *left, *right;
    struct vchan_end server, client;
};

static void pair_new(struct pair *p, unsigned int left, unsigned int right)
{
    p->page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    p->left = calloc(1, left < PAGE_SHIFT ? 1 : 1u << left);
    p->right = calloc(1, right < PAGE_SHIFT ? 1 : 1u << right);
    memset(p->page, 0, PAGE_SIZE);
    vchan_end_init(&p->server, p->page, true, left, right, p->left, p->right);
    vchan_end_init(&p->client, p->page, false, left, right, p->left, p->right);
}

static void pair_free(struct pair *p)
{
    free(p->page);
    free(p->left);
    free(p->right);
}

/* ---- sizes ---- */

static void test_orders(void **state)
{
    static const struct {
        size_t left, right;
        int err;
        unsigned int left_order, right_order;
    } cases[] = {
        { 0, 0, 0, 10, 11 },
        { 1024, 1024, 0, 10, 11 },
        { 1025, 100, 0, 11, 10 },
        { 2048, 2048, 0, 11, 12 },
        { 4096, 4096, 0, 12, 12 },
        { 4097, 100000, 0, 13, 17 },
        { 1 << 20, 1 << 20, 0, 20, 20 },
        { 1, 1 << 20, 0, 11, 20 }, /* 256 grants reach over byte 1024 */
        { 1 << 20, 1, 0, 20, 11 },
        { (1 << 20) + 1, 1, -EINVAL, 0, 0 },
        { 1, SIZE_MAX, -EINVAL, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned int left = 0, right = 0;

        assert_int_equal(
            vchan_orders(cases[i].left, cases[i].right, &left, &right),
            cases[i].err);
        assert_int_equal(left, cases[i].left_order);
        assert_int_equal(right, cases[i].right_order);
        if (!cases[i].err)
            assert_true(vchan_orders_valid(left, right));
    }
}

static void test_orders_of_a_liar(void **state)
{
    static const unsigned int bad[][2] = {
        { 0, 12 },  { 9, 12 },     { 12, 9 },  { 10, 10 },
        { 11, 11 }, { 21, 12 },    { 12, 21 }, { 10, 20 },
        { 20, 10 }, { 65535, 12 }, { 12, 64 }, { 32, 32 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(vchan_orders_valid(bad[i][0], bad[i][1]));
    assert_true(vchan_orders_valid(10, 11));
    assert_true(vchan_orders_valid(11, 20));
}

/* ---- bytes ---- */

static void test_both_ways(void **state)
{
    struct pair p;
    char buf[16];

    (void)state;
    pair_new(&p, 10, 11);
    assert_int_equal(vchan_writable(&p.client), 1024);
    assert_int_equal(vchan_writable(&p.server), 2048);
    assert_int_equal(vchan_readable(&p.server), 0);
    assert_int_equal(vchan_put(&p.client, "question", 8), 8);
    assert_int_equal(vchan_put(&p.server, "answer", 6), 6);
    assert_int_equal(vchan_readable(&p.server), 8);
    assert_int_equal(vchan_get(&p.server, buf, sizeof(buf)), 8);
    assert_memory_equal(buf, "question", 8);
    assert_int_equal(vchan_get(&p.client, buf, 3), 3);
    assert_int_equal(vchan_get(&p.client, buf + 3, sizeof(buf) - 3), 3);
    assert_memory_equal(buf, "answer", 6);
    assert_int_equal(vchan_get(&p.client, buf, 1), 0);
    pair_free(&p);
}

/* Random pieces through a ring, past the end of the ring and of 32 bits. */
static void stream(unsigned int left, unsigned int right, bool from_server)
{
    struct pair p;
    struct vchan_end *from, *to;
    unsigned char buf[5000];
    size_t sent = 0, got = 0;

    pair_new(&p, left, right);
    from = from_server ? &p.server : &p.client;
    to = from_server ? &p.client : &p.server;
    from->out.mine = to->in.mine = UINT32_MAX - 700;
    from->out.shared->prod = from->out.shared->cons = UINT32_MAX - 700;
    srand(7);
    while (got < 100000) {
        size_t n = (size_t)rand() % sizeof(buf), room = vchan_writable(from);

        for (size_t i = 0; i < n; i++)
            buf[i] = (unsigned char)((sent + i) * 7 / 3);
        assert_int_equal(vchan_put(from, buf, n), n < room ? n : room);
        sent += n < room ? n : room;
        n = vchan_get(to, buf, (size_t)rand() % sizeof(buf));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(buf[i], (unsigned char)((got + i) * 7 / 3));
        got += n;
        assert_int_equal(vchan_readable(to), sent - got);
    }
    assert_false(from->broken || to->broken);
    pair_free(&p);
}

static void test_stream(void **state)
{
    (void)state;
    stream(10, 11, false);
    stream(10, 11, true);
    stream(12, 13, false);
    stream(12, 13, true);
}

static void test_full(void **state)
{
    static char much[5000];
    struct pair p;

    (void)state;
    pair_new(&p, 12, 11);
    assert_int_equal(vchan_put(&p.client, much, sizeof(much)), 4096);
    assert_int_equal(vchan_put(&p.client, much, 1), 0);
    assert_int_equal(vchan_readable(&p.server), 4096);
    assert_false(p.client.broken || p.server.broken);
    pair_free(&p);
}

/* ---- who wants to be told ---- */

static void test_told_once(void **state)
{
    struct pair p;

    (void)state;
    pair_new(&p, 10, 11);
    assert_false(vchan_must_notify(&p.client, VCHAN_NOTIFY_WRITE));
    vchan_request_event(&p.server, VCHAN_NOTIFY_WRITE);
    assert_int_equal(p.page->srv_notify, VCHAN_NOTIFY_WRITE);
    assert_false(vchan_must_notify(&p.client, VCHAN_NOTIFY_READ));
    assert_true(vchan_must_notify(&p.client, VCHAN_NOTIFY_WRITE));
    assert_false(vchan_must_notify(&p.client, VCHAN_NOTIFY_WRITE));
    vchan_request_event(&p.client, VCHAN_NOTIFY_READ | VCHAN_NOTIFY_WRITE);
    assert_int_equal(p.page->cli_notify, 3);
    assert_true(vchan_must_notify(&p.server, VCHAN_NOTIFY_READ));
    assert_int_equal(p.page->cli_notify, VCHAN_NOTIFY_WRITE);
    pair_free(&p);
}

/* ---- an end that lies ---- */

static void test_reader_is_lied_to(void **state)
{
    struct pair p;
    char buf[8];

    (void)state;
    pair_new(&p, 10, 11);
    p.page->left.prod = 1025;
    assert_int_equal(vchan_get(&p.server, buf, sizeof(buf)), 0);
    assert_true(p.server.broken);
    p.page->left.prod = 4; /* too late */
    assert_int_equal(vchan_get(&p.server, buf, sizeof(buf)), 0);
    assert_int_equal(vchan_writable(&p.server), 0);
    pair_free(&p);
}

static void test_writer_is_lied_to(void **state)
{
    struct pair p;

    (void)state;
    pair_new(&p, 10, 11);
    p.page->left.cons = 1; /* read what was never written */
    assert_int_equal(vchan_put(&p.client, "x", 1), 0);
    assert_true(p.client.broken);
    pair_free(&p);
}

/* Our own index in the page is an answer to the other end, not a memory. */
static void test_own_indices_are_not_read_back(void **state)
{
    struct pair p;
    char buf[8];

    (void)state;
    pair_new(&p, 10, 11);
    vchan_put(&p.client, "abcd", 4);
    vchan_get(&p.server, buf, 2);
    p.page->left.cons = 0x80000000;
    assert_int_equal(vchan_get(&p.server, buf + 2, 6), 2);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(p.page->left.cons, 4);
    pair_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_orders_of_a_liar),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_told_once),
        cmocka_unit_test(test_reader_is_lied_to),
        cmocka_unit_test(test_writer_is_lied_to),
        cmocka_unit_test(test_own_indices_are_not_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
