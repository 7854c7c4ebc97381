/*
 * $RUNDIR/driverd.stats: lines for who asks, and no way to hold the driver
 * domain up or to make it grow.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "fake_host.h"
#include "ring_poll.h"
#include "stats_socket.h"
#include "xenbus_backend.h"

static struct driver driver;
static struct xenbus_room *room;
static struct stats_socket *stats;
static char dir[] = "/tmp/test_stats.XXXXXX";
static char path[64];
static unsigned int told, long_words;
static int create_result;

/* ---- a kind of device that only counts ---- */

static int create(struct xenbus_device *dev)
{
    (void)dev;
    return create_result;
}

static int nothing(struct xenbus_device *dev)
{
    (void)dev;
    return 0;
}

static int destroy(struct xenbus_device *dev)
{
    (void)dev;
    return 0;
}

static void tell(struct xenbus_device *dev, struct evbuffer *out)
{
    told++;
    evbuffer_add_printf(out, " eggs=%u", dev->devid * 10);
    for (unsigned int i = 0; i < long_words; i++)
        evbuffer_add_printf(out, " word%u=%u", i, i);
}

static const struct backend_ops counting = {
    .type = "nest",
    .create = create,
    .connect = nothing,
    .disconnect = nothing,
    .destroy = destroy,
    .tell = tell,
};
static const struct backend_ops silent = {
    .type = "mute",
    .create = create,
    .connect = nothing,
    .disconnect = nothing,
    .destroy = destroy,
};
static const struct backend_ops *const ops[] = { &counting, &silent };

/* ---- the loop, and clients of it ---- */

static void stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    event_base_loopbreak(driver.base);
}

static void run_ms(unsigned int ms)
{
    struct timeval t = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    event_base_once(driver.base, -1, EV_TIMEOUT, stop, NULL, &t);
    poll_room_run(driver.poll);
}

static void make_device(const char *type, unsigned int domid,
                        unsigned int devid)
{
    char node[128], front[64];

    snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%u", domid, type,
             devid);
    snprintf(node, sizeof(node), "/local/domain/1/backend/%s/%u/%u/frontend",
             type, domid, devid);
    fake_store_set(driver.store, node, front);
    snprintf(node, sizeof(node), "/local/domain/1/backend/%s/%u/%u/state", type,
             domid, devid);
    fake_store_set(driver.store, node, "1");
    run_ms(2);
}

static int ask(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(a.sun_path, path);
    while (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        assert_int_equal(errno, EAGAIN); /* too many wait in line */
        run_ms(1);
    }
    return fd;
}

/* All that comes, until the end; the number of bytes. */
static size_t take_all(int fd, char *buf, size_t size)
{
    size_t n = 0;
    ssize_t got;

    for (int i = 0; i < 2000; i++) {
        got = read(fd, buf + n, size - 1 - n);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else
            run_ms(2);
    }
    assert_int_equal(got, 0);
    buf[n] = '\0';
    close(fd);
    return n;
}

static bool is_over(int fd)
{
    struct pollfd p = { .fd = fd, .events = 0 };

    return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    told = long_words = 0;
    create_result = 0;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/driverd.stats", dir);
    driver.base = event_base_new();
    driver.store = fake_store_new(driver.base);
    driver.rundir = dir;
    if (poll_room_new(driver.base, &driver.poll) ||
        xenbus_backend_start(&driver, ops, 2, &room))
        return -1;
    return stats_socket_open(&driver, room, &stats);
}

static int teardown(void **state)
{
    (void)state;
    stats_socket_close(stats);
    xenbus_backend_stop(room);
    poll_room_free(driver.poll);
    store_close(driver.store);
    event_base_free(driver.base);
    return rmdir(dir); /* the socket has gone with its room */
}

/* ---- the tests ---- */

static void test_lines(void **state)
{
    char buf[200];

    (void)state;
    make_device("nest", 5, 1);
    make_device("nest", 6, 2);
    make_device("mute", 6, 3);
    take_all(ask(), buf, sizeof(buf));
    assert_string_equal(buf, "nest 5 1 eggs=10\nnest 6 2 eggs=20\n");
    assert_int_equal(told, 2);
}

