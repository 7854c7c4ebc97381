/*
 * <ringside/blk.h> from inside: xvda can be written, xvdb cannot; both have
 * 2,048 sectors. Started by disk_api.sh; prints TAP.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ringside/blk.h>
#include <ringside/guest.h>

#include "tests/guest/tap.h"

#define SECTORS 2048

static struct rs_blk *disk;

static void test_names(void)
{
    static const char *const bad[] = { "",        "xvd",    "xvdA", "xvda0",
                                       "xvda999", "sda",    "-1",   "51712x",
                                       "xvda1x",  "xvdabcd" };
    struct rs_blk *b;
    unsigned int devids[4];
    bool good = true;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        good &= rs_blk_open(bad[i], &b) == -EINVAL;
    point(good, "names that mean nothing are refused");
    point(rs_blk_open("xvdc", &b) == -ENODEV, "a disk that is not there");
    point(rs_blk_list(devids, 4) == 2 && devids[0] == 51712 &&
              devids[1] == 51728,
          "the list of disks");
    point(rs_blk_list(devids, 1) == 1, "no more than asked for");
}

static void test_ranges(void)
{
    static char buf[RS_BLK_SECTOR * 2];

    point(rs_blk_sectors(disk) == SECTORS, "the size");
    point(rs_blk_read(disk, SECTORS, buf, 1) == -EINVAL &&
              rs_blk_read(disk, SECTORS - 1, buf, 2) == -EINVAL &&
              rs_blk_read(disk, UINT64_MAX, buf, 2) == -EINVAL &&
              rs_blk_write(disk, SECTORS, buf, 1) == -EINVAL &&
              rs_blk_discard(disk, 1, SECTORS) == -EINVAL,
          "outside of the disk");
    point(rs_blk_read(disk, SECTORS - 1, buf, 1) == 0, "the last sector");
    point(rs_blk_read(disk, 0, buf, 0) == 0, "nothing to read");
}

static void fill(unsigned char *p, size_t n, unsigned int seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(seed + i * 7 + i / 509);
}

/* Any start and length, in any memory: what is written is read. */
static void test_data(const char *what, unsigned char *out, unsigned char *in)
{
    static const struct {
        uint64_t sector;
        size_t sectors;
    } cases[] = { { 0, 1 },  { 7, 9 },      { 100, 88 },
                  { 3, 89 }, { 1000, 777 }, { 0, SECTORS } };
    bool good = true;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = cases[i].sectors * RS_BLK_SECTOR;

        fill(out, n, (unsigned int)i);
        memset(in, 0, n);
        good &= rs_blk_write(disk, cases[i].sector, out, cases[i].sectors) == 0;
        good &= rs_blk_read(disk, cases[i].sector, in, cases[i].sectors) == 0;
        good &= memcmp(in, out, n) == 0;
    }
    point(good, "written is read: %s", what);
}

static void test_memory(void)
{
    size_t size = (SECTORS + 8) * RS_BLK_SECTOR;
    unsigned char *any = malloc(size), *out, *in;

    out = rs_blk_buffer_alloc(disk, size);
    in = rs_blk_buffer_alloc(disk, size);
    point(any && out && in, "memory");
    test_data("to any memory", any + 1, out + 1);
    test_data("from the disk's memory to any", out, any);
    test_data("within the disk's memory", out, in);
    test_data("not at the start of a page", out + RS_BLK_SECTOR,
              in + 3 * RS_BLK_SECTOR);
    rs_blk_buffer_free(disk, out);
    rs_blk_buffer_free(disk, in);
    free(any);
}

static void test_flush_discard(void)
{
    static unsigned char buf[8 * RS_BLK_SECTOR], zero[8 * RS_BLK_SECTOR];

    point(rs_blk_flush(disk) == 0, "flush");
    memset(buf, 1, sizeof(buf));
    if (!rs_blk_can_discard(disk)) {
        point(rs_blk_discard(disk, 64, 8) == -EOPNOTSUPP, "no discard here");
        return;
    }
    point(rs_blk_write(disk, 64, buf, 8) == 0 &&
              rs_blk_discard(disk, 64, 8) == 0 &&
              rs_blk_read(disk, 64, buf, 8) == 0 && !memcmp(buf, zero, 4096),
          "what is discarded reads as zeros");
}

