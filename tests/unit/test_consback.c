/*
 * The console backend: a guest's ring on one side, a log and a terminal on the
 * other.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "consback.h"
#include "console_log.h"
#include "log_file.h"
#include "fake_host.h"
#include "ring_poll.h"

#define BACK  "/local/domain/1/backend/console/5/0"
#define FRONT "/local/domain/5/console"

static struct driver driver;
static struct xenbus_room *room;
static struct xencons_interface *ring;
static char dir[] = "/tmp/test_consback.XXXXXX";
static const struct backend_ops *const ops[] = { &consback_ops };

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

static const char *state_node(void)
{
    return fake_store_get(driver.store, BACK "/state");
}

static void make_device(void)
{
    fake_store_set(driver.store, "/local/domain/5/name", "a/guest");
    fake_store_set(driver.store, FRONT "/port", "2");
    fake_store_set(driver.store, BACK "/frontend", FRONT);
    fake_store_set(driver.store, BACK "/state", "1");
    run_ms(2);
}

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    ring = fake_page(0);
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    driver.base = event_base_new();
    driver.store = fake_store_new(driver.base);
    driver.rundir = dir;
    if (poll_room_new(driver.base, &driver.poll))
        return -1;
    return xenbus_backend_start(&driver, ops, 1, &room);
}

static void remove_file(const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    remove(path);
}

static int teardown(void **state)
{
    (void)state;
    xenbus_backend_stop(room);
    assert_int_equal(fake.maps, 0);
    assert_int_equal(fake.bound, 0);
    store_close(driver.store);
    poll_room_free(driver.poll);
    event_base_free(driver.base);
    remove_file("console/1/a_guest.log");
    remove_file("console/1");
    remove_file("console/a_guest.log");
    remove_file("console");
    return rmdir(dir);
}

/* As much as there is room for; the guest waits for the rest. */
static size_t guest_writes(const char *text, size_t n)
{
    size_t room_left = sizeof(ring->out) - (ring->out_prod - ring->out_cons);

    if (n > room_left)
        n = room_left;
    for (size_t i = 0; i < n; i++)
        ring->out[MASK_XENCONS_IDX(ring->out_prod + i, ring->out)] = text[i];
    ring->out_prod += (XENCONS_RING_IDX)n;
    fake_guest_sends();
    return n;
}

static char *read_log_of(const char *name, size_t *n)
{
    static char text[8 << 20];
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "r");
    assert_non_null(f);
    *n = fread(text, 1, sizeof(text) - 1, f);
    text[*n] = '\0';
    fclose(f);
    return text;
}

static char *read_log(size_t *n)
{
    return read_log_of("console/a_guest.log", n);
}

