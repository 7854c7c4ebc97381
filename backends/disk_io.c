/* Steps of one disk request; see disk_io.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk_io.h"

unsigned int disk_io_iovcnt(const struct disk_io *io)
{
    return io->n_iov < IOV_MAX ? io->n_iov : IOV_MAX;
}

bool disk_io_advance(struct disk_io *io, size_t n)
{
    io->offset += n;
    io->length -= n;
    while (io->n_iov && n >= io->iov->iov_len) {
        n -= io->iov->iov_len;
        io->iov++;
        io->n_iov--;
    }
    if (n) {
        io->iov->iov_base = (char *)io->iov->iov_base + n;
        io->iov->iov_len -= n;
    }
    return io->n_iov == 0;
}

void disk_io_zero_rest(struct disk_io *io)
{
    for (unsigned int i = 0; i < io->n_iov; i++)
        memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
    disk_io_advance(io, io->length);
}

static int run_vector(struct disk_io *io, int flags)
{
    ssize_t n;

    do {
        if (io->op == DISK_READ)
            n = preadv2(io->fd, io->iov, (int)disk_io_iovcnt(io),
                        (off_t)io->offset, flags);
        else
            n = pwritev2(io->fd, io->iov, (int)disk_io_iovcnt(io),
                         (off_t)io->offset, flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0 && io->op == DISK_WRITE)
            return -ENOSPC;
        if (n == 0)
            disk_io_zero_rest(io);
    } while (n < 0 || (n > 0 && !disk_io_advance(io, (size_t)n)));
    return 0;
}

int disk_io_run(struct disk_io *io, int flags)
{
    switch (io->op) {
    case DISK_READ:
    case DISK_WRITE:
        return run_vector(io, flags);
    case DISK_FLUSH:
        return fdatasync(io->fd) ? -errno : 0;
    case DISK_DISCARD:
        if (fallocate(io->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)io->offset, (off_t)io->length))
            return -errno;
        return 0;
    }
    return -EINVAL;
}
