/*
 * Asynchronous I/O through io_uring.
 *
 * Requests are queued by submit and start with kick, one system call for a
 * batch. The ring tells of completions through an eventfd on the loop. More
 * requests than the queue holds wait in a list.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "disk_io.h"

#ifdef HAVE_LIBURING

#include <fcntl.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "list.h"

#define ENTRIES 256

struct disk_uring {
    struct disk_async async;
    struct io_uring ring;
    struct disk_io *waiting, **tail; /* no entry was free */
    unsigned int queued;             /* entries that no kick has started */
    int fd;
    struct event *event;
};

static void prepare(struct io_uring_sqe *sqe, struct disk_io *io)
{
    switch (io->op) {
    case DISK_READ:
        io_uring_prep_readv(sqe, io->fd, io->iov, disk_io_iovcnt(io),
                            io->offset);
        break;
    case DISK_WRITE:
        io_uring_prep_writev(sqe, io->fd, io->iov, disk_io_iovcnt(io),
                             io->offset);
        break;
    case DISK_FLUSH:
        io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
        break;
    case DISK_DISCARD:
        io_uring_prep_fallocate(sqe, io->fd,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)io->offset, (off_t)io->length);
        break;
    }
    io_uring_sqe_set_data(sqe, io);
}

/* false: no entry is free even after submitting. */
static bool enqueue(struct disk_uring *u, struct disk_io *io)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        io_uring_submit(&u->ring);
        u->queued = 0;
        sqe = io_uring_get_sqe(&u->ring);
    }
    if (!sqe)
        return false;
    prepare(sqe, io);
    u->queued++;
    return true;
}

static void uring_submit(struct disk_async *a, struct disk_io *io)
{
    struct disk_uring *u = container_of(a, struct disk_uring, async);

    io->next = NULL;
    if (!u->waiting && enqueue(u, io))
        return;
    *u->tail = io;
    u->tail = &io->next;
}

static void uring_kick(struct disk_async *a)
{
    struct disk_uring *u = container_of(a, struct disk_uring, async);

    while (u->waiting) {
        struct disk_io *io = u->waiting;

        if (!enqueue(u, io))
            break;
        u->waiting = io->next;
        if (!u->waiting)
            u->tail = &u->waiting;
    }
    if (u->queued && io_uring_submit(&u->ring) >= 0)
        u->queued = 0;
}

/* One completion: the end of a request, or the next part of it. */
static void complete(struct disk_uring *u, struct disk_io *io, int res)
{
    bool vector = io->op == DISK_READ || io->op == DISK_WRITE;

    if (res == -EINTR || res == -EAGAIN) {
        uring_submit(&u->async, io);
        return;
    }
    if (res > 0 && vector && !disk_io_advance(io, (size_t)res)) {
        uring_submit(&u->async, io);
        return;
    }
    if (res == 0 && io->op == DISK_WRITE)
        res = -ENOSPC;
    if (res == 0 && io->op == DISK_READ)
        res = disk_io_zero_rest(io);
    if (res == 0 && io->op == DISK_FLUSH)
        res = disk_io_check_end(io);
    disk_queue_done(io, res < 0 ? res : 0);
}

static void uring_finished(evutil_socket_t fd, short what, void *arg)
{
    struct disk_uring *u = arg;
    struct io_uring_cqe *cqe;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
        struct disk_io *io = io_uring_cqe_get_data(cqe);
        int res = cqe->res;

        io_uring_cqe_seen(&u->ring, cqe);
        complete(u, io, res);
    }
    uring_kick(&u->async); /* what goes on */
    disk_queue_kick(&u->async);
}

static void uring_free(struct disk_async *a)
{
    struct disk_uring *u = container_of(a, struct disk_uring, async);

    if (u->event)
        event_free(u->event);
    if (u->fd >= 0)
        close(u->fd);
    io_uring_queue_exit(&u->ring);
    free(u);
}

int disk_uring_new(struct event_base *base, struct disk_async **out)
{
    struct disk_uring *u = calloc(1, sizeof(*u));
    int err;

    if (!u)
        return -ENOMEM;
    u->async.submit = uring_submit;
    u->async.kick = uring_kick;
    u->async.free = uring_free;
    u->async.parallel = ENTRIES;
    list_init(&u->async.busy);
    u->tail = &u->waiting;
    err = io_uring_queue_init(ENTRIES, &u->ring, 0);
    if (err) {
        free(u);
        return err;
    }
    err = -ENOMEM;
    u->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (u->fd >= 0)
        err = io_uring_register_eventfd(&u->ring, u->fd);
    if (!err)
        u->event =
            event_new(base, u->fd, EV_READ | EV_PERSIST, uring_finished, u);
    if (err || !u->event || event_add(u->event, NULL)) {
        uring_free(&u->async);
        return err ? err : -ENOMEM;
    }
    *out = &u->async;
    return 0;
}

#else

int disk_uring_new(struct event_base *base, struct disk_async **out)
{
    (void)base;
    (void)out;
    return -ENOSYS;
}

#endif