static int open_tty(void)
{
    const char *name = fake_store_get(driver.store, FRONT "/tty");
    int fd;

    if (!name) {
        print_message("no pseudo terminals here\n");
        skip();
    }
    fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_output(void **state)
{
    size_t n;

    (void)state;
    ring->out_prod = ring->out_cons = UINT32_MAX - 2; /* it wraps */
    guest_writes("early ", 6);                        /* before we came */
    make_device();
    assert_string_equal(state_node(), "4");
    guest_writes("late\n", 5);
    run_ms(5);
    assert_string_equal(read_log(&n), "early late\n");
    assert_int_equal(ring->out_cons, ring->out_prod);
    assert_true(fake.notified > 0);
}

#define BACK1  "/local/domain/1/backend/console/5/1"
#define FRONT1 "/local/domain/5/device/console/1"

/* Another console than the primary one: the guest says where its ring is. */
static void test_second_console(void **state)
{
    size_t n;

    (void)state;
    make_device();
    fake_store_set(driver.store, FRONT1 "/state", "1");
    fake_store_set(driver.store, BACK1 "/frontend", FRONT1);
    fake_store_set(driver.store, BACK1 "/state", "1");
    run_ms(2);
    assert_string_equal(fake_store_get(driver.store, BACK1 "/state"), "2");
    /* Not where the guest could name another. */
    assert_null(fake_store_get(driver.store, FRONT1 "/tty"));
    ring = fake_page(7);
    guest_writes("early ", 6);
    fake_store_set(driver.store, FRONT1 "/ring-ref", "7");
    fake_store_set(driver.store, FRONT1 "/port", "3");
    fake_store_set(driver.store, FRONT1 "/state", "3");
    run_ms(2);
    assert_string_equal(fake_store_get(driver.store, BACK1 "/state"), "4");
    guest_writes("late\n", 5);
    run_ms(5);
    assert_string_equal(read_log_of("console/1/a_guest.log", &n),
                        "early late\n");
    assert_string_equal(read_log(&n), "");
    /* What is in the ring at the end is not lost. */
    guest_writes("last\n", 5);
    fake_store_set(driver.store, BACK1 "/online", "0");
    fake_store_set(driver.store, BACK1 "/state", "5");
    run_ms(5);
    assert_string_equal(fake_store_get(driver.store, BACK1 "/state"), "6");
    assert_string_equal(read_log_of("console/1/a_guest.log", &n),
                        "early late\nlast\n");
}

/* Without a ring it is refused, and the primary one goes on. */
static void test_second_console_without_ring(void **state)
{
    size_t n;

    (void)state;
    make_device();
    fake_store_set(driver.store, FRONT1 "/state", "3");
    fake_store_set(driver.store, BACK1 "/frontend", FRONT1);
    fake_store_set(driver.store, BACK1 "/state", "1");
    run_ms(2);
    assert_string_equal(fake_store_get(driver.store, BACK1 "/state"), "6");
    guest_writes("here\n", 5);
    run_ms(5);
    assert_string_equal(read_log(&n), "here\n");
}

/* Reads until the text ends so, which may take the kernel a while. */
static const char *read_until(int tty, char *text, size_t size, const char *end)
{
    size_t len = strlen(text);

    for (int tries = 0; tries < 5000; tries++) {
        ssize_t n = read(tty, text + len, size - 1 - len);

        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        if (len >= strlen(end) && !strcmp(text + len - strlen(end), end))
            return text;
        run_ms(2);
    }
    fail_msg("the terminal does not say '%s'", end);
    return text;
}

/* Waits for input that went over the terminal. */
static void wait_for_input(XENCONS_RING_IDX prod)
{
    for (int tries = 0; tries < 5000 && ring->in_prod != prod; tries++)
        run_ms(2);
    assert_int_equal(ring->in_prod, prod);
}

static void test_terminal(void **state)
{
    char buf[64] = "";
    ssize_t n;
    int tty;

    (void)state;
    make_device();
    guest_writes("nobody looks\n", 13);
    run_ms(5);
    tty = open_tty();
    guest_writes("hello\n", 6);
    read_until(tty, buf, sizeof(buf), "hello\n");
    assert_string_equal(buf, "hello\n"); /* no \r, nothing from before */
    assert_int_equal(write(tty, "abc\n", 4), 4);
    wait_for_input(4);
    assert_memory_equal(ring->in, "abc\n", 4);
    close(tty);
    guest_writes("again alone\n", 12);
    run_ms(5);
    tty = open_tty();
    n = read(tty, buf, sizeof(buf));
    assert_true(n <= 0);
    close(tty);
}

#define CHUNKS 160 /* more than any terminal keeps */

/* Who does not read misses something, and hears how much. */
static void test_slow_terminal(void **state)
{
    static char got[CHUNKS * 1024 * 2];
    char chunk[1024];
    unsigned int missed;
    const char *note;
    size_t len, had;
    ssize_t more;
    int tty;

    (void)state;
    memset(chunk, 'x', sizeof(chunk));
    make_device();
    tty = open_tty();
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(guest_writes(chunk, sizeof(chunk)), sizeof(chunk));
        run_ms(2);
    }
    /* Reading makes room, into which the next output goes. */
    read_until(tty, got, sizeof(got), "xxxx");
    for (int idle = 0; idle < 20; idle++) { /* the kernel takes its time */
        len = strlen(got);
        run_ms(10);
        more = read(tty, got + len, sizeof(got) - 1 - len);
        if (more > 0)
            idle = 0;
        got[len + (more > 0 ? (size_t)more : 0)] = '\0';
    }
    guest_writes("next", 4);
    read_until(tty, got, sizeof(got), "next");
    guest_writes("last", 4); /* is told once */
    read_until(tty, got, sizeof(got), "last");
    note = strchr(got, '(');
    assert_non_null(note);
    assert_int_equal(sscanf(note, "(%u bytes were dropped here; ", &missed), 1);
    had = strspn(got, "x");
    assert_int_equal(had + missed, CHUNKS * sizeof(chunk));
    assert_true(missed > 0);
    assert_string_equal(strchr(note, '\r'), "\r\nnextlast");
    close(tty);
}

