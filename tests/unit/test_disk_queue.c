/*
 * Disks that share a carrier: one alone may have much started, several have
 * equal parts, and something of each is always under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk_io.h"

#define KIB 1024u
#define MIB (1024u * KIB)

/* A carrier that only remembers what it was given. */
static struct disk_io *started[600];
static unsigned int n_started, kicks, ended;
static struct disk_async carrier;
static struct disk_queue q[3];
static struct disk_io ios[3][200];
static unsigned int n_ios[3];

static void carrier_submit(struct disk_async *a, struct disk_io *io)
{
    (void)a;
    started[n_started++] = io;
}

static void carrier_kick(struct disk_async *a)
{
    (void)a;
    kicks++;
}

static void done(struct disk_io *io, int err)
{
    (void)io;
    assert_int_equal(err, 0);
    ended++;
}

static int setup(void **state)
{
    (void)state;
    carrier = (struct disk_async){ .submit = carrier_submit,
                                   .kick = carrier_kick,
                                   .parallel = 16 };
    list_init(&carrier.busy);
    n_started = kicks = ended = 0;
    for (int i = 0; i < 3; i++) {
        disk_queue_init(&q[i], &carrier);
        n_ios[i] = 0;
    }
    return 0;
}

static void add(unsigned int i, enum disk_op op, uint64_t length,
                unsigned int n)
{
    while (n--) {
        struct disk_io *io = &ios[i][n_ios[i]++];

        *io = (struct disk_io){ .op = op, .length = length, .done = done };
        disk_queue_add(&q[i], io);
    }
}

static unsigned int count(unsigned int i)
{
    unsigned int n = 0;

    for (unsigned int k = 0; k < n_started; k++)
        n += started[k]->queue == &q[i];
    return n;
}

/* The carrier ends the first that it was given. */
static void finish_one(void)
{
    struct disk_io *io = started[0];

    memmove(started, started + 1, --n_started * sizeof(started[0]));
    io->length = 0; /* disks use it up */
    disk_queue_done(io, 0);
}

static void finish_all(void)
{
    while (n_started) {
        finish_one();
        disk_queue_kick(&carrier);
    }
}

static void test_alone(void **state)
{
    (void)state;
    add(0, DISK_READ, 4 * KIB, 100);
    assert_int_equal(n_started, 0); /* nothing before the kick */
    disk_queue_kick(&carrier);
    assert_int_equal(n_started, 16);
    finish_all();
    add(0, DISK_WRITE, MIB, 8);
    disk_queue_kick(&carrier);
    assert_int_equal(n_started, 3);
    finish_all();
    assert_int_equal(ended, 108);
    assert_true(kicks > 0);
}

/* A flood beside single requests: the flood has its part, no more. */
static void test_beside_others(void **state)
{
    (void)state;
    add(0, DISK_WRITE, MIB, 8);
    add(1, DISK_READ, 4 * KIB, 1);
    disk_queue_kick(&carrier);
    assert_int_equal(count(0), 1);
    assert_int_equal(count(1), 1);
    finish_all();
    assert_int_equal(ended, 9);
    /* Also while it pauses for a moment. */
    add(0, DISK_WRITE, MIB, 8);
    disk_queue_kick(&carrier);
    if (carrier.n_busy == 2) /* this machine did not pause for longer */
        assert_int_equal(count(0), 1);
    finish_all();
}

/* Small ones are counted, too: they would take all of the carrier's threads. */
static void test_counts(void **state)
{
    (void)state;
    add(0, DISK_READ, 512, 100);
    add(1, DISK_READ, 512, 100);
    add(2, DISK_FLUSH, 0, 100);
    disk_queue_kick(&carrier);
    assert_int_equal(count(0), 5);
    assert_int_equal(count(1), 5);
    assert_int_equal(count(2), 2);
    /* In turns: none waits behind all that another has. */
    assert_ptr_equal(started[0]->queue, &q[0]);
    assert_ptr_equal(started[1]->queue, &q[1]);
    assert_ptr_equal(started[2]->queue, &q[2]);
    assert_ptr_equal(started[3]->queue, &q[0]);
    finish_all();
    assert_int_equal(ended, 300);
}

/* Who was idle for long is no competitor any more. */
static void test_idle_is_forgotten(void **state)
{
    (void)state;
    add(1, DISK_READ, 512, 1);
    disk_queue_kick(&carrier);
    finish_all();
    usleep(30000);
    add(0, DISK_WRITE, MIB, 8);
    disk_queue_kick(&carrier);
    assert_int_equal(count(0), 3);
    finish_all();
    disk_queue_fini(&q[0]);
    disk_queue_fini(&q[1]);
    assert_int_equal(carrier.n_busy, 0);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alone),
        TEST(test_beside_others),
        TEST(test_counts),
        TEST(test_idle_is_forgotten),
    };

    return cmocka_run_group_tests_name("disk_queue", tests, NULL, NULL);
}
