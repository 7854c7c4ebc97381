/*
 * The block backend on hand-made rings: what a frontend, honest or not, gets
 * for what it writes there.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "blk_request.h"
#include "blkback_ring.h"
#include "fake_host.h"
#include "ring_check.h"
#include "ring_poll.h"

#define RING_REF  16 /* the ring's pages, unless a test scatters them */
#define DATA_REF  64 /* pages with data */
#define DISK_SIZE (1 << 20)

/* ---- a disk in memory that can hold requests back ---- */

static char contents[DISK_SIZE];
static struct disk_io *held[64];
static unsigned int n_held, kicks;
static bool hold;
static char order[64]; /* what was done: r w f d */
static unsigned int n_order;
static int disk_error;
static void (*on_submit)(void); /* what a guest does meanwhile */

static void disk_do(struct disk_io *io)
{
    uint64_t at = io->offset;

    order[n_order++ % sizeof(order)] = "rwfd"[io->op];
    for (unsigned int i = 0; i < io->n_iov; i++) {
        if (io->op == DISK_READ)
            memcpy(io->iov[i].iov_base, contents + at, io->iov[i].iov_len);
        else if (io->op == DISK_WRITE)
            memcpy(contents + at, io->iov[i].iov_base, io->iov[i].iov_len);
        at += io->iov[i].iov_len;
    }
    if (io->n_iov)
        io->length = 0; /* it is the disk's own, and disks use it up */
    io->done(io, disk_error);
}

static void disk_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    if (on_submit)
        on_submit();
    if (hold) {
        assert_true(n_held < sizeof(held) / sizeof(held[0]));
        held[n_held++] = io;
    } else {
        disk_do(io);
    }
}

static void disk_kick(struct disk *disk)
{
    (void)disk;
    kicks++;
}

/* Lets the requests go that are held back now. */
static void disk_release(void)
{
    unsigned int n = n_held;
    struct disk_io *now[64];

    memcpy(now, held, sizeof(now));
    n_held = 0;
    for (unsigned int i = 0; i < n; i++)
        disk_do(now[i]);
}

static const struct disk_ops disk_ops = { .submit = disk_submit,
                                          .kick = disk_kick };
static struct disk disk;

/* ---- a device without its handshake ---- */

static struct driver driver;
static struct xenbus_device dev;
static struct blk_ring *ring;
static bool failed, disconnected;

void dev_fail(struct xenbus_device *d, const char *fmt, ...)
{
    (void)d;
    (void)fmt;
    failed = true;
}

static char logged[200];

void dev_log(struct xenbus_device *d, const char *fmt, ...)
{
    va_list ap;

    (void)d;
    va_start(ap, fmt);
    vsnprintf(logged, sizeof(logged), fmt, ap);
    va_end(ap);
}

void xenbus_backend_disconnected(struct xenbus_device *d)
{
    (void)d;
    disconnected = true;
}

/* ---- the frontend ---- */

static blkif_front_ring_t front;
static struct blk_ring_config config;

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    memset(contents, 0, sizeof(contents));
    disk = (struct disk){ .ops = &disk_ops,
                          .sectors = DISK_SIZE / 512,
                          .can_discard = true };
    n_held = kicks = n_order = 0;
    hold = failed = disconnected = false;
    disk_error = 0;
    logged[0] = '\0';
    on_submit = NULL;
    driver.base = event_base_new();
    poll_room_new(driver.base, &driver.poll);
    dev.driver = &driver;
    dev.frontend_id = 7;
    memset(&config, 0, sizeof(config));
    config.n_refs = 1;
    config.refs[0] = RING_REF;
    config.port = 3;
    config.persistent = true;
    ring = NULL;
    XEN_FRONT_RING_INIT(&front, (blkif_sring_t *)fake_page(RING_REF), 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (ring)
        assert_int_equal(blk_ring_disconnect(ring), 0);
    assert_int_equal(fake.maps, 0);
    assert_int_equal(fake.bound, 0);
    poll_room_free(driver.poll);
    event_base_free(driver.base);
    return 0;
}

static void stop_loop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

/* Runs the driver's loop for a few milliseconds, longer than any poll, and
 * again on a machine that did something else meanwhile. */
static void run_loop(void)
{
    struct timeval soon = { .tv_usec = 5000 };

    for (int i = 0; i < 20; i++) {
        event_base_once(driver.base, -1, EV_TIMEOUT, stop_loop, driver.base,
                        &soon);
        poll_room_run(driver.poll);
        if (!ring || !ring->poll.active)
            break;
    }
}