/* More input than the ring holds waits until the guest reads. */
static void test_much_input(void **state)
{
    char text[1500];
    int tty;

    (void)state;
    make_device();
    tty = open_tty();
    for (int i = 0; i < 1500; i++)
        text[i] = (char)('a' + i % 26);
    assert_int_equal(write(tty, text, sizeof(text)), 1500);
    wait_for_input(1024);
    assert_memory_equal(ring->in, text, 1024);
    ring->in_cons = 1024;
    fake_guest_sends();
    wait_for_input(1500);
    assert_memory_equal(ring->in, text + 1024, 1500 - 1024);
    close(tty);
}

/* A guest that writes without end is slowed down, and loses nothing. */
static void test_rate(void **state)
{
    static char text[4 << 20];
    uint64_t start, allowed;
    size_t sent = 0, logged;
    const char *log;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('A' + i % 53);
    make_device();
    start = driver_now();
    for (int i = 0; i < 1000; i++) {
        sent += guest_writes(text + sent, sizeof(text) - sent);
        event_base_loop(driver.base, EVLOOP_NONBLOCK);
        run_ms(0);
    }
    allowed = (256 << 10) + (driver_now() - start) / 1000 * 42 / 10 + 4096;
    assert_true(sent >= 256 << 10);
    assert_true(sent <= allowed);
    run_ms(100);
    log = read_log(&logged);
    assert_int_equal(logged, sent);
    assert_memory_equal(log, text, sent);
}

static void test_last_words(void **state)
{
    size_t n;

    (void)state;
    make_device();
    guest_writes("panic!\n", 7);
    fake_store_set(driver.store, BACK "/online", "0");
    fake_store_set(driver.store, BACK "/state", "5");
    run_ms(5);
    assert_string_equal(state_node(), "6");
    assert_string_equal(read_log(&n), "panic!\n");
}

/* Sets an index; whether the device is closed then, with a reason. */
static bool closes(XENCONS_RING_IDX *index, uint32_t value)
{
    const char *why;

    *index = value;
    fake_guest_sends();
    run_ms(5);
    why = fake_store_get(driver.store, BACK "/hotplug-error");
    assert_int_equal(why != NULL, !strcmp(state_node(), "6"));
    assert_true(!why || strstr(why, "index is impossible"));
    return why != NULL;
}

/* A new guest with this domid and these indices; its device. */
static void make_again(XENCONS_RING_IDX out, XENCONS_RING_IDX in)
{
    fake_store_remove(driver.store, BACK);
    run_ms(2);
    ring->out_prod = ring->out_cons = out;
    ring->in_prod = ring->in_cons = in;
    make_device();
    assert_string_equal(state_node(), "4");
}

