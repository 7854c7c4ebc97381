/*
 * See console_pty.h.
 *
 * The other side is opened by us only to set it up. While nobody has it open
 * the master polls as hung up, which is how we know that output may be dropped.
 * For the same reason its event is edge-triggered: the hang-up lasts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <event2/event.h>

#include "console_pty.h"

struct console_pty {
    int fd;
    char name[64];
    size_t dropped; /* since the last note of it */
    struct event *event;
    void (*input)(void *arg);
    void *arg;
};

static void pty_readable(evutil_socket_t fd, short what, void *arg)
{
    struct console_pty *pty = arg;

    (void)fd;
    (void)what;
    pty->input(pty->arg);
}

static int set_raw(const char *name)
{
    struct termios t;
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC), err = 0;

    if (fd < 0)
        return -errno;
    if (tcgetattr(fd, &t))
        err = -errno;
    cfmakeraw(&t);
    if (!err && tcsetattr(fd, TCSANOW, &t))
        err = -errno;
    close(fd);
    return err;
}

static int open_master(struct console_pty *pty)
{
    pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->fd < 0 || grantpt(pty->fd) || unlockpt(pty->fd))
        return -errno;
    if (ptsname_r(pty->fd, pty->name, sizeof(pty->name)))
        return -errno;
    return set_raw(pty->name);
}

int console_pty_open(struct event_base *base, void (*input)(void *arg),
                     void *arg, struct console_pty **out)
{
    struct console_pty *pty = calloc(1, sizeof(*pty));
    int err;

    if (!pty)
        return -ENOMEM;
    pty->input = input;
    pty->arg = arg;
    err = open_master(pty);
    if (!err) {
        pty->event = event_new(base, pty->fd, EV_READ | EV_PERSIST | EV_ET,
                               pty_readable, pty);
        if (!pty->event || event_add(pty->event, NULL))
            err = -ENOMEM;
    }
    if (err) {
        console_pty_close(pty);
        return err;
    }
    *out = pty;
    return 0;
}

void console_pty_close(struct console_pty *pty)
{
    if (!pty)
        return;
    if (pty->event)
        event_free(pty->event);
    if (pty->fd >= 0)
        close(pty->fd);
    free(pty);
}

const char *console_pty_name(const struct console_pty *pty)
{
    return pty->name;
}

/* Writes what the reader has room for; returns how much is left. */
static size_t put(struct console_pty *pty, const char *buf, size_t n)
{
    while (n) {
        ssize_t done = write(pty->fd, buf, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            break;
        buf += done;
        n -= (size_t)done;
    }
    return n;
}

/* true: nothing was dropped, or the reader has been told of it. */
static bool tell_dropped(struct console_pty *pty)
{
    char note[96];
    int n;

    if (!pty->dropped)
        return true;
    n = snprintf(note, sizeof(note),
                 "\r\n(%zu bytes were dropped here; the log has them)\r\n",
                 pty->dropped);
    if (put(pty, note, (size_t)n))
        return false;
    pty->dropped = 0;
    return true;
}

void console_pty_write(struct console_pty *pty, const char *buf, size_t n)
{
    struct pollfd p = { .fd = pty->fd, .events = POLLOUT };
    int ready = poll(&p, 1, 0);

    if (p.revents & (POLLHUP | POLLERR))
        pty->dropped = 0; /* nobody looks */
    else if (ready != 1 || !tell_dropped(pty))
        pty->dropped += n;
    else
        pty->dropped += put(pty, buf, n);
}

size_t console_pty_read(struct console_pty *pty, char *buf, size_t n)
{
    ssize_t got;

    do
        got = read(pty->fd, buf, n);
    while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}