static void connect_ring(void)
{
    assert_int_equal(blk_ring_connect(&dev, &disk, 256, &config, &ring), 0);
    run_loop(); /* the ring is empty: the backend asks for an event */
}

static struct blkif_request *next_request(uint8_t op, uint64_t id)
{
    struct blkif_request *req = RING_GET_REQUEST(&front, front.req_prod_pvt);

    front.req_prod_pvt++;
    memset(req, 0, sizeof(*req));
    req->operation = op;
    req->id = id;
    return req;
}

static struct blkif_request *simple(uint8_t op, uint64_t id, uint64_t sector)
{
    struct blkif_request *req = next_request(op, id);

    req->nr_segments = 1;
    req->sector_number = sector;
    req->seg[0].gref = DATA_REF + (grant_ref_t)id;
    req->seg[0].last_sect = 7;
    return req;
}

static bool push(void)
{
    bool notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, notify);
    if (notify)
        fake_guest_sends();
    return notify;
}

static void push_and_run(void)
{
    push();
    run_loop();
}

static void expect_response(uint64_t id, int16_t status)
{
    struct blkif_response rsp;

    assert_true(front.sring->rsp_prod != front.rsp_cons);
    RING_COPY_RESPONSE(&front, front.rsp_cons, &rsp);
    front.rsp_cons++;
    assert_int_equal(rsp.id, id);
    assert_int_equal(rsp.status, status);
}

static void expect_silence(void)
{
    assert_int_equal(front.sring->rsp_prod, front.rsp_cons);
}

/* ---- honest frontends ---- */

static void test_write_and_read(void **state)
{
    (void)state;
    connect_ring();
    memset(fake_page(DATA_REF + 1), 'a', 4096);
    simple(BLKIF_OP_WRITE, 1, 8);
    simple(BLKIF_OP_READ, 2, 8);
    next_request(BLKIF_OP_FLUSH_DISKCACHE, 3);
    assert_true(push());
    run_loop();
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
    expect_response(3, BLKIF_RSP_OKAY);
    assert_memory_equal(fake_page(DATA_REF + 2), fake_page(DATA_REF + 1), 4096);
    assert_int_equal(contents[8 * 512], 'a');
    assert_int_equal(contents[8 * 512 - 1], 0);
    assert_int_equal(contents[16 * 512], 0);
}

/* What is there when the backend comes needs no event. */
static void test_requests_before_connect(void **state)
{
    (void)state;
    simple(BLKIF_OP_READ, 1, 0);
    RING_PUSH_REQUESTS(&front);
    connect_ring();
    expect_response(1, BLKIF_RSP_OKAY);
}

static void test_persistent_maps_once(void **state)
{
    unsigned int calls;

    (void)state;
    connect_ring();
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    expect_response(1, BLKIF_RSP_OKAY);
    calls = fake.map_calls;
    for (int i = 0; i < 100; i++) {
        simple(i & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, 1, 0);
        push_and_run();
        expect_response(1, BLKIF_RSP_OKAY);
    }
    assert_int_equal(fake.map_calls, calls);
    assert_int_equal(fake.unmap_calls, 0);
}

static void test_not_persistent_unmaps(void **state)
{
    (void)state;
    config.persistent = false;
    fake.read_only[DATA_REF + 1] = true; /* enough for a write */
    connect_ring();
    simple(BLKIF_OP_WRITE, 1, 0);
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(1, BLKIF_RSP_ERROR);
    assert_int_equal(fake.maps, 1); /* the ring */
}

/* Sub-page segments, in pages that are not neighbours. */
static void test_segments(void **state)
{
    struct blkif_request *req;

    (void)state;
    connect_ring();
    for (int i = 0; i < 4096; i++)
        contents[i] = (char)(i / 512 + 1);
    req = next_request(BLKIF_OP_READ, 9);
    req->nr_segments = 3;
    req->sector_number = 1;
    req->seg[0].gref = DATA_REF + 5;
    req->seg[0].first_sect = 6;
    req->seg[0].last_sect = 7;
    req->seg[1].gref = DATA_REF;
    req->seg[1].first_sect = req->seg[1].last_sect = 3;
    req->seg[2].gref = DATA_REF + 5;
    req->seg[2].last_sect = 0;
    push_and_run();
    expect_response(9, BLKIF_RSP_OKAY);
    assert_int_equal(((char *)fake_page(DATA_REF + 5))[6 * 512], 2);
    assert_int_equal(((char *)fake_page(DATA_REF + 5))[7 * 512], 3);
    assert_int_equal(((char *)fake_page(DATA_REF))[3 * 512], 4);
    assert_int_equal(((char *)fake_page(DATA_REF + 5))[0], 5);
    assert_int_equal(((char *)fake_page(DATA_REF + 5))[512], 0);
}

