/*
 * Reading counters: quantiles of histograms, short figures, and the driver
 * domain's lines, which may be anything.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/counters.h"
#include "tools/io_stats.h"

/* ---- histograms ---- */

static void test_quantiles(void **state)
{
    uint64_t h[RS_HISTOGRAM] = { 0 };

    (void)state;
    assert_int_equal(histogram_quantile(h, 500), 0);
    h[0] = 100; /* below 32 */
    assert_int_equal(histogram_quantile(h, 500), 16);
    assert_int_equal(histogram_quantile(h, 1000), 32);
    h[5] = 100; /* 512 to 1,023 */
    assert_int_equal(histogram_quantile(h, 250), 16);
    assert_int_equal(histogram_quantile(h, 500), 32);
    assert_int_equal(histogram_quantile(h, 750), 768);
    assert_int_equal(histogram_quantile(h, 1000), 1024);
    h[RS_HISTOGRAM - 1] = 200; /* no limit: taken for twice its start */
    assert_int_equal(histogram_quantile(h, 1000), 64ull << 18);
    assert_int_equal(histogram_limit(0), 32);
    assert_int_equal(histogram_limit(5), 1024);
    assert_int_equal(histogram_limit(RS_HISTOGRAM - 1), 0);
}

/* What is true of any histogram, also of the wildest. */
static void test_quantiles_are_in_order(void **state)
{
    uint64_t h[RS_HISTOGRAM], last;

    (void)state;
    srand(1);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < RS_HISTOGRAM; i++)
            h[i] = rand() % 3 ? 0 : UINT64_MAX >> rand() % 64;
        last = 0;
        for (unsigned int p = 0; p <= 1000; p += 50) {
            uint64_t q = histogram_quantile(h, p);

            assert_true(q >= last);
            last = q;
        }
    }
}

static void test_figures(void **state)
{
    static const struct {
        double value;
        const char *text;
    } shorts[] = {
        { 0, "0" },          { 0.04, "0" },        { 0.06, "0.1" },
        { 7.5, "7.5" },      { 99.94, "99.9" },    { 99.96, "100" },
        { 123.4, "123" },    { 999.4, "999" },     { 999.6, "1.00k" },
        { 12345, "12.3k" },  { 4560000, "4.56M" }, { 1e19, "10.0E" },
        { 1.8e19, "18.0E" },
    };
    char buf[32];

    (void)state;
    for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
        format_short(shorts[i].value, buf, sizeof(buf));
        assert_string_equal(buf, shorts[i].text);
        assert_true(strlen(buf) <= 5);
    }
    assert_string_equal(format_duration(999, buf, sizeof(buf)), "999 ns");
    assert_string_equal(format_duration(1500, buf, sizeof(buf)), "1.5 µs");
    assert_string_equal(format_duration(150000, buf, sizeof(buf)), "150 µs");
    assert_string_equal(format_duration(2500000, buf, sizeof(buf)), "2.5 ms");
}

/* ---- lines ---- */

static void test_lines(void **state)
{
    struct device_io d;

    (void)state;
    assert_true(io_parse_line("vbd 5 51712 reads=12 read_bytes=49152", &d));
    assert_string_equal(d.type, "vbd");
    assert_int_equal(d.domid, 5);
    assert_int_equal(d.devid, 51712);
    assert_int_equal(d.value[IO_READS], 12);
    assert_int_equal(d.value[IO_READ_BYTES], 49152);
    assert_int_equal(d.has, 1u << IO_READS | 1u << IO_READ_BYTES);
    /* What is not known yet is passed over. */
    assert_true(io_parse_line("vif 1 0 stars=7 tx_packets=3", &d));
    assert_int_equal(d.has, 1u << IO_TX_PACKETS);
    assert_true(io_parse_line("vif 1 0", &d));
    assert_int_equal(d.has, 0);
}

static void test_bad_lines(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "vbd",
        "vbd 5",
        "vbd x 0",
        "vbd 5 51712 reads",
        "vbd 5 51712 reads=",
        "vbd 5 51712 reads=x",
        "vbd 5 51712 READS=1",
        "vbd 5 51712 reads=1;rm",
        "vbd 5 51712 =1",
        "\033[2J 5 0",
        "vbd 5 51712 a_word_that_is_longer_than_any_that_we_know=1",
    };
    struct device_io d;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(io_parse_line(bad[i], &d));
}

/* ---- asking ---- */

static char dir[] = "/tmp/test_counters.XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/driverd.stats", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static int listening(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(a.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* A driver domain that says this, and `hangs` or ends. */
static pid_t say(int fd, const char *text, bool hangs)
{
    pid_t pid = fork();

    if (pid == 0) {
        int client = accept(fd, NULL, NULL);
        size_t n = strlen(text);

        if (client < 0 || write(client, text, n) != (ssize_t)n)
            _exit(1);
        if (hangs)
            pause();
        _exit(0);
    }
    close(fd);
    return pid;
}

static void test_nobody_there(void **state)
{
    struct device_io *io;

    (void)state;
    assert_int_equal(io_read(dir, &io), 0);
    assert_null(io);
    assert_int_equal(io_read("/a/name/that/is/longer/than/a/socket/may/have/"
                             "which/is/one/hundred/and/seven/bytes/and/no/"
                             "more/than/that/at/all",
                             &io),
                     0);
}

static void test_answer(void **state)
{
    struct device_io *io;
    pid_t pid = say(listening(),
                    "vbd 5 51712 reads=1\nnonsense\n\nvif 5 0 tx_bytes=2\n"
                    "vif 6 0 tx_bytes=3", /* cut off: no line */
                    false);

    (void)state;
    assert_int_equal(io_read(dir, &io), 2);
    assert_int_equal(io[0].value[IO_READS], 1);
    assert_int_equal(io[1].value[IO_TX_BYTES], 2);
    free(io);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* One that never ends is not waited for for ever. */
static void test_no_end(void **state)
{
    struct device_io *io;
    pid_t pid = say(listening(), "vbd 5 51712 reads=1\n", true);

    (void)state;
    assert_int_equal(io_read(dir, &io), 0);
    assert_null(io);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_quantiles_are_in_order),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_end, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
