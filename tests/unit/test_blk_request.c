/*
 * What the block backend believes of a request: every rule of blk_request.h,
 * kept and broken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blk_request.h"

static const struct blk_limits limits = {
    .sectors = 1000,
    .max_indirect = BLK_MAX_INDIRECT_SEGMENTS,
    .can_discard = true,
};

static struct blk_request r;
static struct blk_segment out[BLK_MAX_INDIRECT_SEGMENTS];

static struct blkif_request make(uint8_t operation, uint8_t n)
{
    struct blkif_request slot;

    memset(&slot, 0, sizeof(slot));
    slot.operation = operation;
    slot.nr_segments = n;
    slot.id = 0x1122334455667788;
    for (int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        slot.seg[i].gref = 100 + (grant_ref_t)i;
        slot.seg[i].last_sect = 7;
    }
    return slot;
}

/* All that blkback does with a direct request. */
static int whole(const struct blkif_request *slot, const struct blk_limits *l)
{
    int err = blk_request_parse(slot, l, &r);

    if (!err)
        err = blk_request_add_segments(&r, slot->seg, r.n_segments, out);
    return err ? err : blk_request_check_range(&r, l);
}

static void test_read(void **state)
{
    struct blkif_request slot = make(BLKIF_OP_READ, 2);

    (void)state;
    slot.sector_number = 10;
    slot.seg[0].first_sect = 3;
    slot.seg[1].last_sect = 0;
    assert_int_equal(whole(&slot, &limits), 0);
    assert_int_equal(r.action, BLK_READ);
    assert_int_equal(r.id, slot.id);
    assert_int_equal(r.operation, BLKIF_OP_READ);
    assert_int_equal(r.sector, 10);
    assert_int_equal(r.sectors, 6);
    assert_int_equal(out[0].gref, 100);
    assert_int_equal(out[0].offset, 3 * 512);
    assert_int_equal(out[0].length, 5 * 512);
    assert_int_equal(out[1].offset, 0);
    assert_int_equal(out[1].length, 512);
}

static void test_segment_counts(void **state)
{
    struct blkif_request slot = make(BLKIF_OP_READ, 11);

    (void)state;
    assert_int_equal(whole(&slot, &limits), 0);
    for (int n = 12; n <= 255; n++) {
        slot.nr_segments = (uint8_t)n;
        assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    }
    slot.nr_segments = 0;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
    slot.operation = BLKIF_OP_WRITE;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
    slot.operation = BLKIF_OP_WRITE_BARRIER; /* may be empty */
    slot.sector_number = UINT64_MAX;
    assert_int_equal(whole(&slot, &limits), 0);
    assert_int_equal(r.action, BLK_BARRIER);
}

static void test_segment_bounds(void **state)
{
    (void)state;
    for (unsigned int first = 0; first < 256; first++) {
        for (unsigned int last = 0; last < 256; last++) {
            struct blkif_request slot = make(BLKIF_OP_WRITE, 1);
            bool good = first <= last && last < 8;

            slot.seg[0].first_sect = (uint8_t)first;
            slot.seg[0].last_sect = (uint8_t)last;
            assert_int_equal(whole(&slot, &limits), good ? 0 : -EINVAL);
        }
    }
}

static void test_range(void **state)
{
    struct blkif_request slot = make(BLKIF_OP_READ, 1);
    const uint64_t bad[] = { 993,        1000,           1001,
                             UINT32_MAX, UINT64_MAX - 7, UINT64_MAX };

    (void)state;
    slot.sector_number = 992;
    assert_int_equal(whole(&slot, &limits), 0);
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        slot.sector_number = bad[i];
        assert_int_equal(whole(&slot, &limits), -EINVAL);
    }
    slot.sector_number = 999;
    slot.seg[0].last_sect = 0;
    assert_int_equal(whole(&slot, &limits), 0);
}

static void test_read_only(void **state)
{
    struct blk_limits l = limits;
    struct blkif_request slot = make(BLKIF_OP_READ, 1);

    (void)state;
    l.read_only = true;
    assert_int_equal(whole(&slot, &l), 0);
    slot.operation = BLKIF_OP_WRITE;
    assert_int_equal(whole(&slot, &l), -EINVAL);
    slot.operation = BLKIF_OP_WRITE_BARRIER;
    assert_int_equal(whole(&slot, &l), -EINVAL);
    slot.operation = BLKIF_OP_DISCARD;
    assert_int_equal(whole(&slot, &l), -EOPNOTSUPP);
    slot = make(BLKIF_OP_FLUSH_DISKCACHE, 0);
    assert_int_equal(whole(&slot, &l), 0);
}