static void test_indirect(void **state)
{
    struct blkif_request_indirect *in;
    struct blkif_request_segment *segs = fake_page(DATA_REF);

    (void)state;
    connect_ring();
    for (int i = 0; i < DISK_SIZE; i++)
        contents[i] = (char)(i >> 9);
    for (unsigned int i = 0; i < 200; i++)
        segs[i] = (struct blkif_request_segment){ .gref = DATA_REF + 1 + i,
                                                  .last_sect = 7 };
    in = (void *)next_request(BLKIF_OP_INDIRECT, 77);
    in->indirect_op = BLKIF_OP_READ;
    in->nr_segments = 200;
    in->id = 77;
    in->sector_number = 16;
    in->indirect_grefs[0] = DATA_REF;
    push_and_run();
    expect_response(77, BLKIF_RSP_OKAY);
    assert_memory_equal(fake_page(DATA_REF + 1), contents + 16 * 512,
                        200 * 4096);
}

/* The page with the segments is only read, and so are pages to be written to
 * the disk: a frontend whose grants persist may grant no more than that. */
static void test_read_only_grants(void **state)
{
    struct blkif_request_segment *segs = fake_page(DATA_REF);
    struct blkif_request_indirect *in;

    (void)state;
    connect_ring();
    fake.read_only[DATA_REF] = fake.read_only[DATA_REF + 1] = true;
    memset(fake_page(DATA_REF + 1), 'r', 4096);
    for (uint64_t id = 1; id <= 2; id++) {
        segs[0] = (struct blkif_request_segment){ .gref = DATA_REF + 1,
                                                  .last_sect = 7 };
        in = (void *)next_request(BLKIF_OP_INDIRECT, id);
        in->indirect_op = BLKIF_OP_WRITE;
        in->nr_segments = 1;
        in->id = id;
        in->sector_number = 8 * id;
        in->indirect_grefs[0] = DATA_REF;
        push_and_run();
        expect_response(id, BLKIF_RSP_OKAY);
        assert_int_equal(contents[8 * id * 512 + 4095], 'r');
    }
    simple(BLKIF_OP_READ, 1, 0); /* into that page: no */
    push_and_run();
    expect_response(1, BLKIF_RSP_ERROR);
}

/* A ring of four pages that are not contiguous, gone round twice. */
static void test_large_scattered_ring(void **state)
{
    static char image[4 * 4096] __attribute__((aligned(4096)));
    const grant_ref_t refs[] = { 40, 17, 33, 20 };

    (void)state;
    XEN_FRONT_RING_INIT(&front, (blkif_sring_t *)image, sizeof(image));
    assert_int_equal(front.nr_ents, 128);
    config.n_refs = 4;
    memcpy(config.refs, refs, sizeof(refs));
    for (int i = 0; i < 4; i++)
        memcpy(fake_page(refs[i]), image + i * 4096, 4096);
    connect_ring();
    for (unsigned int i = 0; i < 256; i++) {
        /* The guest has its pages side by side; here they are copied. */
        memcpy(image, fake_page(refs[0]), 64);
        simple(BLKIF_OP_READ, i & 7, i);
        for (int p = 0; p < 4; p++)
            memcpy((char *)fake_page(refs[p]) + (p ? 0 : 64),
                   image + p * 4096 + (p ? 0 : 64), 4096 - (p ? 0 : 64));
        front.sring = fake_page(refs[0]);
        push_and_run();
        for (int p = 0; p < 4; p++)
            memcpy(image + p * 4096, fake_page(refs[p]), 4096);
        front.sring = (blkif_sring_t *)image;
        expect_response(i & 7, BLKIF_RSP_OKAY);
    }
}

static void test_full_ring(void **state)
{
    (void)state;
    connect_ring();
    hold = true;
    for (unsigned int i = 0; i < 32; i++)
        simple(BLKIF_OP_READ, i, i);
    push_and_run();
    assert_int_equal(n_held, 32);
    expect_silence();
    disk_release();
    for (unsigned int i = 0; i < 32; i++)
        expect_response(i, BLKIF_RSP_OKAY);
    assert_false(failed);
}

/* ---- events ---- */

