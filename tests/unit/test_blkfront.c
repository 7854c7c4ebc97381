/*
 * The block frontend's data path against a backend that lies: requests end with
 * an error, nothing is moved twice or for a request that is not there, the
 * disk says so on the log and is ready for a new connection.
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
#include "frontends/blkfront.h"
#include "guest-kernel/pages.h"

#define IOS 40

static struct rs_blk disk;
static blkif_back_ring_t back;
static struct rs_blk_io io[IOS];
static char data[IOS][8 * RS_BLK_SECTOR];
static int result[IOS], times[IOS];

static void io_done(struct rs_blk_io *done, int err)
{
    size_t i = (size_t)(done - io);

    result[i] = err;
    times[i]++;
}

static void connect(void)
{
    blkif_sring_t *sring = pages_alloc_zeroed(1);

    XEN_FRONT_RING_INIT(&disk.ring, sring, PAGE_SIZE);
    BACK_RING_INIT(&back, sring, PAGE_SIZE);
    grant_access(0, sring, false, &disk.ring_ref);
    disk.phase = BLKFRONT_CONNECTED;
}

static int setup(void **state)
{
    (void)state;
    fake_guest_reset(true);
    fake_guest_leave_secrets();
    memset(&disk, 0, sizeof(disk));
    memset(times, 0, sizeof(times));
    disk.devid = 51712;
    disk.sectors = 1000;
    disk.can_flush = true;
    wait_queue_init(&disk.changed);
    blkfront_reset_slots(&disk);
    disk.pool = pages_alloc_zeroed(BLKFRONT_POOL);
    connect();
    return 0;
}

static int submit(unsigned int i, enum rs_blk_op op)
{
    io[i] = (struct rs_blk_io){ .op = op,
                                .sector = i,
                                .sectors = op == RS_BLK_FLUSH ? 0 : 8,
                                .buf = data[i],
                                .done = io_done };
    memset(data[i], (int)i + 1, sizeof(data[i]));
    return rs_blk_submit(&disk, &io[i]);
}

/* The backend takes one request. */
static struct blkif_request take(void)
{
    struct blkif_request r = *RING_GET_REQUEST(&back, back.req_cons);

    back.req_cons++;
    return r;
}

static void answer(uint64_t id, int16_t status)
{
    *RING_GET_RESPONSE(&back, back.rsp_prod_pvt++) =
        (struct blkif_response){ .id = id, .status = status };
}

static void deliver(void)
{
    RING_PUSH_RESPONSES(&back);
    blkfront_event(1, &disk);
}

/* Every slot and page is in one place. */
static void check_slots(void)
{
    unsigned int slots = disk.n_free_slots, pages = disk.n_free_pages;

    for (unsigned int i = 0; i < BLKFRONT_SLOTS; i++)
        if (disk.slot[i].io) {
            slots++;
            pages += disk.slot[i].n_pages;
        }
    assert_int_equal(slots, BLKFRONT_SLOTS);
    assert_int_equal(pages, BLKFRONT_POOL);
    assert_int_equal(fake_guest.dirty_grants, 0);
}

static void test_reads_and_writes(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < IOS; i++)
        assert_int_equal(submit(i, i % 2 ? RS_BLK_WRITE : RS_BLK_READ), 0);
    for (unsigned int i = 0; i < IOS; i++) {
        struct blkif_request r = take();

        assert_int_equal(r.sector_number, i);
        assert_int_equal(r.nr_segments, 1);
        for (unsigned int p = 0; p < BLKFRONT_POOL && i % 2 == 0; p++)
            if (disk.pool_ref[p] == r.seg[0].gref)
                memset(disk.pool + p * PAGE_SIZE, 'r', PAGE_SIZE);
        answer(r.id, BLKIF_RSP_OKAY);
        deliver();
        assert_int_equal(times[i], 1);
        assert_int_equal(result[i], 0);
        assert_int_equal(data[i][0], i % 2 ? (char)(i + 1) : 'r');
        check_slots();
    }
    assert_string_equal(fake_guest.log, "");
}

static void test_status_nonsense(void **state)
{
    static const int16_t status[] = { -1,     1,  32767,
                                      -32768, -3, BLKIF_RSP_EOPNOTSUPP };

    (void)state;
    for (unsigned int i = 0; i < 6; i++) {
        submit(i, RS_BLK_READ);
        answer(take().id, status[i]);
        deliver();
        assert_int_equal(times[i], 1);
        assert_int_equal(
            result[i], status[i] == BLKIF_RSP_EOPNOTSUPP ? -EOPNOTSUPP : -EIO);
        assert_int_equal(data[i][0], i + 1); /* nothing was copied */
    }
    check_slots();
}

