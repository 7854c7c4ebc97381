/*
 * The guest's descriptors and mount points.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel/file.h"

static char opened[100];
static int closed;

static int close_file(struct file *f)
{
    (void)f;
    closed++;
    return 0;
}

static const struct file_ops ops = { .name = "test", .close = close_file };
static const struct file_ops other_ops = { .name = "other" };

static int open_path(void *fs, const char *path, int flags,
                     const struct file_ops **file_ops, void **priv)
{
    (void)flags;
    if (strcmp(path, "missing") == 0)
        return -ENOENT;
    snprintf(opened, sizeof(opened), "%s:%s", (char *)fs, path);
    *file_ops = &ops;
    *priv = NULL;
    return 0;
}

static const struct fs_ops fs = { .name = "testfs", .open = open_path };

static const char *open_and_close(const char *path)
{
    int fd = fs_open(path, 0);

    if (fd < 0)
        return fd == -ENOENT ? "ENOENT" : "?";
    assert_int_equal(file_close(fd), 0);
    return opened;
}

static void test_mounts(void **state)
{
    (void)state;
    assert_string_equal(open_and_close("/x"), "ENOENT");
    assert_int_equal(fs_mount("/srv/", &fs, (void *)"srv"), 0);
    assert_int_equal(fs_mount("/srv", &fs, (void *)"srv"), -EBUSY);
    assert_string_equal(open_and_close("/x"), "ENOENT");
    assert_string_equal(open_and_close("/srv/a/b"), "srv:a/b");
    assert_string_equal(open_and_close("/srv"), "srv:");
    assert_string_equal(open_and_close("/srvx"), "ENOENT");
    assert_int_equal(fs_mount("/", &fs, (void *)"root"), 0);
    assert_string_equal(open_and_close("/srvx"), "root:srvx");
    assert_string_equal(open_and_close("/srv/c"), "srv:c");
    assert_string_equal(open_and_close("//d"), "root:d");
    assert_string_equal(open_and_close("/missing"), "ENOENT");
    assert_int_equal(fs_unmount("/srv"), 0);
    assert_int_equal(fs_unmount("/srv"), -EINVAL);
    assert_string_equal(open_and_close("/srv/c"), "root:srv/c");
    assert_int_equal(fs_unmount("/"), 0);
}

static void test_descriptors(void **state)
{
    struct file *f;
    int a, b;

    (void)state;
    a = file_open(&ops, NULL, 0);
    b = file_open(&ops, NULL, 0);
    assert_int_equal(b, a + 1);
    assert_null(file_get(-1, NULL));
    assert_null(file_get(FILE_MAX, NULL));
    assert_null(file_get(b + 1, NULL));
    assert_null(file_get(a, &other_ops));
    f = file_get(a, &ops);
    assert_non_null(f);
    closed = 0;
    assert_int_equal(file_close(a), 0);
    assert_int_equal(closed, 0); /* somebody is inside */
    file_put(f);
    assert_int_equal(closed, 1);
    assert_int_equal(file_close(a), -EBADF);
    assert_int_equal(file_open(&ops, NULL, 0), a); /* the lowest free */
    file_close(a);
    file_close(b);
}

static void test_dup(void **state)
{
    int a = file_open(&ops, NULL, 0), b = file_dup(a);

    (void)state;
    assert_int_equal(b, a + 1);
    assert_int_equal(file_dup(b + 1), -EBADF);
    closed = 0;
    assert_int_equal(file_close(a), 0);
    assert_int_equal(closed, 0);
    assert_int_equal(file_close(b), 0);
    assert_int_equal(closed, 1);
}

static void test_too_many(void **state)
{
    int fd, n = 0;

    (void)state;
    while ((fd = file_open(&ops, NULL, 0)) >= 0)
        n++;
    assert_int_equal(fd, -EMFILE);
    assert_int_equal(file_dup(0), -EMFILE);
    assert_int_equal(n, FILE_MAX);
    while (n-- > 0)
        assert_int_equal(file_close(n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
