/* Where somebody who comes to a guest's console begins to read its log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/log_tail.h"

static char dir[64], path[128], old_path[160];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/log-tail.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/g.log", dir);
    snprintf(old_path, sizeof(old_path), "%s.1", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(old_path);
    rmdir(dir);
    return 0;
}

static void say(const char *text)
{
    FILE *f = fopen(path, "ae");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void fill_up(void)
{
    assert_int_equal(rename(path, old_path), 0);
}

/* What is read from there on in that file. */
static void is_tail(const struct log_mark *mark, size_t most,
                    const char *wanted, bool cut)
{
    char text[256] = "";
    bool was_cut;
    int fd = log_tail_open(path, mark, most, &was_cut);

    assert_true(fd >= 0);
    assert_in_range(read(fd, text, sizeof(text) - 1), 0, sizeof(text));
    assert_string_equal(text, wanted);
    assert_int_equal(was_cut, cut);
    close(fd);
}

static void from_the_mark_on(void **state)
{
    struct log_mark first, second;

    (void)state;
    log_tail_mark(path, &first);
    say("one\n");
    log_tail_mark(path, &second);
    is_tail(&second, SIZE_MAX, "", false);
    say("two\nthree\n");
    is_tail(&first, SIZE_MAX, "one\ntwo\nthree\n", false);
    is_tail(&second, SIZE_MAX, "two\nthree\n", false);
    is_tail(&second, 10, "two\nthree\n", false);
    is_tail(&second, 9, "three\n", true);
    is_tail(&second, 6, "three\n", true);
    is_tail(&second, 5, "", true);
    is_tail(&second, 0, "", true);
}

/* A file without lines begins anywhere. */
static void no_lines(void **state)
{
    struct log_mark start;
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_tail_mark(path, &start);
    say(text);
    is_tail(&start, 1500, text + sizeof(text) - 256, true);
}

static void in_two_files(void **state)
{
    struct log_mark before, start;

    (void)state;
    log_tail_mark(path, &before);
    say("older\n");
    log_tail_mark(path, &start);
    say("one\ntwo\n");
    fill_up();
    say("three\n");
    is_tail(&start, SIZE_MAX, "one\ntwo\n", false); /* the rest is next */
    is_tail(&start, 14, "one\ntwo\n", false);
    is_tail(&start, 12, "two\n", true);
    is_tail(&start, 10, "two\n", true);
    is_tail(&start, 6, "three\n", true);
    is_tail(&before, SIZE_MAX, "older\none\ntwo\n", false);
    log_tail_mark(path, &start);
    is_tail(&start, SIZE_MAX, "", false);
    say("four\n");
    is_tail(&start, SIZE_MAX, "four\n", false);
}

/* Of a mark's file nothing is left: all is newer. */
static void file_is_gone(void **state)
{
    struct log_mark start = { .inode = UINT64_MAX, .offset = 7 };

    (void)state;
    say("one\n");
    fill_up();
    say("two\n");
    is_tail(&start, SIZE_MAX, "one\n", false);
    is_tail(&start, 5, "two\n", true);
}

static void emptied(void **state)
{
    struct log_mark start;

    (void)state;
    say("one\n");
    log_tail_mark(path, &start);
    assert_int_equal(truncate(path, 0), 0);
    say("2\n");
    is_tail(&start, SIZE_MAX, "2\n", false);
}

static void no_file(void **state)
{
    struct log_mark start;
    bool cut;

    (void)state;
    log_tail_mark(path, &start);
    assert_int_equal(start.inode, 0);
    assert_int_equal(log_tail_open(path, &start, 1, &cut), -ENOENT);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    log_tail_mark(path, &start);
    assert_int_equal(start.inode, 0);
    assert_int_equal(log_tail_open(path, &start, 1, &cut), -ELOOP);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(log_tail_open(path, &start, 1, &cut), -EINVAL);
}

static void its_name(void **state)
{
    char name[64];

    (void)state;
    log_tail_path(name, sizeof(name), "/run/r", "web");
    assert_string_equal(name, "/run/r/console/web.log");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_the_mark_on), TEST(no_lines), TEST(in_two_files),
        TEST(file_is_gone),     TEST(emptied),  TEST(no_file),
        TEST(its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
