/*
 * The handshake of backends, against a store in memory and a backend that
 * only takes notes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "fake_host.h"
#include "xenbus_backend.h"

#define BACK  "/local/domain/1/backend/vbd/5/51712"
#define FRONT "/local/domain/5/device/vbd/51712"

static struct driver driver;
static struct xenbus_room *room;
static struct xenbus_device *last;
static char calls[64]; /* c create, + connect, - disconnect, d destroy */
static int create_error, connect_error, disconnect_answer, destroy_answer;
static bool closed_meanwhile; /* by a tool, during create() */
static bool made_down;        /* by create() */

static void note(char what)
{
    size_t n = strlen(calls);

    if (n < sizeof(calls) - 1)
        calls[n] = what;
}

static int test_create(struct xenbus_device *dev)
{
    note('c');
    last = dev;
    if (create_error && create_error != -EINPROGRESS)
        dev_fail(dev, "no such disk");
    if (made_down)
        dev_down(dev, "no wire yet");
    if (closed_meanwhile) {
        fake_store_set(driver.store, BACK "/online", "0");
        fake_store_set(driver.store, BACK "/state", "5");
    }
    return create_error;
}

static int test_connect(struct xenbus_device *dev)
{
    (void)dev;
    note('+');
    return connect_error;
}

static int test_disconnect(struct xenbus_device *dev)
{
    (void)dev;
    note('-');
    return disconnect_answer;
}

static int test_destroy(struct xenbus_device *dev)
{
    note('d');
    if (dev == last && !destroy_answer)
        last = NULL;
    return destroy_answer;
}

/* The last two are looked at again when it matters. */
static const char *const nodes[] = { "frontend", "port", "state", "online",
                                     NULL };

static const struct backend_ops test_ops = {
    .type = "vbd",
    .own_nodes = nodes,
    .frontend_nodes = nodes,
    .create = test_create,
    .connect = test_connect,
    .disconnect = test_disconnect,
    .destroy = test_destroy,
};
static const struct backend_ops simple_ops = {
    .type = "console",
    .first_is_there = true,
    .create = test_create,
    .connect = test_connect,
    .disconnect = test_disconnect,
    .destroy = test_destroy,
};
static const struct backend_ops *const all_ops[] = { &test_ops, &simple_ops };

static void set(const char *path, const char *value)
{
    fake_store_set(driver.store, path, value);
}

/* Lets all events happen that are on their way. */
static void settle(void)
{
    for (int i = 0; i < 10; i++)
        event_base_loop(driver.base, EVLOOP_NONBLOCK);
}

static void set_and_settle(const char *path, const char *value)
{
    set(path, value);
    settle();
}

static void expect_state(const char *state)
{
    const char *is = fake_store_get(driver.store, BACK "/state");

    assert_non_null(is);
    assert_string_equal(is, state);
}

/* What the toolstack writes, one transaction: no event in between. */
static void make_device(const char *back_state, const char *front_state)
{
    set(FRONT "/state", front_state);
    set(BACK "/frontend", FRONT);
    set(BACK "/frontend-id", "5");
    set(BACK "/online", "1");
    set(BACK "/state", back_state);
    settle();
}

static void start_room(void)
{
    assert_int_equal(xenbus_backend_start(&driver, all_ops, 2, &room), 0);
    settle();
}

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    memset(calls, 0, sizeof(calls));
    create_error = connect_error = disconnect_answer = destroy_answer = 0;
    closed_meanwhile = made_down = false;
    last = NULL;
    driver.base = event_base_new();
    driver.store = fake_store_new(driver.base);
    room = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    disconnect_answer = 0;
    if (room)
        xenbus_backend_stop(room);
    store_close(driver.store);
    event_base_free(driver.base);
    return 0;
}

/* ---- the usual way ---- */

static void test_life(void **state)
{
    (void)state;
    start_room();
    make_device("1", "1");
    expect_state("2");
    assert_string_equal(calls, "c");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-status"),
                        "connected");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    set_and_settle(FRONT "/state", "4");
    assert_string_equal(calls, "c+");
    set_and_settle(FRONT "/state", "5");
    expect_state("5");
    set_and_settle(FRONT "/state", "6");
    expect_state("6");
    assert_string_equal(calls, "c+-");
    set_and_settle(FRONT "/state", "1"); /* it comes back */
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c+-+-d");
}

/* A frontend that does not wait for InitWait. */
static void test_eager_frontend(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    expect_state("4");
    assert_string_equal(calls, "c+");
}

static void test_found_at_start(void **state)
{
    (void)state;
    make_device("1", "1");
    start_room();
    expect_state("2");
}