/* ---- asynchronous: more requests than the ring holds ---- */

#define MANY 200

static unsigned int ended, wrong;
static struct rs_semaphore *all;

static void one_done(struct rs_blk_io *io, int err)
{
    (void)io;
    wrong += err != 0;
    if (++ended == MANY)
        rs_semaphore_up(all);
}

static void test_many(void)
{
    static struct rs_blk_io io[MANY];
    static uint64_t buf[MANY][RS_BLK_SECTOR / 8];
    struct rs_blk_io large = { .op = RS_BLK_READ,
                               .sectors = 89,
                               .done = one_done };
    bool good = true;

    all = rs_semaphore_new(0);
    for (int write = 1; write >= 0; write--) {
        ended = 0;
        for (unsigned int i = 0; i < MANY; i++) {
            memset(buf[i], 0, sizeof(buf[i]));
            buf[i][63] = write ? i * 1000 : 0;
            io[i] =
                (struct rs_blk_io){ .op = write ? RS_BLK_WRITE : RS_BLK_READ,
                                    .sector = i,
                                    .sectors = 1,
                                    .buf = buf[i],
                                    .done = one_done };
            good &= rs_blk_submit(disk, &io[i]) == 0;
        }
        rs_semaphore_down(all, RS_FOREVER);
    }
    for (unsigned int i = 0; i < MANY; i++)
        good &= buf[i][63] == i * 1000;
    point(good && !wrong, "%d requests at once", MANY);
    point(rs_blk_submit(disk, &large) == -EINVAL,
          "a request that is too large");
    rs_semaphore_free(all);
}

static void test_read_only(void)
{
    static char buf[RS_BLK_SECTOR];
    struct rs_blk *b;

    if (!point(rs_blk_open("51728", &b) == 0, "a disk by its number"))
        return;
    point(rs_blk_read_only(b) && !rs_blk_read_only(disk),
          "it may only be read");
    point(rs_blk_read(b, 0, buf, 1) == 0 && buf[0] == 'R', "and is");
    point(rs_blk_write(b, 0, buf, 1) == -EROFS &&
              rs_blk_discard(b, 0, 1) == -EROFS,
          "but not written");
    rs_blk_close(b);
}

/* Opening and closing again leaves nothing behind. */
static void test_reopen(void)
{
    struct rs_usage before, after;
    static char buf[RS_BLK_SECTOR];
    struct rs_blk *b, *same = NULL;
    bool good = true;

    good &= rs_blk_open("xvdb", &b) == 0 && rs_blk_open("xvdb", &same) == 0;
    point(good && b == same, "an open disk is shared");
    rs_blk_close(same);
    point(rs_blk_read(b, 0, buf, 1) == 0, "until the last one closes it");
    rs_blk_close(b);
    rs_usage(&before);
    for (int i = 0; i < 20 && good; i++) {
        good = rs_blk_open("xvdb", &b) == 0 && rs_blk_read(b, 0, buf, 1) == 0 &&
               rs_blk_buffer_alloc(b, 8192) != NULL;
        if (good)
            rs_blk_close(b);
    }
    rs_usage(&after);
    point(good, "closed and opened again, 20 times");
    if (!point(after.grants <= before.grants && after.events <= before.events,
               "no grants and channels are left"))
        printf("# grants %u, were %u; channels %u, were %u\n", after.grants,
               before.grants, after.events, before.events);
}

int main(void)
{
    plan(26);
    test_names();
    if (!point(rs_blk_open("xvda", &disk) == 0, "xvda"))
        return 1;
    test_ranges();
    test_memory();
    test_flush_discard();
    test_many();
    test_read_only();
    test_reopen();
    rs_blk_close(disk);
    return done();
}