static void test_flush(void **state)
{
    struct blkif_request slot = make(BLKIF_OP_FLUSH_DISKCACHE, 0);

    (void)state;
    slot.sector_number = UINT64_MAX;
    assert_int_equal(whole(&slot, &limits), 0);
    assert_int_equal(r.action, BLK_FLUSH);
    slot.nr_segments = 1;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
}

/* That all copies are beyond recovery was not offered, so it is refused. */
static void test_secure_discard(void **state)
{
    struct blkif_request slot = make(0, 0);
    struct blkif_request_discard *d = (void *)&slot;

    (void)state;
    d->operation = BLKIF_OP_DISCARD;
    d->nr_sectors = 8;
    assert_int_equal(whole(&slot, &limits), 0);
    d->flag = BLKIF_DISCARD_SECURE;
    assert_int_equal(whole(&slot, &limits), -EOPNOTSUPP);
}

static void test_discard(void **state)
{
    struct blk_limits l = limits;
    struct blkif_request slot = make(0, 0);
    struct blkif_request_discard *d = (void *)&slot;

    (void)state;
    d->operation = BLKIF_OP_DISCARD;
    d->sector_number = 1;
    d->nr_sectors = 999;
    assert_int_equal(whole(&slot, &limits), 0);
    assert_int_equal(r.action, BLK_DISCARD);
    assert_int_equal(r.sectors, 999);
    d->nr_sectors = 1000;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
    d->nr_sectors = UINT64_MAX;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
    d->nr_sectors = 0;
    assert_int_equal(whole(&slot, &limits), -EINVAL);
    d->nr_sectors = 1;
    l.can_discard = false;
    assert_int_equal(whole(&slot, &l), -EOPNOTSUPP);
}

static void test_unknown_operations(void **state)
{
    (void)state;
    for (int op = 0; op < 256; op++) {
        struct blkif_request slot = make((uint8_t)op, 1);
        int err = blk_request_parse(&slot, &limits, &r);

        assert_int_equal(r.id, slot.id);
        assert_int_equal(r.operation, op);
        if (op == BLKIF_OP_RESERVED_1 || op > BLKIF_OP_INDIRECT)
            assert_int_equal(err, -EOPNOTSUPP);
    }
}

static struct blkif_request_indirect *indirect(struct blkif_request *slot,
                                               unsigned int n)
{
    struct blkif_request_indirect *in = (void *)slot;

    memset(slot, 0, sizeof(*slot));
    in->operation = BLKIF_OP_INDIRECT;
    in->indirect_op = BLKIF_OP_WRITE;
    in->nr_segments = (uint16_t)n;
    in->id = 42;
    for (int i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
        in->indirect_grefs[i] = 200 + (grant_ref_t)i;
    return in;
}

static void test_indirect(void **state)
{
    static const struct {
        unsigned int segments, pages;
    } cases[] = {
        { 1, 1 }, { 512, 1 }, { 513, 2 }, { 1024, 2 }, { 4096, 8 },
    };
    struct blkif_request slot;

    (void)state;
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        indirect(&slot, cases[i].segments);
        assert_int_equal(blk_request_parse(&slot, &limits, &r), 0);
        assert_int_equal(r.action, BLK_WRITE);
        assert_int_equal(r.id, 42);
        assert_int_equal(r.operation, BLKIF_OP_INDIRECT);
        assert_int_equal(r.n_segments, cases[i].segments);
        assert_int_equal(r.n_indirect, cases[i].pages);
        assert_int_equal(r.indirect[r.n_indirect - 1],
                         200 + cases[i].pages - 1);
    }
}

static void test_indirect_nonsense(void **state)
{
    struct blk_limits l = limits;
    struct blkif_request slot;

    (void)state;
    indirect(&slot, 0);
    assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    indirect(&slot, 4097);
    assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    indirect(&slot, 65535);
    assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    indirect(&slot, 1)->indirect_op = BLKIF_OP_INDIRECT;
    assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    indirect(&slot, 1)->indirect_op = BLKIF_OP_FLUSH_DISKCACHE;
    assert_int_equal(blk_request_parse(&slot, &limits, &r), -EINVAL);
    l.max_indirect = 16;
    indirect(&slot, 17);
    assert_int_equal(blk_request_parse(&slot, &l, &r), -EINVAL);
    l.max_indirect = 0;
    indirect(&slot, 1);
    assert_int_equal(blk_request_parse(&slot, &l, &r), -EOPNOTSUPP);
    l = limits;
    l.read_only = true;
    indirect(&slot, 1);
    assert_int_equal(blk_request_parse(&slot, &l, &r), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_segment_counts),
        cmocka_unit_test(test_segment_bounds),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_secure_discard),
        cmocka_unit_test(test_unknown_operations),
        cmocka_unit_test(test_indirect),
        cmocka_unit_test(test_indirect_nonsense),
    };

    return cmocka_run_group_tests_name("blk_request", tests, NULL, NULL);
}