static void test_two_devices(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set("/local/domain/6/device/vbd/51728/state", "3");
    set("/local/domain/1/backend/vbd/6/51728/frontend",
        "/local/domain/6/device/vbd/51728");
    set("/local/domain/1/backend/vbd/6/51728/state", "1");
    settle();
    assert_string_equal(calls, "c+c+");
    fake_store_remove(driver.store, "/local/domain/1/backend/vbd/5");
    settle();
    assert_string_equal(calls, "c+c+-d");
    fake_store_remove(driver.store, "/local/domain/1/backend");
    settle();
    assert_string_equal(calls, "c+c+-d-d");
}

static void test_not_a_device(void **state)
{
    (void)state;
    start_room();
    set("/local/domain/1/backend/vbd/x/1/frontend", "/f");
    set("/local/domain/1/backend/vbd/x/1/state", "1");
    set("/local/domain/1/backend/vbd/99999/1/frontend", "/f");
    set("/local/domain/1/backend/vbd/99999/1/state", "1");
    set("/local/domain/1/backend/vbd/5/state", "1");
    set("/local/domain/1/backend/vfb/5/0/frontend", "/f");
    set("/local/domain/1/backend/vfb/5/0/state", "1");
    settle();
    assert_string_equal(calls, "");
}

/* ---- what takes a while ---- */

static void test_slow_create(void **state)
{
    (void)state;
    create_error = -EINPROGRESS;
    start_room();
    make_device("1", "3");
    expect_state("1"); /* as the toolstack wrote it */
    set_and_settle(BACK "/state", "1");
    assert_string_equal(calls, "c");
    xenbus_backend_created(last, 0);
    settle();
    expect_state("4");
    assert_string_equal(calls, "c+");
}

static void test_slow_create_fails(void **state)
{
    (void)state;
    create_error = -EINPROGRESS;
    start_room();
    make_device("1", "1");
    dev_fail(last, "no such disk");
    xenbus_backend_created(last, -ENOENT);
    settle();
    expect_state("6");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "no such disk");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c");
}

/* Closed is said when the file, which was opened meanwhile, is closed. */
static void test_closed_while_created(void **state)
{
    (void)state;
    create_error = -EINPROGRESS;
    start_room();
    make_device("1", "1");
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("5");
    xenbus_backend_created(last, 0);
    settle();
    expect_state("6");
    assert_string_equal(calls, "cd");
}

static void test_gone_while_created(void **state)
{
    (void)state;
    create_error = -EINPROGRESS;
    start_room();
    make_device("1", "1");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c");
    xenbus_backend_created(last, 0);
    settle();
    assert_string_equal(calls, "cd");
}

static void test_slow_destroy(void **state)
{
    (void)state;
    destroy_answer = -EINPROGRESS;
    start_room();
    make_device("1", "3");
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    assert_string_equal(calls, "c+-d");
    expect_state("5");
    xenbus_backend_destroyed(last);
    settle();
    expect_state("6");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c+-d");
}

static void test_gone_while_destroyed(void **state)
{
    struct xenbus_device *first;

    (void)state;
    destroy_answer = -EINPROGRESS;
    start_room();
    make_device("1", "3");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c+-d");
    first = last;
    make_device("1", "1"); /* another of that name does not wait */
    expect_state("2");
    assert_string_equal(calls, "c+-dc");
    destroy_answer = 0;
    xenbus_backend_destroyed(first);
    settle();
}

/* ---- what is away when the driver domain starts again ---- */

static void wait_for_state(const char *state)
{
    const char *is = NULL;

    for (int i = 0; i < 2000 && (!is || strcmp(is, state)); i++) {
        usleep(5000);
        settle();
        is = fake_store_get(driver.store, BACK "/state");
    }
    expect_state(state);
}

static void test_comes_back(void **state)
{
    (void)state;
    create_error = -ENOENT;
    make_device("4", "4");
    start_room();
    expect_state("6");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "no such disk");
    set_and_settle(FRONT "/state", "1");
    expect_state("6");
    create_error = 0;
    wait_for_state("2");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-status"),
                        "connected");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
}

/* A new device's failure is its toolstack's business. */
static void test_first_failure_is_final(void **state)
{
    (void)state;
    create_error = -ENOENT;
    start_room();
    make_device("1", "1");
    expect_state("6");
    create_error = 0;
    for (int i = 0; i < 60; i++) {
        usleep(5000);
        settle();
    }
    expect_state("6");
    assert_string_equal(calls, "c");
}

static void test_closed_while_away(void **state)
{
    (void)state;
    create_error = -ENOENT;
    make_device("4", "4");
    start_room();
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("6");
    create_error = 0;
    for (int i = 0; i < 60; i++) {
        usleep(5000);
        settle();
    }
    expect_state("6");
    assert_string_equal(calls, "c");
}

/* ---- a driver domain that starts where another died ---- */

