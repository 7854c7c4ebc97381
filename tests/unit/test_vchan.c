/*
 * One end of a vchan as a program sees it: what it learns of a peer that dies
 * without a word or breaks the protocol, also if it only polls.
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
#include "guest-kernel/clock.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/vchan.h"

static struct vchan_interface *page;
static struct rs_vchan v;
static struct vchan_end peer;
static jmp_buf stuck;

void vchan_free(struct rs_vchan *gone)
{
    (void)gone;
}

static int setup(void **state)
{
    (void)state;
    fake_guest_reset(true);
    fake_guest.stuck = &stuck;
    page = pages_alloc_zeroed(1);
    memset(&v, 0, sizeof(v));
    wait_queue_init(&v.changed);
    v.peer = 7;
    v.port = 3;
    vchan_end_init(&v.end, page, false, 10, 11, NULL, NULL);
    vchan_end_init(&peer, page, true, 10, 11, NULL, NULL);
    page->srv_live = page->cli_live = VCHAN_HERE;
    return 0;
}

/* It polls, as often as it likes; the peer's domain is asked for once a second.
 */
static void test_polling(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        assert_true(rs_vchan_is_open(&v));
        assert_int_equal(rs_vchan_readable(&v), 0);
        assert_int_equal(rs_vchan_writable(&v), 1024);
        fake_guest.now += NS_PER_MS;
    }
    assert_int_equal(fake_guest.asked, 3);
    fake_guest.peer_bound = false;
    fake_guest.now += 2 * NS_PER_S;
    assert_false(rs_vchan_is_open(&v));
}

/* Who polls for bytes alone finds the end after what was written before it. */
static void test_polling_for_bytes(void **state)
{
    char buf[8];

    (void)state;
    vchan_put(&peer, "last", 4);
    fake_guest.peer_bound = false;
    assert_int_equal(rs_vchan_readable(&v), 4);
    assert_int_equal(rs_vchan_read(&v, buf, sizeof(buf)), 4);
    assert_int_equal(rs_vchan_readable(&v), 0);
    if (setjmp(stuck))
        fail();
    assert_int_equal(rs_vchan_read(&v, buf, sizeof(buf)), 0);
    assert_int_equal(rs_vchan_write(&v, "x", 1), -EPIPE);
}

/* A server that nobody has come to yet is not dead. */
static void test_no_peer_yet(void **state)
{
    char path[] = "data/x";

    (void)state;
    v.path = path;
    page->srv_live = VCHAN_NOT_YET;
    fake_guest.peer_bound = false;
    fake_guest.now += 5 * NS_PER_S;
    assert_true(rs_vchan_is_open(&v));
}

static void test_waiting(void **state)
{
    char buf[8];

    (void)state;
    fake_guest.peer_bound = false;
    if (setjmp(stuck))
        fail();
    assert_int_equal(rs_vchan_read(&v, buf, sizeof(buf)), 0);
}

/* The log says so, once. */
static void test_broken(void **state)
{
    char buf[8];

    (void)state;
    page->right.prod += 5000;
    assert_int_equal(rs_vchan_readable(&v), 0);
    assert_false(rs_vchan_is_open(&v));
    assert_false(rs_vchan_is_open(&v));
    assert_int_equal(rs_vchan_read(&v, buf, sizeof(buf)), -EPROTO);
    assert_int_equal(rs_vchan_write(&v, buf, sizeof(buf)), -EPROTO);
    assert_string_equal(fake_guest.log, "vchan: domain 7 broke the protocol\n");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_polling),     TEST(test_polling_for_bytes),
        TEST(test_no_peer_yet), TEST(test_waiting),
        TEST(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
