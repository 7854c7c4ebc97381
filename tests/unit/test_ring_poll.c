/*
 * Polling and sleeping: rings are served fairly, sleep when they are idle, wake
 * up, and cannot be used to keep the driver domain awake for nothing.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "driver.h"
#include "ring_poll.h"

struct ring {
    struct ring_poll poll;
    unsigned int work; /* requests that wait */
    unsigned int batch, services, arms;
    unsigned int cost, units;     /* of a request; of all */
    bool remove_in_service, late; /* late: work comes while arming */
    int fd;
};

static struct event_base *base;
static struct poll_room *room;
static struct ring a, b;
static unsigned int enough; /* units of both: the loop ends */

static unsigned int service(struct ring_poll *p, unsigned int budget)
{
    struct ring *r = container_of(p, struct ring, poll);
    unsigned int n = 0, units = 0;

    assert_true(budget > 0 && budget <= RING_POLL_QUANTUM);
    for (; n < r->batch && r->work && units < budget; n++, units += r->cost)
        r->work--;
    r->services++;
    r->units += units;
    if (a.units + b.units > enough)
        event_base_loopbreak(base);
    if (r->remove_in_service)
        ring_poll_remove(p);
    return units;
}

static bool arm(struct ring_poll *p)
{
    struct ring *r = container_of(p, struct ring, poll);

    r->arms++;
    if (r->late) {
        r->late = false;
        r->work = 1;
    }
    return r->work != 0;
}

static void ring_make(struct ring *r)
{
    *r = (struct ring){ .batch = 4, .cost = 1 };
    ring_poll_init(room, &r->poll);
    r->poll.service = service;
    r->poll.arm = arm;
    r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(ring_poll_bind(&r->poll, r->fd), 0);
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    enough = UINT_MAX;
    if (poll_room_new(base, &room))
        return -1;
    ring_make(&a);
    ring_make(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ring_poll_remove(&a.poll);
    ring_poll_remove(&b.poll);
    close(a.fd);
    close(b.fd);
    poll_room_free(room);
    event_base_free(base);
    return 0;
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    event_base_loopbreak(base);
}

static void run_ms(unsigned int ms)
{
    struct timeval t = { .tv_usec = ms * 1000 };

    event_base_once(base, -1, EV_TIMEOUT, stop, NULL, &t);
    poll_room_run(room);
}

static void fire(struct ring *r)
{
    uint64_t one = 1;

    assert_int_equal(write(r->fd, &one, sizeof(one)), sizeof(one));
}

static void test_sleeps_when_idle(void **state)
{
    unsigned int services;

    (void)state;
    a.work = 10;
    fire(&a);
    run_ms(5);
    assert_int_equal(a.work, 0);
    assert_false(a.poll.active);
    assert_true(a.arms >= 1);
    assert_int_equal(b.services, 0);
    services = a.services;
    run_ms(5);
    assert_int_equal(a.services, services);
    a.work = 1;
    fire(&a);
    run_ms(5);
    assert_int_equal(a.work, 0);
}

/* A ring with endless work does not keep another waiting. */
static void test_fair(void **state)
{
    (void)state;
    a.work = UINT32_MAX;
    a.batch = 1;
    b.work = 1000;
    fire(&a);
    fire(&b);
    run_ms(5);
    assert_int_equal(b.work, 0);
    assert_true(a.work > 0);
}

/* Of two that always have work, each gets half, whatever its requests cost. */
static void test_equal_shares(void **state)
{
    const unsigned int costs[] = { 1, 2, 33, 64, 257, 1000 };

    (void)state;
    for (unsigned int i = 0; i < 6; i++)
        for (unsigned int batch = 1; batch <= 64; batch += 63) {
            ring_poll_remove(&a.poll);
            ring_poll_remove(&b.poll);
            close(a.fd);
            close(b.fd);
            ring_make(&a);
            ring_make(&b);
            a.work = b.work = UINT_MAX;
            enough = 100000;
            a.batch = 64;
            b.batch = batch;
            b.cost = costs[i];
            fire(&a);
            fire(&b);
            poll_room_run(room);
            assert_true(a.units + b.units > enough);
            assert_true(a.units <= b.units + 2 * RING_POLL_QUANTUM + costs[i]);
            assert_true(b.units <= a.units + 2 * RING_POLL_QUANTUM + costs[i]);
        }
}

/* Work that comes between the last look and arming is not slept over. */
static void test_late_work(void **state)
{
    (void)state;
    a.late = true;
    fire(&a);
    run_ms(5);
    assert_int_equal(a.work, 0);
    assert_int_equal(a.late, 0);
}

static void test_remove_in_service(void **state)
{
    (void)state;
    a.work = b.work = 10;
    a.remove_in_service = true;
    fire(&a);
    fire(&b);
    run_ms(5);
    assert_int_equal(a.services, 1);
    assert_int_equal(b.work, 0);
}

/* Events without work: after a while the channel is not listened to. */
static void test_storm(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        fire(&a);
        event_base_loop(base, EVLOOP_NONBLOCK);
        run_ms(0);
    }
    run_ms(1);
    assert_true(a.arms < 500);
    a.work = 1; /* and it is heard again */
    fire(&a);
    run_ms(20);
    assert_int_equal(a.work, 0);
}

/* Traffic with short pauses makes the poll longer; a long pause ends it. */
static void test_bound_adapts(void **state)
{
    (void)state;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        skip();
    a.poll.idle_ns = driver_now() - 50000;
    ring_poll_kick(&a.poll);
    assert_true(a.poll.bound_ns > 0);
    run_ms(5);
    a.poll.idle_ns = driver_now() - 10000000;
    ring_poll_kick(&a.poll);
    assert_int_equal(a.poll.bound_ns, 0);
    run_ms(5);
    a.poll.never_poll = true;
    a.poll.idle_ns = driver_now() - 50000;
    ring_poll_kick(&a.poll);
    assert_int_equal(a.poll.bound_ns, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sleeps_when_idle),
        TEST(test_equal_shares),

        TEST(test_fair),
        TEST(test_late_work),
        TEST(test_remove_in_service),
        TEST(test_storm),
        TEST(test_bound_adapts),
    };

    return cmocka_run_group_tests_name("ring_poll", tests, NULL, NULL);
}
