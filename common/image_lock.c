/*
 * A user of an image holds a shared lock on one byte for each thing that it
 * does, and on another for each thing that others may not do meanwhile. So it
 * conflicts with whoever holds "others may not" of what it does, or does
 * what it does not suffer. Only shared locks are taken: a descriptor that may
 * only read can have them, and any number of processes the same one.
 */
#include "image_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

/* QEMU's bytes: 100 + what is done, 200 + what others may not do. */
#define READS         100
#define WRITES        101
#define NOBODY_READS  200
#define NOBODY_WRITES 201
#define BYTES_PER_USE 4
#define END_OF_BYTES  0 /* no lock is on byte 0 */

static const struct {
    off_t held[BYTES_PER_USE];    /* by a user of this kind */
    off_t refused[BYTES_PER_USE]; /* what another must not hold */
} uses[] = {
    [IMAGE_READ] = { { READS, NOBODY_WRITES }, { NOBODY_READS, WRITES } },
    [IMAGE_WRITE] = { { READS, WRITES, NOBODY_WRITES },
                      { NOBODY_READS, NOBODY_WRITES, WRITES } },
    [IMAGE_WRITE_SHARED] = { { READS, WRITES }, { END_OF_BYTES } },
};

static int lock_byte(int fd, int command, short type, off_t at, bool *taken)
{
    struct flock l = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1
    };

    if (fcntl(fd, command, &l))
        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    *taken = l.l_type != F_UNLCK;
    return 0;
}

static void let_go(int fd, enum image_use use)
{
    bool taken;

    for (const off_t *b = uses[use].held; *b != END_OF_BYTES; b++)
        lock_byte(fd, F_OFD_SETLK, F_UNLCK, *b, &taken);
}

int image_hold(int fd, enum image_use use)
{
    bool taken;
    int err = 0;

    for (const off_t *b = uses[use].held; *b != END_OF_BYTES && !err; b++)
        err = lock_byte(fd, F_OFD_SETLK, F_RDLCK, *b, &taken);
    if (err)
        let_go(fd, use);
    return err;
}

int image_lock(int fd, enum image_use use)
{
    int err = image_hold(fd, use);
    bool taken = false;

    /* Ours are there before we look for others': one of two sees the other. */
    for (const off_t *b = uses[use].refused; *b != END_OF_BYTES && !err; b++) {
        err = lock_byte(fd, F_OFD_GETLK, F_WRLCK, *b, &taken);
        if (!err && taken)
            err = -EBUSY;
    }
    if (err)
        let_go(fd, use);
    return err;
}
