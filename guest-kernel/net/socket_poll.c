/*
 * poll() and select() over sockets and files; files are always ready.
 */
#include <errno.h>
#include <string.h>
#include <sys/select.h>

#include "guest-kernel/net/socket_file.h"
#include "guest-kernel/vcpu.h"

/* One call of poll(), in lwIP's terms. */
struct polling {
    struct pollfd own[FILE_MAX]; /* fd: lwIP's number, -1: not for lwIP */
    struct file *file[FILE_MAX];
    short ready[FILE_MAX]; /* of what is not for lwIP */
};

/* Takes the files; true if something is ready without asking lwIP. */
static bool poll_begin(struct polling *p, const struct pollfd *fds, nfds_t n)
{
    bool any = false;

    for (nfds_t i = 0; i < n; i++) {
        p->own[i] = (struct pollfd){ .fd = -1, .events = fds[i].events };
        p->file[i] = fds[i].fd < 0 ? NULL : file_get(fds[i].fd, NULL);
        p->ready[i] = 0;
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

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    IN_KERNEL();
    struct polling p;
    int ret, count;

    if (n > FILE_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (poll_begin(&p, fds, n))
        timeout = 0;
    ret = lwip_poll(n ? p.own : NULL, n, timeout);
    count = poll_end(&p, fds, n);
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

int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
    IN_KERNEL();
    struct pollfd fds[FD_SETSIZE];
    int ms = -1, used = 0, count = 0;

    if (n < 0 || n > FD_SETSIZE) {
        errno = EINVAL;
        return -1;
    }
    for (int fd = 0; fd < n; fd++) {
        short events = wanted(fd, r, w, e);

        if (events)
            fds[used++] = (struct pollfd){ .fd = fd, .events = events };
    }
    if (timeout)
        ms = (int)(timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000);
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