static void test_restart(void **state)
{
    (void)state;
    make_device("4", "4");
    start_room();
    expect_state("6"); /* the frontend's rings are not for us */
    assert_string_equal(calls, "c");
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    assert_string_equal(calls, "c+");
}

/* It had published a ring, but nobody had taken it yet. */
static void test_restart_initialised(void **state)
{
    (void)state;
    make_device("2", "3");
    start_room();
    expect_state("6");
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
}

/* The other died while a tool closed the device. */
static void test_restart_closing(void **state)
{
    (void)state;
    set(BACK "/online", "0");
    set(FRONT "/state", "4");
    set(BACK "/frontend", FRONT);
    set(BACK "/state", "5");
    start_room();
    expect_state("6");
    assert_string_equal(calls, "cd");
}

static void test_restart_before_frontend(void **state)
{
    (void)state;
    make_device("2", "1");
    start_room();
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
}

/* The frontend goes twice before we look: reconnecting is not missed. */
static void test_frontend_restarts(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set_and_settle(FRONT "/state", "4");
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    assert_string_equal(calls, "c+-+");
}

/* ---- the toolstack takes it away ---- */

static void test_tool_closes(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set(FRONT "/state", "4");
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("6");
    assert_string_equal(calls, "c+-d");  /* what it had is free now */
    set_and_settle(FRONT "/state", "1"); /* no way back */
    expect_state("6");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c+-d");
}

/* After the frontend did so: all is given back, and it may be said again. */
static void test_tool_closes_closed(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set_and_settle(FRONT "/state", "6");
    expect_state("6");
    assert_string_equal(calls, "c+-");
    for (int i = 0; i < 2; i++) {
        set(BACK "/online", "0");
        set_and_settle(BACK "/state", "5");
        expect_state("6");
        assert_string_equal(calls, "c+-d");
    }
}

/* At the moment in which the backend closes because its frontend did. */
static void test_tool_closes_meanwhile(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set(FRONT "/state", "6");
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("6");
    assert_string_equal(calls, "c+-d");
}

/* One that could not be made. */
static void test_tool_closes_failed(void **state)
{
    (void)state;
    create_error = -ENOENT;
    start_room();
    make_device("1", "1");
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("6");
    assert_string_equal(calls, "c");
}

/* Before we have said anything. */
static void test_tool_closes_early(void **state)
{
    (void)state;
    start_room();
    closed_meanwhile = true;
    make_device("1", "1");
    expect_state("6");
    assert_string_equal(calls, "cd");
}

static void test_tool_closes_slow_disk(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    disconnect_answer = -EINPROGRESS;
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    expect_state("5");
    assert_string_equal(calls, "c+-");
    xenbus_backend_disconnected(last);
    expect_state("6");
    assert_string_equal(calls, "c+-d");
}

static void test_gone_with_slow_disk(void **state)
{
    struct xenbus_device *dev;

    (void)state;
    start_room();
    make_device("1", "3");
    dev = last;
    disconnect_answer = -EINPROGRESS;
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c+-");
    make_device("1", "3"); /* the same place again, meanwhile */
    assert_string_equal(calls, "c+-c+");
    disconnect_answer = 0;
    xenbus_backend_disconnected(dev);
    assert_string_equal(calls, "c+-c+d");
}

/* A frontend that gives up before it has connected, and tries again. */
static void test_frontend_closes_early(void **state)
{
    (void)state;
    start_room();
    make_device("1", "1");
    expect_state("2");
    set_and_settle(FRONT "/state", "6");
    expect_state("6");
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    assert_string_equal(calls, "c+");
}

/* Removed and made again before we saw either. */
static void test_replaced(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    fake_store_remove(driver.store, BACK);
    make_device("1", "1");
    assert_string_equal(calls, "c+-dc");
    expect_state("2");
}

static void test_frontend_vanishes(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    fake_store_remove(driver.store, FRONT);
    settle();
    expect_state("6");
    assert_string_equal(calls, "c+-");
}

/* ---- failures ---- */

static void test_create_fails(void **state)
{
    (void)state;
    create_error = -ENOENT;
    start_room();
    make_device("1", "1");
    expect_state("6");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "no such disk");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-status"),
                        "error");
    set_and_settle(FRONT "/state", "3");
    fake_store_remove(driver.store, BACK);
    settle();
    assert_string_equal(calls, "c"); /* and no destroy of nothing */
}

static void test_connect_fails(void **state)
{
    (void)state;
    connect_error = -EFAULT;
    start_room();
    make_device("1", "3");
    expect_state("6");
    assert_non_null(fake_store_get(driver.store, BACK "/hotplug-error"));
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
    connect_error = 0;
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
}

/* A frontend that is refused again and again is refused for good. */
static void test_endless_failures(void **state)
{
    (void)state;
    connect_error = -EFAULT;
    start_room();
    make_device("1", "1");
    for (int i = 0; i < 100; i++) {
        set_and_settle(FRONT "/state", "3");
        set_and_settle(FRONT "/state", "1");
    }
    expect_state("6");
    assert_true(strlen(calls) < 40);
}

