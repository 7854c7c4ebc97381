/* The store's log: lines, traces under switches, floods, a new file. */
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

#include "base/log.h"

static char dir[] = "/tmp/test_xs_log.XXXXXX", file[64], other[64];

/* How many lines of a file contain a text. */
static unsigned int count(const char *name, const char *text)
{
    char line[512];
    unsigned int n = 0;
    FILE *f = fopen(name, "r");

    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return n;
}

static int setup(void **state)
{
    (void)state;
    snprintf(file, sizeof(file), "%s/log", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    return log_open(file);
}

static int teardown(void **state)
{
    (void)state;
    log_set_trace(false);
    unlink(other);
    return log_open(NULL) || unlink(file);
}

static void test_lines(void **state)
{
    char line[64], z;
    unsigned int year;
    FILE *f;

    (void)state;
    log_line("a %s", "line");
    f = fopen(file, "r");
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    assert_int_equal(
        sscanf(line, "%4u-%*2u-%*2uT%*2u:%*2u:%*2u.%*3u%c", &year, &z), 2);
    assert_in_range(year, 2020, 9999);
    assert_int_equal(z, 'Z');
    assert_string_equal(strchr(line, ' '), " a line\n");
}

static void test_switches(void **state)
{
    (void)state;
    assert_false(log_wants(LOG_IO));
    log_trace(LOG_IO, "one");
    log_set_trace(true);
    log_trace(LOG_IO, "two");
    log_set_switch(LOG_IO, false);
    assert_false(log_wants(LOG_IO));
    assert_true(log_wants(LOG_OBJ));
    log_trace(LOG_IO, "three");
    log_set_trace(false);
    log_set_switch(LOG_IO, true); /* counts when tracing is on again */
    log_trace(LOG_IO, "four");
    log_set_trace(true);
    log_trace(LOG_IO, "five");
    assert_int_equal(count(file, "io: "), 2);
    assert_int_equal(count(file, "io: two") + count(file, "io: five"), 2);
    assert_int_equal(log_switch_by_name("wrl"), LOG_WRL);
    assert_int_equal(log_switch_by_name("nonsense"), -ENOENT);
}

/* However long it takes, no second has more than its share. */
static void test_flood(void **state)
{
    unsigned int n;

    (void)state;
    log_set_trace(true);
    for (int i = 0; i < 20 * LOG_TRACES_MAX; i++)
        log_trace(LOG_OBJ, "flood");
    n = count(file, "flood"); /* other tests may have used some */
    assert_in_range(n, LOG_TRACES_MAX / 2, 10 * LOG_TRACES_MAX);
    log_line("but this");
    assert_int_equal(count(file, "but this"), 1);
    while (!count(file, "were left out")) { /* said in the next second */
        usleep(50000);
        log_trace(LOG_OBJ, "later");
    }
    assert_int_equal(count(file, "later"), 1);
}

/* One guest's flood leaves room for another's traces. */
static void test_shares(void **state)
{
    (void)state;
    log_set_trace(true);
    log_set_source(5);
    for (int i = 0; i < 3 * LOG_TRACES_MAX; i++)
        log_trace(LOG_OBJ, "flood");
    log_set_source(6);
    log_trace(LOG_OBJ, "other");
    log_set_source(0);
    log_trace(LOG_OBJ, "ours");
    assert_in_range(count(file, "flood"), LOG_TRACES_OF_GUEST,
                    3 * LOG_TRACES_MAX - 1);
    assert_int_equal(count(file, "other"), 1);
    assert_int_equal(count(file, "ours"), 1);
}

static void test_reopen(void **state)
{
    (void)state;
    log_line("first");
    assert_int_equal(rename(file, other), 0);
    log_line("second");
    log_reopen();
    log_line("third");
    assert_int_equal(count(other, "first") + count(other, "second"), 2);
    assert_int_equal(count(file, "third"), 1);
    /* One that cannot be opened leaves the old one. */
    assert_int_equal(log_open("/no/such/directory/log"), -ENOENT);
    log_line("fourth");
    assert_int_equal(count(file, "fourth"), 1);
}

static void test_text(void **state)
{
    char out[16];

    (void)state;
    assert_string_equal(log_text(out, sizeof(out), "a\0b\n\xff", 5),
                        "a b\\x0a\\xff");
    assert_string_equal(log_text(out, sizeof(out), "a\0", 2), "a");
    assert_string_equal(log_text(out, 8, "0123456789", 10), "0123456");
    assert_string_equal(log_text(out, 8, "01234\033", 6), "01234");
    assert_string_equal(log_text(out, sizeof(out), "", 0), "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),  TEST(test_switches), TEST(test_flood),
        TEST(test_shares), TEST(test_reopen),   TEST(test_text),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
