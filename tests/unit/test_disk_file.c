/*
 * Disks over raw files, on all three ways of doing I/O, on tmpfs and on the
 * file system of the build.
 */
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "disk.h"

#define SIZE (1 << 20)

struct place {
    enum disk_io_mode mode;
    const char *dir;
};

static struct event_base *base;
static struct disk_async *async;
static struct disk *disk;
static char path[256];
static int finished, last_error;

static void done(struct disk_io *io, int err)
{
    (void)io;
    finished++;
    if (err)
        last_error = err;
}

static void wait_for(int n)
{
    disk->loop_pages = 0;
    disk->ops->work(disk, UINT_MAX);
    disk->ops->kick(disk);
    while (finished < n)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    finished = 0;
}

/* Does one request to its end. */
static int run(enum disk_op op, uint64_t offset, struct iovec *iov,
               unsigned int n)
{
    struct disk_io io = { .op = op, .offset = offset, .done = done };

    for (unsigned int i = 0; i < n; i++)
        io.length += iov[i].iov_len;
    io.iov = iov;
    io.n_iov = n;
    last_error = 0;
    disk->ops->submit(disk, &io);
    wait_for(1);
    return last_error;
}

static int run_buffer(enum disk_op op, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return run(op, offset, &iov, 1);
}

static int setup(void **state)
{
    const struct place *place = *state;
    int fd, err;

    snprintf(path, sizeof(path), "%s/test_disk.XXXXXX", place->dir);
    fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, SIZE))
        return -1;
    close(fd);
    base = event_base_new();
    async = NULL;
    disk = NULL;
    finished = 0;
    err = disk_async_new(base, place->mode, &async);
    return err && err != -ENOSYS && err != -EPERM ? -1 : 0;
}

static void close_disk(void)
{
    if (!disk)
        return;
    disk->ops->leave(disk);
    disk->ops->close(disk);
}

static int teardown(void **state)
{
    (void)state;
    close_disk();
    disk_async_free(async);
    event_base_free(base);
    unlink(path);
    return 0;
}

static int reopen(const struct place *place, bool read_only)
{
    close_disk();
    disk = NULL;
    return disk_file_open(path, read_only ? IMAGE_READ : IMAGE_WRITE,
                          place->mode, async, &disk);
}

static void open_or_skip(const struct place *place)
{
    if (place->mode != DISK_IO_INLINE && !async) {
        print_message("no io_uring here\n");
        skip();
    }
    assert_int_equal(reopen(place, false), 0);
}

