/*
 * The application's own descriptors in the host's loop: rs_host_watch().
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct {
    struct rs_host *h;
    int fd; /* an eventfd */
    unsigned int calls, inside;
    uint32_t events;
    bool entered, leaving, left; /* atomic */
} fx;

static int setup(void **state)
{
    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.h = core_host("test");
    fx.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fx.fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    close(fx.fd);
    return 0;
}

static void fire(void)
{
    uint64_t one = 1;

    assert_int_equal(write(fx.fd, &one, sizeof(one)), sizeof(one));
}

static void settle(void)
{
    uint64_t n;

    assert_int_equal(read(fx.fd, &n, sizeof(n)), sizeof(n));
}

static void count(void *data, uint32_t events)
{
    assert_ptr_equal(data, &fx);
    fx.calls++;
    fx.events = events;
}

/* Dispatches what is due and says how often the handler was called. */
static unsigned int calls(void)
{
    fx.calls = 0;
    assert_int_equal(rs_host_dispatch(fx.h, 0), 0);
    return fx.calls;
}

static void test_level(void **state)
{
    (void)state;
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, count, &fx), 0);
    assert_int_equal(calls(), 0);
    fire();
    assert_int_equal(calls(), 1);
    assert_int_equal(fx.events, EPOLLIN);
    assert_int_equal(calls(), 1); /* it is still there */
    settle();
    assert_int_equal(calls(), 0);
    fire();
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), 0);
    assert_int_equal(calls(), 0);
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN | EPOLLOUT, count, &fx),
                     0);
    assert_int_equal(calls(), 1);
    assert_int_equal(fx.events, EPOLLIN | EPOLLOUT);
}

static void test_errors(void **state)
{
    int plain = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(rs_host_watch(fx.h, plain, EPOLLIN, count, &fx), -EPERM);
    close(plain);
    assert_int_equal(rs_host_watch(fx.h, -1, EPOLLIN, count, &fx), -EBADF);
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), -ENOENT);
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, count, &fx), 0);
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, count, &fx), -EEXIST);
    fire();
    assert_int_equal(calls(), 1); /* the first is as it was */
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), 0);
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), -ENOENT);
}

/* The library may be called from a handler, also to end its own watch. */
static void use_library(void *data, uint32_t events)
{
    uint16_t d = core_boot(fx.h);

    (void)events;
    count(data, events);
    assert_int_equal(rs_domain_destroy(fx.h, d), 0);
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), 0);
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), -ENOENT);
    if (fx.calls == 1)
        assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, count, &fx), 0);
}

static void test_handler_calls(void **state)
{
    (void)state;
    fire();
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, use_library, &fx), 0);
    assert_int_equal(calls(), 1);
    assert_int_equal(calls(), 1); /* now `count` */
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), 0);
    assert_int_equal(calls(), 0);
}

static void yield_until(const bool *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        sched_yield();
}

/* Returns some time after it is told to. */
static void linger(void *data, uint32_t events)
{
    (void)data;
    (void)events;
    __atomic_store_n(&fx.entered, true, __ATOMIC_RELEASE);
    yield_until(&fx.leaving);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    __atomic_store_n(&fx.left, true, __ATOMIC_RELEASE);
}

static void *dispatch_once(void *arg)
{
    rs_host_dispatch(fx.h, -1);
    return arg;
}

/* Unwatching waits for a handler that runs in another thread. */
static void test_unwatch_waits(void **state)
{
    pthread_t t;

    (void)state;
    fire();
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, linger, &fx), 0);
    assert_int_equal(pthread_create(&t, NULL, dispatch_once, NULL), 0);
    yield_until(&fx.entered);
    __atomic_store_n(&fx.leaving, true, __ATOMIC_RELEASE);
    assert_int_equal(rs_host_unwatch(fx.h, fx.fd), 0);
    assert_true(__atomic_load_n(&fx.left, __ATOMIC_ACQUIRE));
    pthread_join(t, NULL);
}

#define ROUNDS 2000

static void be_alone(void *data, uint32_t events)
{
    (void)data;
    (void)events;
    assert_int_equal(__atomic_fetch_add(&fx.inside, 1, __ATOMIC_ACQ_REL), 0);
    sched_yield();
    if (++fx.calls == ROUNDS)
        rs_host_stop(fx.h);
    __atomic_fetch_sub(&fx.inside, 1, __ATOMIC_ACQ_REL);
}

static void *dispatch_all(void *arg)
{
    while (__atomic_load_n(&fx.leaving, __ATOMIC_ACQUIRE) == 0)
        rs_host_dispatch(fx.h, 1);
    return arg;
}

/* A handler is called by one thread at a time, however many dispatch. */
static void test_one_at_a_time(void **state)
{
    pthread_t t[2];

    (void)state;
    fire();
    assert_int_equal(rs_host_watch(fx.h, fx.fd, EPOLLIN, be_alone, &fx), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, dispatch_all, NULL), 0);
    assert_int_equal(rs_host_run(fx.h), 0);
    __atomic_store_n(&fx.leaving, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_true(fx.calls >= ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_handler_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwatch_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
