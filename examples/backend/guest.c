/*
 * What the backend of this example serves, as a guest sees it: xvda reads as
 * zeros and cannot be written, xvdb keeps what is written to it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ringside/blk.h>

#define SECTORS 256

static unsigned char out[SECTORS * RS_BLK_SECTOR], in[sizeof(out)];

static int failed(const char *what, int err)
{
    printf("%s: %s\n", what, strerror(-err));
    return 1;
}

static int check_zeros(struct rs_blk *disk)
{
    int err;

    memset(in, 0xff, sizeof(in));
    err = rs_blk_read(disk, rs_blk_sectors(disk) - SECTORS, in, SECTORS);
    if (err)
        return failed("reading zeros", err);
    for (size_t i = 0; i < sizeof(in); i++)
        if (in[i])
            return failed("not a zero", -EIO);
    if (rs_blk_write(disk, 0, in, 1) != -EROFS)
        return failed("zeros can be written", -EIO);
    printf("%llu sectors of zeros\n", (unsigned long long)rs_blk_sectors(disk));
    return 0;
}

static int check_ram(struct rs_blk *disk)
{
    int err;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (unsigned char)(i * 7 + i / 509);
    err = rs_blk_write(disk, 3, out, SECTORS);
    if (!err)
        err = rs_blk_flush(disk);
    if (!err)
        err = rs_blk_read(disk, 3, in, SECTORS);
    if (err)
        return failed("the RAM disk", err);
    if (memcmp(in, out, sizeof(in)))
        return failed("other bytes were read than written", -EIO);
    printf("%llu sectors of RAM\n", (unsigned long long)rs_blk_sectors(disk));
    return 0;
}

int main(void)
{
    struct rs_blk *zeros, *ram;
    int err = rs_blk_open("xvda", &zeros);

    if (!err)
        err = rs_blk_open("xvdb", &ram);
    if (err)
        return failed("opening", err);
    return check_zeros(zeros) || check_ram(ram);
}