/* The backend sends only when the frontend asked for it. */
static void test_events_suppressed(void **state)
{
    (void)state;
    connect_ring();
    front.sring->rsp_event = front.rsp_cons + 1;
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    assert_int_equal(fake.notified, 1);
    for (int i = 0; i < 10; i++) {
        simple(BLKIF_OP_READ, 1, 0);
        push_and_run();
    }
    assert_int_equal(fake.notified, 1);
}

/* Asleep it asks for an event; while it polls it does not. */
static void test_asks_before_sleep(void **state)
{
    (void)state;
    connect_ring();
    assert_int_equal(front.sring->req_event, 1);
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    expect_response(1, BLKIF_RSP_OKAY);
    assert_int_equal(front.sring->req_event, 2);
}

/* ---- barriers ---- */

static void test_barrier_order(void **state)
{
    struct blkif_request *req;

    (void)state;
    connect_ring();
    hold = true;
    simple(BLKIF_OP_WRITE, 1, 0);
    req = simple(BLKIF_OP_WRITE_BARRIER, 2, 8);
    req->seg[0].gref = DATA_REF + 2;
    simple(BLKIF_OP_WRITE, 3, 16);
    push_and_run();
    assert_int_equal(n_held, 1); /* only the write before it */
    for (int step = 0; step < 5; step++) {
        disk_release();
        run_loop();
    }
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
    expect_response(3, BLKIF_RSP_OKAY);
    assert_memory_equal(order, "wfwfw", 5);
}

static void test_barriers_inline(void **state)
{
    (void)state;
    connect_ring();
    simple(BLKIF_OP_WRITE_BARRIER, 1, 8);
    next_request(BLKIF_OP_WRITE_BARRIER, 2); /* empty: a flush */
    simple(BLKIF_OP_READ, 3, 8);
    push_and_run();
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
    expect_response(3, BLKIF_RSP_OKAY);
    assert_memory_equal(order, "fwffr", 5);
}

/* A disk's errors are on the log; a guest's mistakes are not. */
static void test_error_is_logged(void **state)
{
    (void)state;
    connect_ring();
    simple(BLKIF_OP_READ, 1, DISK_SIZE / 512);
    push_and_run();
    expect_response(1, BLKIF_RSP_ERROR);
    assert_string_equal(logged, "");
    disk_error = DISK_TRUNCATED;
    simple(BLKIF_OP_READ, 2, 16);
    push_and_run();
    expect_response(2, BLKIF_RSP_ERROR);
    assert_string_equal(logged, "read of 8 sectors at 16: the image has become "
                                "shorter");
}

static void test_barrier_fails(void **state)
{
    (void)state;
    connect_ring();
    disk_error = -EIO;
    simple(BLKIF_OP_WRITE_BARRIER, 1, 8);
    push_and_run();
    expect_response(1, BLKIF_RSP_ERROR);
    disk_error = 0;
    simple(BLKIF_OP_READ, 2, 8);
    push_and_run();
    expect_response(2, BLKIF_RSP_OKAY);
}

/* ---- counters ---- */

static void test_counters(void **state)
{
    const struct disk_stats want = {
        .reads = 3,
        .read_bytes = 2 * 4096 + 512,
        .writes = 2,
        .write_bytes = 2 * 4096,
        .flushes = 3, /* and two barriers */
        .discards = 1,
        .errors = 3,
    };
    struct blkif_request_discard *discard;

    (void)state;
    connect_ring();
    simple(BLKIF_OP_READ, 1, 0);
    simple(BLKIF_OP_READ, 2, 8);
    simple(BLKIF_OP_READ, 3, 8)->seg[0].last_sect = 0;
    simple(BLKIF_OP_WRITE, 4, 8);
    simple(BLKIF_OP_WRITE_BARRIER, 5, 8);
    next_request(BLKIF_OP_WRITE_BARRIER, 6);
    next_request(BLKIF_OP_FLUSH_DISKCACHE, 7);
    discard = (void *)next_request(BLKIF_OP_DISCARD, 8);
    discard->nr_sectors = 8;
    simple(BLKIF_OP_READ, 9, DISK_SIZE / 512); /* behind the end */
    simple(99, 10, 0);
    push_and_run();
    disk_error = -EIO;
    simple(BLKIF_OP_READ, 11, 0);
    push_and_run();
    assert_memory_equal(&disk.stats, &want, sizeof(want));
    /* The guest may connect again: it is the disk's that is counted. */
    assert_int_equal(blk_ring_disconnect(ring), 0);
    ring = NULL;
    assert_memory_equal(&disk.stats, &want, sizeof(want));
}

