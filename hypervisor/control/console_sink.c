/*
 * A domain's emergency console, to the descriptor that a tool gave us.
 *
 * The descriptor is a stranger's: a terminal that was stopped, a pipe that
 * nobody reads. So we write only what it takes at once, keep a bounded rest,
 * and drop (and say so) what does not fit. A regular file would take everything
 * and keep it, so it gets so much of one domain and no more: it is the user's,
 * who may have redirected standard error to it, and not ours to shorten.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SINK_BYTES 65536u
#define FILE_BYTES (4u << 20)

struct control_sink {
    struct rs_host *host;
    struct watch writable; /* while bytes wait */
    int fd;
    bool is_socket, is_file, is_dead;
    size_t written;     /* to a file */
    size_t start, used; /* of the ring below */
    size_t dropped;
    char *bytes; /* NULL: none had to wait yet */
};

static const char note[] = "\n(console output was dropped here)\n";
static const char full[] = "\n(hypervisor) 4 MiB of this domain's console are "
                           "here: the rest is dropped\n";

/*
 * O_NONBLOCK belongs to the open file, which its owner uses too: terminals and
 * pipes are opened a second time. -1: this file cannot be had without waiting.
 */
static int own_file(int fd, mode_t mode)
{
    char path[32];

    if (S_ISREG(mode) || S_ISSOCK(mode))
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct control_sink *control_sink_new(struct rs_host *h, int fd)
{
    struct control_sink *s = calloc(1, sizeof(*s));
    struct stat st;

    if (s) {
        s->host = h;
        s->fd = fstat(fd, &st) ? -1 : own_file(fd, st.st_mode);
        s->is_socket = s->fd >= 0 && S_ISSOCK(st.st_mode);
        s->is_file = s->fd >= 0 && S_ISREG(st.st_mode);
        s->is_dead = s->fd < 0;
    }
    close(fd);
    return s;
}

/* Takes what it can of n bytes; -EAGAIN: not now. */
static ssize_t put(struct control_sink *s, const char *bytes, size_t n)
{
    ssize_t done = s->is_socket
                       ? send(s->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : write(s->fd, bytes, n);

    if (done >= 0)
        return done;
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

/* Writes waiting bytes; returns whether it wants to be called again. */
static bool drain(struct control_sink *s)
{
    while (s->used && !s->is_dead) {
        size_t n =
            SINK_BYTES - s->start < s->used ? SINK_BYTES - s->start : s->used;
        ssize_t done = put(s, s->bytes + s->start, n);

        if (done == -EAGAIN)
            return true;
        if (done <= 0) {
            s->is_dead = true;
            break;
        }
        s->start = (s->start + (size_t)done) % SINK_BYTES;
        s->used -= (size_t)done;
    }
    return false;
}

static bool keep(struct control_sink *s, const char *bytes, size_t n)
{
    if (!s->bytes)
        s->bytes = malloc(SINK_BYTES);
    if (!s->bytes)
        return false;
    for (size_t i = 0; i < n; i++)
        s->bytes[(s->start + s->used + i) % SINK_BYTES] = bytes[i];
    s->used += n;
    return true;
}

static void sink_ready(void *data, uint32_t events)
{
    struct control_sink *s = data;

    (void)events;
    if (drain(s))
        return;
    host_unwatch(s->host, &s->writable);
    if (s->dropped && !s->is_dead) {
        s->dropped = 0;
        control_sink_write(s, note, sizeof(note) - 1);
    }
}

/* What is taken at once of bytes before which none wait. */
static size_t put_at_once(struct control_sink *s, const char *bytes, size_t n)
{
    ssize_t done = put(s, bytes, n);

    if (done <= 0 && done != -EAGAIN)
        s->is_dead = true;
    return done > 0 ? (size_t)done : 0;
}

/* A full disk loses output, and that is all. */
static void write_file(struct control_sink *s, const char *bytes, size_t n)
{
    bool fits = n <= FILE_BYTES - s->written;
    ssize_t done = fits ? put(s, bytes, n) : put(s, full, sizeof(full) - 1);

    s->is_dead = !fits;
    s->written += done > 0 ? (size_t)done : 0;
}

void control_sink_write(void *data, const char *bytes, size_t n)
{
    struct control_sink *s = data;
    size_t done = 0;

    if (s->is_dead || n == 0)
        return;
    if (s->is_file) {
        write_file(s, bytes, n);
        return;
    }
    if (!s->used && !s->dropped)
        done = put_at_once(s, bytes, n);
    if (s->is_dead || done == n)
        return;
    bytes += done;
    n -= done;
    /* After a gap nothing more until the reader has come up to it. */
    if (s->dropped || n > SINK_BYTES - s->used || !keep(s, bytes, n)) {
        s->dropped += n;
        return;
    }
    if (!s->writable.ready && drain(s) &&
        host_watch(s->host, &s->writable, s->fd, EPOLLOUT, sink_ready, s)) {
        s->writable.ready = NULL;
        s->is_dead = true;
    }
}

void control_sink_free(void *data)
{
    struct control_sink *s = data;

    if (!s)
        return;
    host_unwatch(s->host, &s->writable);
    drain(s);
    if (s->fd >= 0)
        close(s->fd);
    free(s->bytes);
    free(s);
}
