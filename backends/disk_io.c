/* Steps of one disk request; see disk_io.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
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

int disk_io_zero_rest(struct disk_io *io)
{
    if (io->offset < io->file_end)
        return DISK_TRUNCATED;
    for (unsigned int i = 0; i < io->n_iov; i++)
        memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
    disk_io_advance(io, io->length);
    return 0;
}

int disk_io_check_end(const struct disk_io *io)
{
    struct stat st;

    if (fstat(io->fd, &st))
        return -errno;
    return S_ISREG(st.st_mode) && (uint64_t)st.st_size < io->file_end
               ? DISK_TRUNCATED
               : 0;
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
            return disk_io_zero_rest(io);
    } while (n < 0 || (n > 0 && !disk_io_advance(io, (size_t)n)));
    return 0;
}

#define SLICE_PIECES 64

/* Copies the first pieces of io to iov, one slice of them. */
static unsigned int first_pieces(const struct disk_io *io, struct iovec *iov)
{
    size_t left = DISK_SLICE;
    unsigned int n = 0;

    for (; left && n < io->n_iov && n < SLICE_PIECES; n++) {
        iov[n] = io->iov[n];
        if (iov[n].iov_len > left)
            iov[n].iov_len = left;
        left -= iov[n].iov_len;
    }
    return n;
}

static int vector_slice(struct disk_io *io, int flags)
{
    struct iovec iov[SLICE_PIECES];
    int pieces = (int)first_pieces(io, iov);
    ssize_t n;

    do {
        if (io->op == DISK_READ)
            n = preadv2(io->fd, iov, pieces, (off_t)io->offset, flags);
        else
            n = pwritev2(io->fd, iov, pieces, (off_t)io->offset, flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0 && io->op == DISK_WRITE)
        return -ENOSPC;
    if (n > 0)
        return disk_io_advance(io, (size_t)n) ? 0 : -EINPROGRESS;
    return disk_io_zero_rest(io);
}

/* Pages of a file in memory are freed faster than they are copied. */
static int discard_slice(struct disk_io *io)
{
    uint64_t n = io->length < 16 * DISK_SLICE ? io->length : 16 * DISK_SLICE;

    if (fallocate(io->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)io->offset, (off_t)n))
        return -errno;
    io->offset += n;
    io->length -= n;
    return io->length ? -EINPROGRESS : 0;
}

int disk_io_slice(struct disk_io *io, int flags)
{
    switch (io->op) {
    case DISK_READ:
    case DISK_WRITE:
        return vector_slice(io, flags);
    case DISK_DISCARD:
        return discard_slice(io);
    default:
        return disk_io_run(io, flags);
    }
}

int disk_io_run(struct disk_io *io, int flags)
{
    switch (io->op) {
    case DISK_READ:
    case DISK_WRITE:
        return run_vector(io, flags);
    case DISK_FLUSH:
        return fdatasync(io->fd) ? -errno : disk_io_check_end(io);
    case DISK_DISCARD:
        if (fallocate(io->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)io->offset, (off_t)io->length))
            return -errno;
        return 0;
    }
    return -EINVAL;
}