/* ---- hostile frontends ---- */

static void test_bad_requests(void **state)
{
    (void)state;
    connect_ring();
    fake.denied[DATA_REF + 1] = true;
    simple(BLKIF_OP_READ, 1, 0);               /* not granted */
    simple(BLKIF_OP_READ, 2, DISK_SIZE / 512); /* behind the end */
    simple(BLKIF_OP_READ, 3, 0)->nr_segments = 12;
    simple(99, 4, 0);
    simple(BLKIF_OP_READ, 5, 0)->seg[0].gref = UINT32_MAX;
    simple(BLKIF_OP_READ, UINT64_MAX, 0)->seg[0].gref = DATA_REF;
    push_and_run();
    expect_response(1, BLKIF_RSP_ERROR);
    expect_response(2, BLKIF_RSP_ERROR);
    expect_response(3, BLKIF_RSP_ERROR);
    expect_response(4, BLKIF_RSP_EOPNOTSUPP);
    expect_response(5, BLKIF_RSP_ERROR);
    expect_response(UINT64_MAX, BLKIF_RSP_OKAY);
    assert_false(failed);
}

static void test_bad_indirect(void **state)
{
    struct blkif_request_indirect *in;
    struct blkif_request_segment *segs = fake_page(DATA_REF);

    (void)state;
    connect_ring();
    for (unsigned int i = 0; i < 3; i++) {
        in = (void *)next_request(BLKIF_OP_INDIRECT, i);
        in->indirect_op = BLKIF_OP_WRITE;
        in->nr_segments = 256;
        in->id = i;
        in->indirect_grefs[0] = i == 0 ? UINT32_MAX : DATA_REF;
    }
    in->nr_segments = 257;
    segs[255].first_sect = 8;
    push_and_run();
    for (unsigned int i = 0; i < 3; i++)
        expect_response(i, BLKIF_RSP_ERROR);
    assert_int_equal(n_order, 0);
}

static void test_impossible_index(void **state)
{
    (void)state;
    connect_ring();
    front.sring->req_prod = 33;
    fake_guest_sends();
    run_loop();
    assert_true(failed);
    assert_int_equal(n_order, 0);
    front.sring->req_prod = 1; /* too late: the ring is dead */
    fake_guest_sends();
    run_loop();
    assert_int_equal(n_order, 0);
}

/* An index that goes backwards is as bad as one far ahead. */
static void test_index_backwards(void **state)
{
    (void)state;
    connect_ring();
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    front.sring->req_prod = 0;
    fake_guest_sends();
    run_loop();
    assert_true(failed);
}

/* What is in flight keeps its slot: an index may not go back below it. */
static void test_index_behind_flight(void **state)
{
    (void)state;
    connect_ring();
    hold = true;
    for (unsigned int i = 0; i < 32; i++)
        simple(BLKIF_OP_READ, i, i);
    push_and_run();
    assert_int_equal(n_held, 32);
    for (unsigned int back = 1; back <= 32; back++) {
        front.sring->req_prod = 32 - back;
        fake_guest_sends();
        run_loop();
        assert_true(failed);
        assert_int_equal(n_held, 32);
    }
    front.sring->req_prod = 33; /* too late */
    fake_guest_sends();
    run_loop();
    assert_int_equal(n_held, 32);
    disk_release();
    for (unsigned int i = 0; i < 32; i++)
        expect_response(i, BLKIF_RSP_OKAY);
    expect_silence();
}

/* The frontend, while its requests are being taken. */
static void index_goes_back(void)
{
    front.sring->req_prod = 1;
}

static void test_index_changes_in_service(void **state)
{
    unsigned int taken;

    (void)state;
    connect_ring();
    hold = true;
    on_submit = index_goes_back;
    for (unsigned int i = 0; i < 32; i++)
        simple(BLKIF_OP_READ, i, i);
    push_and_run();
    taken = n_held;
    assert_in_range(taken, 2, 32); /* a turn's, by the index as it was */
    assert_true(failed);
    disk_release();
    for (unsigned int i = 0; i < taken; i++)
        expect_response(i, BLKIF_RSP_OKAY);
    expect_silence();
}

