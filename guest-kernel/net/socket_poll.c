/*
 * poll() and select() over sockets and files; files are always ready.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/net/socket_file.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/vcpu.h"

/* One call of poll(), in lwIP's terms. */
struct polling {
    struct pollfd *own; /* fd: lwIP's number, -1: not for lwIP */
    struct file **file;
    short *ready; /* of what is not for lwIP */
    bool sockets; /* some are: then lwIP has been started */
};

#define POLL_EACH \
    (sizeof(struct pollfd) + sizeof(struct file *) + sizeof(short))
#define POLL_FEW 64 /* have room on the stack */

/* Takes the files; true if something is ready without asking lwIP. */
static bool poll_begin(struct polling *p, const struct pollfd *fds, nfds_t n)
{
    bool any = false;

    p->sockets = false;
    for (nfds_t i = 0; i < n; i++) {
        p->own[i] = (struct pollfd){ .fd = -1, .events = fds[i].events };
        p->file[i] = fds[i].fd < 0 ? NULL : file_get(fds[i].fd, NULL);
        p->ready[i] = 0;
        p->sockets |= p->file[i] && p->file[i]->ops == &socket_ops;
        if (p->file[i] && p->file[i]->ops == &socket_ops)
            p->own[i].fd = socket_of(p->file[i]);
        else if (p->file[i])
            p->ready[i] = fds[i].events & (POLLIN | POLLOUT);
        else if (fds[i].fd >= 0)
            p->ready[i] = POLLNVAL;
        any |= p->ready[i] != 0;
    }
    return any;
}

static int poll_end(struct polling *p, struct pollfd *fds, nfds_t n)
{
    int count = 0;

    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = p->own[i].fd < 0 ? p->ready[i] : p->own[i].revents;
        count += fds[i].revents != 0;
        if (p->file[i])
            file_put(p->file[i]);
    }
    return count;
}

/* Without sockets time is all that can pass. */
static int poll_files(int timeout)
{
    if (timeout < 0)
        thread_sleep_until(NEVER);
    else if (timeout > 0)
        thread_sleep_until(clock_deadline_ms((uint32_t)timeout));
    return 0;
}

/* Takes what each of n descriptors needs from room. */
static void poll_place(struct polling *p, void *room, nfds_t n)
{
    p->file = room;
    p->own = (struct pollfd *)(p->file + n);
    p->ready = (short *)(p->own + n);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    IN_KERNEL();
    _Alignas(16) char few[POLL_FEW * POLL_EACH];
    void *room = n <= POLL_FEW ? few : NULL;
    struct polling p;
    int ret, count;

    if (n > FILE_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (!room && !(room = malloc(n * POLL_EACH))) {
        errno = ENOMEM;
        return -1;
    }
    poll_place(&p, room, n);
    if (poll_begin(&p, fds, n))
        timeout = 0;
    ret = p.sockets ? lwip_poll(p.own, n, timeout) : poll_files(timeout);
    count = poll_end(&p, fds, n);
    if (room != few)
        free(room);
    return ret < 0 ? ret : count;
}

static short wanted(int fd, fd_set *r, fd_set *w, fd_set *e)
{
    short events = 0;

    if (r && FD_ISSET(fd, r))
        events |= POLLIN;
    if (w && FD_ISSET(fd, w))
        events |= POLLOUT;
    if (e && FD_ISSET(fd, e))
        events |= POLLERR;
    return events;
}

/* Leaves in the set what is ready; returns 1 if it is. */
static int keep(int fd, fd_set *set, bool ready)
{
    if (!set || !FD_ISSET(fd, set))
        return 0;
    if (!ready)
        FD_CLR(fd, set);
    return ready;
}

/* -EINVAL; -1 for ever. What poll() cannot be told is three weeks. */
static int milliseconds(const struct timeval *t)
{
    if (!t)
        return -1;
    if (t->tv_sec < 0 || t->tv_usec < 0)
        return -EINVAL;
    if (t->tv_sec + t->tv_usec / 1000000 >= INT_MAX / 1000)
        return INT_MAX;
    return (int)(t->tv_sec * 1000 + (t->tv_usec + 999) / 1000);
}

int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
    IN_KERNEL();
    struct pollfd fds[FD_SETSIZE];
    int ms = milliseconds(timeout), used = 0, count = 0;

    if (n < 0 || n > FD_SETSIZE || ms < -1) {
        errno = EINVAL;
        return -1;
    }
    for (int fd = 0; fd < n; fd++) {
        short events = wanted(fd, r, w, e);

        if (events)
            fds[used++] = (struct pollfd){ .fd = fd, .events = events };
    }
    if (poll(fds, (nfds_t)used, ms) < 0)
        return -1;
    for (int i = 0; i < used; i++) {
        short got = fds[i].revents;

        if (got & POLLNVAL) {
            errno = EBADF;
            return -1;
        }
        count += keep(fds[i].fd, r, got & (POLLIN | POLLERR));
        count += keep(fds[i].fd, w, got & (POLLOUT | POLLERR));
        count += keep(fds[i].fd, e, got & POLLERR);
    }
    return count;
}