/* It broke: n requests were open, and each ends once, with -EIO. */
static void check_broken(unsigned int first, unsigned int n)
{
    check_slots();
    assert_int_equal(disk.phase, BLKFRONT_BROKEN);
    assert_int_equal(fake_guest.kicks, 1);
    assert_true(fake_guest_said("blk 51712: the backend broke the protocol"));
    for (unsigned int i = first; i < first + n; i++) {
        assert_int_equal(times[i], 1);
        assert_int_equal(result[i], -EIO);
    }
    assert_int_equal(submit(IOS - 1, RS_BLK_READ), -EIO);
    assert_int_equal(times[IOS - 1], 0);
    assert_false(blkfront_poll(&disk));
    assert_false(blkfront_arm(&disk));
}

static void index_is(RING_IDX at)
{
    for (unsigned int i = 0; i < 5; i++)
        submit(i, RS_BLK_READ);
    answer(take().id, BLKIF_RSP_OKAY);
    deliver();
    assert_int_equal(times[0], 1);
    disk.ring.sring->rsp_prod = at;
    blkfront_event(1, &disk);
    check_broken(1, 4);
}

static void test_index_ahead(void **state)
{
    (void)state;
    index_is(6);
}

static void test_index_behind(void **state)
{
    (void)state;
    index_is(0);
}

static void test_index_far(void **state)
{
    (void)state;
    index_is(0x80000001);
}

/* Requests that wait for a slot end, too. */
static void test_waiting_requests_end(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < IOS - 1; i++)
        submit(i, RS_BLK_READ);
    disk.ring.sring->rsp_prod = 33;
    blkfront_poll(&disk);
    check_broken(0, IOS - 1);
}

static void id_is(uint64_t id)
{
    submit(0, RS_BLK_READ);
    submit(1, RS_BLK_WRITE);
    answer(id, BLKIF_RSP_OKAY);
    deliver();
    check_broken(0, 2);
    assert_int_equal(data[0][0], 1);
}

static void test_id_not_in_flight(void **state)
{
    (void)state;
    id_is(9);
}

static void test_id_out_of_range(void **state)
{
    (void)state;
    id_is(BLKFRONT_SLOTS);
}

static void test_id_huge(void **state)
{
    (void)state;
    id_is(1ull << 63);
}

static void test_answered_twice(void **state)
{
    uint64_t id;

    (void)state;
    submit(0, RS_BLK_READ);
    submit(1, RS_BLK_READ);
    id = take().id;
    answer(id, BLKIF_RSP_OKAY);
    answer(id, BLKIF_RSP_OKAY);
    deliver();
    assert_int_equal(result[0], 0);
    check_broken(1, 1);
}

static void test_wrapped(void **state)
{
    (void)state;
    back.req_cons = back.rsp_prod_pvt = (RING_IDX)-2;
    disk.ring.req_prod_pvt = disk.ring.rsp_cons = (RING_IDX)-2;
    disk.ring.sring->req_prod = disk.ring.sring->rsp_prod = (RING_IDX)-2;
    for (unsigned int i = 0; i < 10; i++) {
        submit(i, RS_BLK_READ);
        answer(take().id, BLKIF_RSP_OKAY);
        deliver();
        assert_int_equal(times[i], 1);
    }
    submit(10, RS_BLK_READ);
    disk.ring.sring->rsp_prod = disk.ring.req_prod_pvt + 1;
    blkfront_poll(&disk);
    check_broken(10, 1);
}

/* After a new beginning nothing of the old one is left. */
static void test_connects_anew(void **state)
{
    (void)state;
    submit(0, RS_BLK_READ);
    answer(5, BLKIF_RSP_OKAY);
    deliver();
    check_broken(0, 1);
    grant_end_and_free(disk.ring_ref, disk.ring.sring);
    connect();
    submit(1, RS_BLK_READ);
    answer(take().id, BLKIF_RSP_OKAY);
    deliver();
    assert_int_equal(times[1], 1);
    assert_int_equal(result[1], 0);
    check_slots();
}

/* The pages of rs_blk_buffer_alloc() are granted at once. */
static void test_buffer_is_zeroed(void **state)
{
    char *buf = rs_blk_buffer_alloc(&disk, 10 * PAGE_SIZE);

    (void)state;
    assert_non_null(buf);
    assert_int_equal(fake_guest.dirty_grants, 0);
    for (size_t i = 0; i < 10 * PAGE_SIZE; i++)
        assert_int_equal(buf[i], 0);
    rs_blk_buffer_free(&disk, buf);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reads_and_writes), TEST(test_status_nonsense),
        TEST(test_index_ahead),      TEST(test_index_behind),
        TEST(test_index_far),        TEST(test_waiting_requests_end),
        TEST(test_id_not_in_flight), TEST(test_id_out_of_range),
        TEST(test_id_huge),          TEST(test_answered_twice),
        TEST(test_wrapped),          TEST(test_connects_anew),
        TEST(test_buffer_is_zeroed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