/* A barrier's end wakes the ring, but not one that is broken. */
static void test_index_behind_barrier(void **state)
{
    (void)state;
    connect_ring();
    hold = true;
    simple(BLKIF_OP_WRITE, 1, 0);
    simple(BLKIF_OP_WRITE_BARRIER, 2, 8);
    simple(BLKIF_OP_WRITE, 3, 16);
    push_and_run();
    front.sring->req_prod = 0;
    fake_guest_sends();
    run_loop();
    assert_true(failed);
    front.sring->req_prod = 3;
    for (int step = 0; step < 6; step++) {
        disk_release();
        run_loop();
    }
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
    expect_silence();
}

/* Indices wrap: nothing is special about zero. */
static void test_index_wraps(void **state)
{
    const RING_IDX start = UINT32_MAX - 5;

    (void)state;
    connect_ring();
    ring->back.req_cons = ring->back.rsp_prod_pvt = start;
    front.req_prod_pvt = front.rsp_cons = start;
    front.sring->rsp_prod = start;
    hold = true;
    for (unsigned int i = 0; i < 32; i++)
        simple(BLKIF_OP_READ, i, i);
    push_and_run();
    assert_int_equal(n_held, 32);
    assert_false(failed);
    disk_release();
    for (unsigned int i = 0; i < 32; i++)
        expect_response(i, BLKIF_RSP_OKAY);
    front.sring->req_prod = start; /* behind, across zero */
    fake_guest_sends();
    run_loop();
    assert_true(failed);
    assert_int_equal(n_held, 0);
}

/* Each distance of a producer, with any number in flight. */
static void test_every_index(void **state)
{
    const RING_IDX bases[] = { 0, 5, 1u << 31, UINT32_MAX - 3 };
    const unsigned int size = 8;

    (void)state;
    for (unsigned int b = 0; b < 4; b++)
        for (unsigned int flight = 0; flight <= size; flight++)
            for (int ahead = -40; ahead <= 40; ahead++) {
                RING_IDX cons = bases[b] + flight;
                bool good = ahead >= 0 && ahead + (int)flight <= (int)size;
                unsigned int n;

                assert_int_equal(ring_new_requests(cons + (RING_IDX)ahead, cons,
                                                   bases[b], size, &n),
                                 good);
                if (good)
                    assert_int_equal(n, ahead);
            }
}

/* ---- shares ---- */

/* A read of 256 pages, all of them the same. */
static void large(uint64_t id)
{
    struct blkif_request_segment *segs = fake_page(DATA_REF);
    struct blkif_request_indirect *in;

    for (unsigned int i = 0; i < 256; i++)
        segs[i] = (struct blkif_request_segment){ .gref = DATA_REF + 1,
                                                  .last_sect = 7 };
    in = (void *)next_request(BLKIF_OP_INDIRECT, id);
    in->indirect_op = BLKIF_OP_READ;
    in->nr_segments = 256;
    in->id = id;
    in->indirect_grefs[0] = DATA_REF;
}

/* Requests beyond the bound stay on the ring, and are taken one by one. */
static void test_bounded_flight(void **state)
{
    (void)state;
    connect_ring();
    hold = true;
    for (unsigned int i = 0; i < 32; i++)
        large(i);
    push_and_run();
    assert_int_equal(n_held, BLK_PAGES_MAX / 256);
    assert_int_equal(ring->back.req_cons, BLK_PAGES_MAX / 256);
    assert_false(ring->poll.active);
    for (unsigned int i = 0; i < 32 / (BLK_PAGES_MAX / 256); i++) {
        assert_true(n_held <= BLK_PAGES_MAX / 256);
        disk_release();
        run_loop();
    }
    for (unsigned int i = 0; i < 32; i++)
        expect_response(i, BLKIF_RSP_OKAY);
    assert_int_equal(ring->pages, 0);
    assert_false(failed);
}

/* Where there are many devices a share may be less than a request. */
static void test_small_share(void **state)
{
    unsigned int handles = grant_pool_handles_;

    (void)state;
    connect_ring();
    grant_pool_handles_ = 300; /* one request, with its indirect page */
    hold = true;
    large(0);
    large(1);
    push_and_run();
    assert_int_equal(n_held, 1);
    disk_release();
    run_loop();
    assert_int_equal(n_held, 1);
    disk_release();
    run_loop();
    grant_pool_handles_ = handles;
    expect_response(0, BLKIF_RSP_OKAY);
    expect_response(1, BLKIF_RSP_OKAY);
}

/* Others have all handles: a request waits, it does not fail. */
static void test_no_handles(void **state)
{
    unsigned int handles = grant_pool_handles_;

    (void)state;
    connect_ring();
    grant_pool_handles_ = 0;
    simple(BLKIF_OP_READ, 1, 0);
    push_and_run();
    expect_silence();
    assert_int_equal(ring->back.req_cons, 0);
    grant_pool_handles_ = handles;
    run_loop();
    expect_response(1, BLKIF_RSP_OKAY);
}

