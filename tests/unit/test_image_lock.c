/* Who may use an image beside whom. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "image_lock.h"

static char path[] = "/tmp/test_image_lock.XXXXXX";
static int first, second;

static int open_image(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    first = open_image();
    second = open_image();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(first);
    close(second);
    return 0;
}

/* In whatever order they come. */
static void test_pairs(void **state)
{
    static const struct {
        enum image_use one, other;
        int err;
    } pairs[] = {
        { IMAGE_READ, IMAGE_READ, 0 },
        { IMAGE_READ, IMAGE_WRITE, -EBUSY },
        { IMAGE_READ, IMAGE_WRITE_SHARED, 0 },
        { IMAGE_WRITE, IMAGE_READ, -EBUSY },
        { IMAGE_WRITE, IMAGE_WRITE, -EBUSY },
        { IMAGE_WRITE, IMAGE_WRITE_SHARED, 0 },
        { IMAGE_WRITE_SHARED, IMAGE_READ, -EBUSY },
        { IMAGE_WRITE_SHARED, IMAGE_WRITE, -EBUSY },
        { IMAGE_WRITE_SHARED, IMAGE_WRITE_SHARED, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        teardown(NULL);
        setup(NULL);
        assert_int_equal(image_lock(first, pairs[i].one), 0);
        assert_int_equal(image_lock(second, pairs[i].other), pairs[i].err);
    }
}

/* A refusal leaves nothing: the image is free when the first has gone. */
static void test_refused(void **state)
{
    int third = open_image();

    (void)state;
    assert_int_equal(image_lock(first, IMAGE_WRITE), 0);
    assert_int_equal(image_lock(second, IMAGE_WRITE), -EBUSY);
    close(first);
    first = open_image();
    assert_int_equal(image_lock(third, IMAGE_WRITE), 0);
    close(third);
}

/* Who only holds is not in its own toolstack's way, and keeps others out. */
static void test_hold(void **state)
{
    (void)state;
    assert_int_equal(image_lock(first, IMAGE_WRITE), 0);
    assert_int_equal(image_hold(second, IMAGE_WRITE), 0);
    close(first);
    first = open_image();
    assert_int_equal(image_lock(first, IMAGE_READ), -EBUSY);
}

/* By whatever name, and by whatever process, until that is killed. */
static void test_other_process(void **state)
{
    char name[64];
    int ready[2], fd, status;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        close(ready[0]);
        byte = image_lock(open_image(), IMAGE_WRITE) ? 'n' : 'y';
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    snprintf(name, sizeof(name), "%s.link", path);
    assert_int_equal(link(path, name), 0);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_int_equal(image_lock(fd, IMAGE_READ), -EBUSY);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(image_lock(fd, IMAGE_READ), 0);
    close(fd);
    unlink(name);
    close(ready[0]);
}

/* Somebody's lock of another kind on the whole file. */
static void test_foreign_lock(void **state)
{
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC);

    (void)state;
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
    assert_int_equal(image_lock(first, IMAGE_READ), -EBUSY);
    close(fd);
    assert_int_equal(image_lock(first, IMAGE_READ), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pairs),         TEST(test_refused),      TEST(test_hold),
        TEST(test_other_process), TEST(test_foreign_lock),
    };
    int fd = mkstemp(path), failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests_name("image_lock", tests, NULL, NULL);
    unlink(path);
    return failed;
}
