/* A block device as a disk: a loop device, which only root can make. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include <cmocka.h>
#include <event2/event.h>

#include "disk.h"

#define SIZE (1 << 20)

static char path[] = "/var/tmp/test_disk_block.XXXXXX", device[32];
static int loop = -1;
static struct event_base *base;
static struct disk_async *async;
static int finished, last_error;

/* Backs a free loop device by the file; false: not here. */
static bool attach(int file)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

    if (control >= 0)
        close(control);
    if (number < 0)
        return false;
    snprintf(device, sizeof(device), "/dev/loop%d", number);
    loop = open(device, O_RDWR | O_CLOEXEC);
    return loop >= 0 && ioctl(loop, LOOP_SET_FD, file) == 0;
}

static int setup(void **state)
{
    int file;

    (void)state;
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    file = mkstemp(path);
    if (file < 0 || ftruncate(file, SIZE))
        return -1;
    if (!attach(file) && loop >= 0) {
        close(loop);
        loop = -1;
    }
    close(file);
    base = event_base_new();
    return disk_async_new(base, DISK_IO_THREADS, &async);
}

static int teardown(void **state)
{
    int zero = 0;

    (void)state;
    if (loop >= 0) {
        ioctl(loop, BLKROSET, &zero); /* the next user's device is as it was */
        ioctl(loop, LOOP_CLR_FD);
        close(loop);
    }
    loop = -1;
    disk_async_free(async);
    event_base_free(base);
    unlink(path);
    return 0;
}

static int open_disk(enum image_use use, struct disk **disk)
{
    return disk_file_open(device, use, DISK_IO_AUTO, async, disk);
}

static void need_loop(void)
{
    if (loop >= 0)
        return;
    print_message("no loop devices here\n");
    skip();
}

static void done(struct disk_io *io, int err)
{
    (void)io;
    finished++;
    last_error = err;
}

static int run(struct disk *disk, enum disk_op op, uint64_t offset, void *buf,
               uint64_t length)
{
    struct iovec iov = { buf, length };
    struct disk_io io = { .op = op,
                          .offset = offset,
                          .length = length,
                          .iov = &iov,
                          .n_iov = buf ? 1 : 0,
                          .done = done };

    finished = 0;
    disk->ops->submit(disk, &io);
    disk->ops->work(disk, UINT_MAX);
    disk->ops->kick(disk);
    while (!finished)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    return last_error;
}

static void test_discard(void **state)
{
    static char buf[16384];
    struct disk *disk;
    struct stat before, after;

    (void)state;
    need_loop();
    assert_int_equal(open_disk(IMAGE_WRITE, &disk), 0);
    assert_int_equal(disk->sectors, SIZE / 512);
    assert_true(disk->can_discard);
    assert_int_equal(disk->discard_granularity % 512, 0);
    memset(buf, 'd', sizeof(buf));
    assert_int_equal(run(disk, DISK_WRITE, 0, buf, sizeof(buf)), 0);
    assert_int_equal(run(disk, DISK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(run(disk, DISK_DISCARD, 4096, NULL, 8192), 0);
    assert_int_equal(run(disk, DISK_READ, 0, buf, sizeof(buf)), 0);
    for (int i = 0; i < (int)sizeof(buf); i++)
        assert_int_equal(buf[i], i >= 4096 && i < 12288 ? 0 : 'd');
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_blocks < before.st_blocks);
    disk->ops->leave(disk);
    disk->ops->close(disk);
}

/* Only to be read: not by its mode, which root may ignore, but by itself. */
static void test_read_only_device(void **state)
{
    struct disk *disk;
    int one = 1;

    (void)state;
    need_loop();
    assert_int_equal(ioctl(loop, BLKROSET, &one), 0);
    assert_int_equal(open_disk(IMAGE_WRITE, &disk), -EROFS);
    assert_int_equal(open_disk(IMAGE_WRITE_SHARED, &disk), -EROFS);
    assert_int_equal(open_disk(IMAGE_READ, &disk), 0);
    assert_true(disk->read_only);
    assert_false(disk->can_discard);
    disk->ops->leave(disk);
    disk->ops->close(disk);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_discard),
        TEST(test_read_only_device),
    };

    return cmocka_run_group_tests_name("disk_block", tests, NULL, NULL);
}