/* A turn is bounded by the pages of its requests, not by their number. */
static void test_turns_are_bounded(void **state)
{
    (void)state;
    connect_ring();
    for (unsigned int i = 0; i < 32; i++)
        large(i);
    RING_PUSH_REQUESTS(&front);
    for (unsigned int turn = 1; front.sring->rsp_prod < 32; turn++) {
        assert_true(blk_ring_service_(&ring->poll, RING_POLL_QUANTUM) > 0);
        assert_true(front.sring->rsp_prod <= turn * RING_POLL_QUANTUM / 16);
    }
    for (unsigned int i = 0; i < 32; i++)
        expect_response(i, BLKIF_RSP_OKAY);
}

/* A turn, and how many mappings more there are after it. */
static int turn(void)
{
    int before = (int)fake.maps;

    blk_ring_service_(&ring->poll, RING_POLL_QUANTUM);
    return (int)fake.maps - before;
}

/* Large requests whose pages do not persist; with them, what a turn may map. */
#define TURN_MAPS 65 /* a slice, and the page of the segments */

static void connect_not_persistent(void)
{
    config.persistent = false;
    connect_ring();
    hold = true;
    large(1);
    large(2);
    RING_PUSH_REQUESTS(&front);
}

/* Others are served while such a request is mapped, and while it is unmapped.
 * It stays on the ring that long, and is answered when its pages are free. */
static void test_maps_in_slices(void **state)
{
    unsigned int base, turns = 0;

    (void)state;
    connect_not_persistent();
    base = fake.maps;
    for (; n_held == 0; turns++) {
        assert_int_equal(ring->back.req_cons, 0);
        assert_true(turn() <= TURN_MAPS && turns < 100);
    }
    assert_true(turns >= 4);
    assert_int_equal(ring->back.req_cons, 1);
    for (; n_held == 1; turns++)
        assert_true(turn() <= TURN_MAPS && turns < 100);
    assert_int_equal(fake.maps, base + 512);
    disk_release();
    assert_true(ring->poll.active);
    for (; front.sring->rsp_prod < 2; turns++) {
        assert_true(fake.maps > base + 192 || front.sring->rsp_prod == 1);
        assert_true(turn() >= -TURN_MAPS && turns < 100);
    }
    assert_int_equal(fake.maps, base);
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
}

static void test_sleeps_after_slices(void **state)
{
    (void)state;
    connect_not_persistent();
    hold = false;
    fake_guest_sends();
    run_loop();
    assert_false(ring->poll.active);
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
}

static void test_disconnect_amid_mapping(void **state)
{
    (void)state;
    connect_not_persistent();
    assert_true(turn() > 0);
    assert_int_equal(n_held, 0);
    assert_int_equal(blk_ring_disconnect(ring), 0);
    ring = NULL;
    expect_silence();
}

/* What the disk has done is answered, whoever ends the connection. */
static void test_disconnect_amid_unmapping(void **state)
{
    (void)state;
    connect_not_persistent();
    while (n_held == 0)
        turn();
    disk_release();
    expect_silence();
    assert_int_equal(blk_ring_disconnect(ring), 0);
    ring = NULL;
    expect_response(1, BLKIF_RSP_OKAY);
    expect_silence();
}

static void test_broken_amid_slices(void **state)
{
    (void)state;
    connect_not_persistent();
    while (n_held == 0)
        turn();
    turn(); /* the next is being mapped */
    disk_release();
    front.sring->req_prod = ring->back.req_cons - 1;
    turn();
    assert_true(failed);
    assert_int_equal(blk_ring_disconnect(ring), 0);
    ring = NULL;
    expect_response(1, BLKIF_RSP_OKAY);
    expect_silence();
}

/* Nothing of ours is in a response, nor written beside it. */
static void test_responses_are_clean(void **state)
{
    unsigned char *slot = (unsigned char *)&front.sring->ring[0];
    struct blkif_response rsp;

    (void)state;
    connect_ring();
    simple(BLKIF_OP_READ, 0x0102030405060708, 0)->seg[0].gref = DATA_REF;
    memset(slot + offsetof(struct blkif_request, seg[1]), 0xa5,
           sizeof(union blkif_sring_entry) -
               offsetof(struct blkif_request, seg[1]));
    push_and_run();
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = 0x0102030405060708;
    rsp.operation = BLKIF_OP_READ;
    assert_memory_equal(slot, &rsp, sizeof(rsp));
    for (size_t i = offsetof(struct blkif_request, seg[1]);
         i < sizeof(union blkif_sring_entry); i++)
        assert_int_equal(slot[i], 0xa5);
    expect_response(rsp.id, BLKIF_RSP_OKAY);
}