static void test_hostile_index(void **state)
{
    const uint32_t size = sizeof(ring->out);
    const uint32_t bases[] = { 0, 1000, UINT32_MAX, UINT32_MAX - 2047 };
    size_t n;

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        make_again(bases[i], 0);
        assert_false(closes(&ring->out_prod, bases[i])); /* equal */
        assert_true(closes(&ring->out_prod, bases[i] + size + 1));
        make_again(bases[i], 0);
        assert_true(closes(&ring->out_prod, bases[i] - 1));
        make_again(bases[i], 0);
        assert_true(closes(&ring->out_prod, bases[i] + (1u << 31)));
    }
    read_log(&n);
    assert_int_equal(n, 0);
    for (unsigned int i = 0; i < 4; i++) {
        make_again(bases[i], 0);
        assert_false(closes(&ring->out_prod, bases[i] + size)); /* full */
        assert_int_equal(ring->out_cons, bases[i] + size);
    }
    read_log(&n);
    assert_int_equal(n, 4 * size);
}

/* Input is not written over what the guest claims to have read or not. */
static void test_hostile_input_index(void **state)
{
    const uint32_t size = sizeof(ring->in);
    const uint32_t bases[] = { 0, 1000, UINT32_MAX, UINT32_MAX - 1023 };
    int tty;

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        make_again(0, bases[i]);
        tty = open_tty();
        assert_false(closes(&ring->in_cons, bases[i]));
        assert_false(closes(&ring->in_cons, bases[i] - size)); /* full */
        assert_int_equal(write(tty, "abc", 3), 3);
        assert_false(closes(&ring->in_cons, bases[i] - size));
        assert_int_equal(ring->in_prod, bases[i]);
        assert_true(closes(&ring->in_cons, bases[i] - size - 1)); /* behind */
        assert_int_equal(ring->in_prod, bases[i]);
        close(tty);
        make_again(0, bases[i]);
        assert_true(closes(&ring->in_cons, bases[i] + 1)); /* ahead */
        assert_int_equal(ring->in_prod, bases[i]);
    }
}

/* What an earlier driver domain left does not keep a new one from its work. */
static void test_takes_over_nonsense(void **state)
{
    size_t n;

    (void)state;
    ring->out_prod = 10;
    ring->out_cons = 99999;
    ring->in_prod = 5;
    ring->in_cons = 777777;
    make_device();
    assert_string_equal(state_node(), "4");
    assert_int_equal(ring->out_cons, 10);
    assert_int_equal(ring->in_prod, 777777);
    guest_writes("hello\n", 6);
    run_ms(5);
    assert_string_equal(state_node(), "4");
    assert_string_equal(read_log(&n), "hello\n");
}

/* Typing while the index is impossible is how it is found out, too. */
static void test_hostile_index_while_typing(void **state)
{
    int tty;

    (void)state;
    make_device();
    tty = open_tty();
    ring->in_cons = 12345;
    assert_int_equal(write(tty, "abc", 3), 3);
    run_ms(5);
    assert_string_equal(state_node(), "6");
    assert_int_equal(ring->in_prod, 0);
    close(tty);
}

static off_t size_of(const char *name)
{
    char path[160];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, &st) ? -1 : st.st_size;
}

static void test_log_rotates(void **state)
{
    struct log_file *log;

    (void)state;
    assert_int_equal(console_log_open(dir, "../x", 100, &log), 0);
    for (int i = 0; i < 25; i++)
        log_file_write(log, "0123456789", 10);
    log_file_close(log);
    assert_int_equal(size_of("_._x.log"), 50);
    assert_int_equal(size_of("_._x.log.1"), 100);
    assert_int_equal(console_log_open(dir, "../x", 100, &log), 0);
    log_file_write(log, "more", 4);
    log_file_close(log);
    assert_int_equal(size_of("_._x.log"), 54);
    remove_file("_._x.log");
    remove_file("_._x.log.1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output),
        TEST(test_second_console),
        TEST(test_second_console_without_ring),
        TEST(test_terminal),
        TEST(test_slow_terminal),
        TEST(test_much_input),
        TEST(test_rate),
        TEST(test_last_words),
        TEST(test_hostile_index),
        TEST(test_hostile_input_index),
        TEST(test_takes_over_nonsense),
        TEST(test_hostile_index_while_typing),
        TEST(test_log_rotates),
    };

    return cmocka_run_group_tests_name("consback", tests, NULL, NULL);
}