static void test_write_read(void **state)
{
    static char out[64 * 1024], in[64 * 1024];

    open_or_skip(*state);
    assert_int_equal(disk->sectors, SIZE / 512);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 7 + i / 512);
    assert_int_equal(run_buffer(DISK_WRITE, 8192, out, sizeof(out)), 0);
    assert_int_equal(run(DISK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(run_buffer(DISK_READ, 8192, in, sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(run_buffer(DISK_READ, 0, in, 8192), 0);
    for (int i = 0; i < 8192; i++)
        assert_int_equal(in[i], 0);
}

/* More pieces than one system call takes. */
static void test_many_pieces(void **state)
{
    static char out[2000 * 64], in[2000 * 64];
    static struct iovec iov[2000];

    open_or_skip(*state);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i ^ i >> 8);
    for (int i = 0; i < 2000; i++)
        iov[i] = (struct iovec){ out + i * 64, 64 };
    assert_int_equal(run(DISK_WRITE, 512, iov, 2000), 0);
    for (int i = 0; i < 2000; i++)
        iov[i] = (struct iovec){ in + i * 64, 64 };
    assert_int_equal(run(DISK_READ, 512, iov, 2000), 0);
    assert_memory_equal(in, out, sizeof(in));
}

static void test_many_at_once(void **state)
{
    enum { N = 600 }; /* more than the ring of io_uring holds */
    static struct disk_io io[N];
    static struct iovec iov[N];
    static char buf[N][512];

    open_or_skip(*state);
    last_error = 0;
    for (int write = 1; write >= 0; write--) {
        for (int i = 0; i < N; i++) {
            memset(buf[i], write ? i % 251 : 0, 512);
            iov[i] = (struct iovec){ buf[i], 512 };
            io[i] = (struct disk_io){
                .op = write ? DISK_WRITE : DISK_READ,
                .offset = (uint64_t)i * 512,
                .length = 512,
                .iov = &iov[i],
                .n_iov = 1,
                .done = done,
            };
            disk->ops->submit(disk, &io[i]);
        }
        wait_for(N);
    }
    assert_int_equal(last_error, 0);
    for (int i = 0; i < N; i++)
        assert_int_equal((unsigned char)buf[i][511], i % 251);
}

/* What is done in the loop is done in slices. */
static void test_slices(void **state)
{
    const struct place *place = *state;
    static char buf[SIZE / 2];
    struct iovec iov = { buf, sizeof(buf) };
    struct disk_io io = { .op = DISK_WRITE,
                          .length = sizeof(buf),
                          .iov = &iov,
                          .n_iov = 1,
                          .done = done };
    unsigned int turns = 0;

    open_or_skip(place);
    if (place->mode != DISK_IO_INLINE)
        skip();
    memset(buf, 'x', sizeof(buf));
    disk->loop_pages = 0;
    disk->ops->submit(disk, &io);
    assert_in_range(disk->loop_pages, 0, 33);
    for (; !finished; turns++) {
        disk->loop_pages = 0;
        disk->ops->work(disk, 64);
        assert_in_range(disk->loop_pages, 1, 64 + 33);
    }
    finished = 0;
    assert_true(turns >= sizeof(buf) / (97 * 4096));
    memset(buf, 0, sizeof(buf));
    assert_int_equal(run_buffer(DISK_READ, 0, buf, sizeof(buf)), 0);
    for (size_t i = 0; i < sizeof(buf); i += 512)
        assert_int_equal(buf[i], 'x');
}

static void test_odd_size(void **state)
{
    char buf[1024];
    struct stat st;

    open_or_skip(*state);
    memset(buf, 'x', sizeof(buf));
    assert_int_equal(run_buffer(DISK_WRITE, 0, buf, 1024), 0);
    assert_int_equal(truncate(path, 700), 0);
    assert_int_equal(reopen(*state, false), 0);
    assert_int_equal(disk->sectors, 2);
    memset(buf, 'y', sizeof(buf));
    assert_int_equal(run_buffer(DISK_READ, 0, buf, 1024), 0);
    assert_int_equal(buf[699], 'x');
    for (int i = 700; i < 1024; i++)
        assert_int_equal(buf[i], 0);
    memset(buf, 'z', 512);
    assert_int_equal(run_buffer(DISK_WRITE, 512, buf, 512), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1024);
}

/* Somebody cuts the image off under its guest. */
static void test_truncated(void **state)
{
    char buf[8192];

    open_or_skip(*state);
    memset(buf, 't', sizeof(buf));
    assert_int_equal(run_buffer(DISK_WRITE, 0, buf, 8192), 0);
    assert_int_equal(truncate(path, 6000), 0);
    assert_int_equal(run_buffer(DISK_READ, 0, buf, 4096), 0);
    assert_int_equal(buf[4095], 't');
    assert_int_equal(run_buffer(DISK_READ, 4096, buf, 4096), DISK_TRUNCATED);
    assert_int_equal(run_buffer(DISK_READ, 8192, buf, 512), DISK_TRUNCATED);
    assert_int_equal(run(DISK_FLUSH, 0, NULL, 0), DISK_TRUNCATED);
    assert_int_equal(truncate(path, SIZE), 0); /* it is given back */
    assert_int_equal(run_buffer(DISK_READ, 8192, buf, 512), 0);
    assert_int_equal(run(DISK_FLUSH, 0, NULL, 0), 0);
}

static void test_read_only(void **state)
{
    char buf[512] = { 1 };

    open_or_skip(*state);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(reopen(*state, true), 0);
    assert_true(disk->read_only);
    assert_false(disk->can_discard);
    assert_int_equal(run_buffer(DISK_READ, 0, buf, 512), 0);
    assert_int_equal(buf[0], 0);
    assert_int_equal(run_buffer(DISK_WRITE, 0, buf, 512), -EBADF);
    assert_int_equal(run(DISK_FLUSH, 0, NULL, 0), 0);
}

static void test_discard(void **state)
{
    struct disk_io io = { .op = DISK_DISCARD, .offset = 4096, .length = 8192 };
    char buf[16384];

    open_or_skip(*state);
    if (!disk->can_discard)
        skip();
    memset(buf, 'd', sizeof(buf));
    assert_int_equal(run_buffer(DISK_WRITE, 0, buf, sizeof(buf)), 0);
    io.done = done;
    last_error = 0;
    disk->ops->submit(disk, &io);
    wait_for(1);
    assert_int_equal(last_error, 0);
    assert_int_equal(run_buffer(DISK_READ, 0, buf, sizeof(buf)), 0);
    for (int i = 0; i < 16384; i++)
        assert_int_equal(buf[i], i >= 4096 && i < 12288 ? 0 : 'd');
}

static void test_cannot_open(void **state)
{
    const struct place *place = *state;
    struct disk *d;

    assert_int_equal(
        disk_file_open("/nonexistent/file", IMAGE_READ, place->mode, async, &d),
        -ENOENT);
    assert_int_equal(
        disk_file_open(place->dir, IMAGE_READ, place->mode, async, &d),
        -EISDIR);
    assert_int_equal(
        disk_file_open("/dev/null", IMAGE_WRITE, place->mode, async, &d),
        -ENOTBLK);
    assert_int_equal(disk_io_mode_parse("uring"), DISK_IO_URING);
    assert_int_equal(disk_io_mode_parse("fast"), -EINVAL);
}

#define TESTS(place)                                                           \
    cmocka_unit_test_prestate_setup_teardown(test_write_read, setup, teardown, \
                                             place),                           \
        cmocka_unit_test_prestate_setup_teardown(test_many_pieces, setup,      \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_many_at_once, setup,     \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_slices, setup, teardown, \
                                                 place),                       \
        cmocka_unit_test_prestate_setup_teardown(test_odd_size, setup,         \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_truncated, setup,        \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_read_only, setup,        \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_discard, setup,          \
                                                 teardown, place),             \
        cmocka_unit_test_prestate_setup_teardown(test_cannot_open, setup,      \
                                                 teardown, place)

int main(void)
{
    static struct place places[] = {
        { DISK_IO_AUTO, "/dev/shm" },    { DISK_IO_AUTO, "." },
        { DISK_IO_INLINE, "." },         { DISK_IO_URING, "." },
        { DISK_IO_THREADS, "." },        { DISK_IO_URING, "/dev/shm" },
        { DISK_IO_THREADS, "/dev/shm" },
    };
    const struct CMUnitTest tests[] = {
        TESTS(&places[0]), TESTS(&places[1]), TESTS(&places[2]),
        TESTS(&places[3]), TESTS(&places[4]), TESTS(&places[5]),
        TESTS(&places[6]),
    };

    return cmocka_run_group_tests_name("disk_file", tests, NULL, NULL);
}