static void test_fails_while_connected(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set_and_settle(FRONT "/state", "4");
    dev_fail(last, "broken ring");
    assert_string_equal(calls, "c+"); /* not under the caller's feet */
    settle();
    assert_string_equal(calls, "c+-");
    expect_state("6");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "broken ring");
    set_and_settle(FRONT "/state", "1");
    expect_state("2");
}

/* ---- what the device leads to goes and comes ---- */

static void test_down_and_up(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    set_and_settle(FRONT "/state", "4");
    dev_down(last, "the wire is cut");
    assert_string_equal(calls, "c+"); /* not under the caller's feet */
    settle();
    assert_string_equal(calls, "c+-");
    expect_state("6");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "the wire is cut");
    set_and_settle(FRONT "/state", "1");
    expect_state("6"); /* it is not offered */
    dev_up(last);
    settle();
    expect_state("2");
    assert_string_equal(fake_store_get(driver.store, BACK "/hotplug-error"),
                        "");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    assert_string_equal(calls, "c+-+");
}

/* It comes and goes more often than a broken frontend may fail. */
static void test_down_often(void **state)
{
    (void)state;
    start_room();
    make_device("1", "1");
    for (int i = 0; i < 40; i++) {
        dev_down(last, "the wire is cut");
        settle();
        dev_up(last);
        settle();
        expect_state("2");
    }
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
}

/* A driver domain that starts again while the wire is cut. */
static void test_made_down(void **state)
{
    (void)state;
    made_down = true;
    make_device("4", "4");
    start_room();
    expect_state("6");
    set_and_settle(FRONT "/state", "1");
    expect_state("6");
    dev_up(last);
    settle();
    expect_state("2");
    set_and_settle(FRONT "/state", "3");
    expect_state("4");
    assert_string_equal(calls, "c+");
}

static void test_closed_while_down(void **state)
{
    (void)state;
    start_room();
    make_device("1", "3");
    disconnect_answer = -EINPROGRESS;
    dev_down(last, "the wire is cut");
    settle();
    expect_state("4"); /* a disk that is slow: not yet */
    set(BACK "/online", "0");
    set_and_settle(BACK "/state", "5");
    disconnect_answer = 0;
    xenbus_backend_disconnected(last);
    expect_state("6"); /* for good */
    assert_string_equal(calls, "c+-d");
}

/* ---- no handshake ---- */

static void test_console(void **state)
{
    const char *back = "/local/domain/1/backend/console/5/0";
    char node[128];

    (void)state;
    start_room();
    snprintf(node, sizeof(node), "%s/frontend", back);
    set(node, "/local/domain/5/console");
    snprintf(node, sizeof(node), "%s/state", back);
    set_and_settle(node, "1");
    assert_string_equal(calls, "c+");
    assert_string_equal(fake_store_get(driver.store, node), "4");
    snprintf(node, sizeof(node), "%s/online", back);
    set(node, "0");
    snprintf(node, sizeof(node), "%s/state", back);
    set_and_settle(node, "5");
    assert_string_equal(calls, "c+-");
    assert_string_equal(fake_store_get(driver.store, node), "6");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_eager_frontend),
        TEST(test_found_at_start),
        TEST(test_two_devices),
        TEST(test_not_a_device),
        TEST(test_slow_create),
        TEST(test_slow_create_fails),
        TEST(test_closed_while_created),
        TEST(test_gone_while_created),
        TEST(test_slow_destroy),
        TEST(test_gone_while_destroyed),
        TEST(test_comes_back),
        TEST(test_first_failure_is_final),
        TEST(test_closed_while_away),
        TEST(test_restart),
        TEST(test_restart_initialised),
        TEST(test_restart_closing),
        TEST(test_restart_before_frontend),
        TEST(test_frontend_restarts),
        TEST(test_tool_closes),
        TEST(test_tool_closes_closed),
        TEST(test_tool_closes_meanwhile),
        TEST(test_tool_closes_failed),
        TEST(test_tool_closes_early),
        TEST(test_tool_closes_slow_disk),
        TEST(test_gone_with_slow_disk),
        TEST(test_frontend_closes_early),
        TEST(test_replaced),
        TEST(test_frontend_vanishes),
        TEST(test_create_fails),
        TEST(test_connect_fails),
        TEST(test_endless_failures),
        TEST(test_fails_while_connected),
        TEST(test_down_and_up),
        TEST(test_down_often),
        TEST(test_made_down),
        TEST(test_closed_while_down),
        TEST(test_console),
    };

    return cmocka_run_group_tests_name("xenbus_backend", tests, NULL, NULL);
}