/* Events without requests end up in a pause, and are not lost after it. */
static void test_event_storm(void **state)
{
    (void)state;
    connect_ring();
    for (int i = 0; i < 200; i++) {
        fake_guest_sends();
        event_base_loop(driver.base, EVLOOP_NONBLOCK);
    }
    simple(BLKIF_OP_READ, 1, 0);
    push();
    for (int i = 0; i < 100 && front.sring->rsp_prod == 0; i++)
        run_loop();
    expect_response(1, BLKIF_RSP_OKAY);
}

/* ---- coming and going ---- */

static void test_cannot_connect(void **state)
{
    (void)state;
    fake.denied[RING_REF] = true;
    assert_int_equal(blk_ring_connect(&dev, &disk, 256, &config, &ring),
                     -EFAULT);
    fake.denied[RING_REF] = false;
    fake.bind_error = -EINVAL;
    assert_int_equal(blk_ring_connect(&dev, &disk, 256, &config, &ring),
                     -EINVAL);
    ring = NULL;
}

static void test_disconnect_while_running(void **state)
{
    (void)state;
    connect_ring();
    hold = true;
    simple(BLKIF_OP_WRITE, 1, 0);
    simple(BLKIF_OP_WRITE_BARRIER, 2, 0); /* waits: never begins */
    push_and_run();
    assert_int_equal(blk_ring_disconnect(ring), -EINPROGRESS);
    ring = NULL;
    assert_true(fake.maps > 0);
    assert_false(disconnected);
    disk_release();
    assert_true(disconnected);
    expect_silence(); /* the ring is not ours any more */
    assert_int_equal(n_order, 1);
}

static void disk_work(struct disk *d, unsigned int budget)
{
    (void)d;
    if (budget == UINT_MAX)
        disk_release();
}

/* What the loop itself does of a request ends when the ring does. */
static void test_disconnect_amid_slices(void **state)
{
    static const struct disk_ops sliced = { .submit = disk_submit,
                                            .kick = disk_kick,
                                            .work = disk_work };

    (void)state;
    disk.ops = &sliced;
    connect_ring();
    hold = true;
    simple(BLKIF_OP_WRITE, 1, 0);
    simple(BLKIF_OP_WRITE, 2, 8);
    push_and_run();
    assert_int_equal(n_held, 2);
    assert_int_equal(blk_ring_disconnect(ring), 0);
    ring = NULL;
    assert_false(disconnected); /* it is told when there was waiting only */
    expect_response(1, BLKIF_RSP_OKAY);
    expect_response(2, BLKIF_RSP_OKAY);
    assert_int_equal(n_order, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_requests_before_connect),
        TEST(test_persistent_maps_once),
        TEST(test_not_persistent_unmaps),
        TEST(test_segments),
        TEST(test_indirect),
        TEST(test_read_only_grants),
        TEST(test_large_scattered_ring),
        TEST(test_full_ring),
        TEST(test_events_suppressed),
        TEST(test_asks_before_sleep),
        TEST(test_barrier_order),
        TEST(test_barriers_inline),
        TEST(test_barrier_fails),
        TEST(test_error_is_logged),
        TEST(test_counters),
        TEST(test_bad_requests),
        TEST(test_bad_indirect),
        TEST(test_impossible_index),
        TEST(test_index_backwards),
        TEST(test_index_behind_flight),
        TEST(test_index_changes_in_service),
        TEST(test_index_behind_barrier),
        TEST(test_index_wraps),
        TEST(test_every_index),
        TEST(test_responses_are_clean),
        TEST(test_bounded_flight),
        TEST(test_small_share),
        TEST(test_no_handles),
        TEST(test_turns_are_bounded),
        TEST(test_maps_in_slices),
        TEST(test_sleeps_after_slices),
        TEST(test_disconnect_amid_mapping),
        TEST(test_disconnect_amid_unmapping),
        TEST(test_broken_amid_slices),
        TEST(test_event_storm),
        TEST(test_cannot_connect),
        TEST(test_disconnect_while_running),
        TEST(test_disconnect_amid_slices),
    };

    return cmocka_run_group_tests_name("blkback_ring", tests, NULL, NULL);
}