static void test_nothing_to_tell(void **state)
{
    char buf[200];

    (void)state;
    assert_int_equal(take_all(ask(), buf, sizeof(buf)), 0);
    create_result = -ENODEV;
    make_device("nest", 5, 1); /* has no state of its own to count in */
    assert_int_equal(take_all(ask(), buf, sizeof(buf)), 0);
    assert_int_equal(told, 0);
}

static void test_private(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* More than a socket takes at once arrives whole. */
static void test_long(void **state)
{
    size_t size = 4u << 20;
    char *buf = malloc(size);
    unsigned int words = 0;

    (void)state;
    long_words = 100000;
    make_device("nest", 5, 1);
    assert_true(take_all(ask(), buf, size) > 1000000);
    for (const char *p = buf; (p = strstr(p, " word")) != NULL; p++)
        words++;
    assert_int_equal(words, long_words);
    free(buf);
}

/* Clients that do not read, and more of them than are served at a time: each
 * has its deadline, the others wait in line, and one that reads is served. */
static void test_clients_that_do_not_read(void **state)
{
    int fd[2 * STATS_CLIENTS];
    char buf[200];

    (void)state;
    long_words = 100000;
    make_device("nest", 5, 1);
    for (int i = 0; i < 2 * STATS_CLIENTS; i++)
        fd[i] = ask();
    run_ms(20);
    assert_int_equal(told, STATS_CLIENTS);
    run_ms(STATS_DEADLINE_MS + 50);
    for (int i = 0; i < STATS_CLIENTS; i++)
        assert_true(is_over(fd[i]));
    assert_int_equal(told, 2 * STATS_CLIENTS);
    long_words = 0;
    take_all(ask(), buf, sizeof(buf));
    assert_string_equal(buf, "nest 5 1 eggs=10\n");
    for (int i = 0; i < 2 * STATS_CLIENTS; i++)
        close(fd[i]);
}

/* Clients that go at once, and one that talks. */
static void test_rude_clients(void **state)
{
    static const char noise[100000];
    char buf[200];
    int fd;

    (void)state;
    long_words = 100000;
    make_device("nest", 5, 1);
    for (int i = 0; i < 50; i++) {
        close(ask());
        if (i % 7 == 0)
            run_ms(1);
    }
    fd = ask();
    assert_true(write(fd, noise, sizeof(noise)) > 0);
    run_ms(20);
    close(fd);
    long_words = 0;
    take_all(ask(), buf, sizeof(buf));
    assert_string_equal(buf, "nest 5 1 eggs=10\n");
}

/* A driver domain that died left its socket. */
static void test_successor(void **state)
{
    struct stats_socket *next;
    char buf[200];

    (void)state;
    assert_int_equal(stats_socket_open(&driver, room, &next), 0);
    make_device("nest", 5, 1);
    take_all(ask(), buf, sizeof(buf));
    assert_string_equal(buf, "nest 5 1 eggs=10\n");
    stats_socket_close(stats);
    stats = next;
}

static void test_cannot_listen(void **state)
{
    struct driver other = driver;
    struct stats_socket *s = stats;
    char name[PATH_MAX + 2] = "";

    (void)state;
    other.rundir = "/nonexistent";
    assert_int_equal(stats_socket_open(&other, room, &s), -ENOENT);
    assert_null(s);
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    other.rundir = name; /* longer than any that the kernel takes */
    assert_int_equal(stats_socket_open(&other, room, &s), -ENAMETOOLONG);
    stats_socket_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lines),
        CASE(test_nothing_to_tell),
        CASE(test_private),
        CASE(test_long),
        CASE(test_clients_that_do_not_read),
        CASE(test_rude_clients),
        CASE(test_successor),
        CASE(test_cannot_listen),
    };

    signal(SIGPIPE, SIG_IGN); /* as the driver domain does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
