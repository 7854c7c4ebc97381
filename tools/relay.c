/* Bytes between a guest's console and the user; see relay.h. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "say.h"

/* What a terminal's user would type: the guest's end of the console is one. */
#define END_OF_FILE 0x04 /* Ctrl-D */
#define LITERAL     0x16 /* Ctrl-V: the next byte is itself */

#define DRAIN_MAX 64 /* reads at most, so that no guest keeps us here */

/* ---- the user's terminal ---- */

static struct termios saved;
static bool is_raw;

void terminal_restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    is_raw = false;
}

void terminal_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    raw = saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; /* guests end lines with a bare newline */
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
        return;
    is_raw = true;
    atexit(terminal_restore);
}

/* ---- the console ---- */

int relay_open(struct relay *r, const char *tty)
{
    struct termios raw;

    if (strncmp(tty, "/dev/pts/", 9) != 0 || strstr(tty, "..") != NULL)
        return complain("the console is at %s, which is not a pseudo terminal",
                        tty);
    r->tty = open(tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (r->tty < 0)
        return complain("cannot open the console %s: %s", tty, strerror(errno));
    if (tcgetattr(r->tty, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(r->tty, TCSANOW, &raw);
    }
    return 0;
}

/* The pty only: a log may still have something. */
static void close_tty(struct relay *r)
{
    if (r->tty >= 0)
        close(r->tty);
    r->tty = -1;
}

void relay_close(struct relay *r)
{
    close_tty(r);
    if (r->log >= 0)
        close(r->log);
    r->log = -1;
}

void relay_poll(const struct relay *r, struct pollfd p[RELAY_FDS])
{
    bool full = r->n > 0;

    p[0] = (struct pollfd){
        .fd = r->tty,
        .events = (short)(POLLIN | (full ? POLLOUT : 0)),
    };
    p[1] = (struct pollfd){
        .fd = r->input && !full && r->tty >= 0 ? STDIN_FILENO : -1,
        .events = POLLIN,
    };
}

static void write_output(struct relay *r, const char *buf, size_t n)
{
    r->mid_line = buf[n - 1] != '\n';
    while (n > 0 && !r->no_output) {
        ssize_t done = write(r->out, buf, n);

        if (done < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = r->out, .events = POLLOUT };

            poll(&p, 1, -1);
        } else if (done < 0 && errno != EINTR) {
            r->no_output = true;
        } else if (done > 0) {
            buf += done;
            n -= (size_t)done;
        }
    }
}

/* ---- output by way of the log ---- */

void relay_follow(struct relay *r, const char *path, int fd)
{
    snprintf(r->log_path, sizeof(r->log_path), "%s", path);
    r->log = fd;
}

/* All that is in the open log and was not read. */
static void copy_log(struct relay *r)
{
    char buf[16384];
    ssize_t n;

    while ((n = read(r->log, buf, sizeof(buf))) > 0)
        write_output(r, buf, (size_t)n);
}

/* A log that is full gets another name, and a new one begins. */
static bool log_rotated(const struct relay *r)
{
    struct stat ours, now;

    return fstat(r->log, &ours) == 0 && stat(r->log_path, &now) == 0 &&
           ours.st_ino != now.st_ino;
}

static bool same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

/* The log goes on in another file. If the one before that is not ours either,
 * ours was removed while we were reading it, and perhaps others after it. */
static void use_log(struct relay *r, int next)
{
    char path[sizeof(r->log_path) + 2];
    int before;

    snprintf(path, sizeof(path), "%s.1", r->log_path);
    before = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (before >= 0 && !same_file(before, r->log)) {
        complain(
            "some of the console's output may be lost: it came faster than "
            "it was read");
        close(r->log);
        r->log = before;
        copy_log(r);
    } else if (before >= 0) {
        close(before);
    }
    close(r->log);
    r->log = next;
}

static void move_log(struct relay *r)
{
    int next;

    copy_log(r);
    if (!log_rotated(r))
        return;
    next = open(r->log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (next < 0)
        return;
    copy_log(r); /* nothing is written there after the renaming */
    use_log(r, next);
    copy_log(r);
}

/* ---- output ---- */

/* One read of the pty; false if there was nothing, or it went away. */
static bool read_tty(struct relay *r)
{
    char buf[4096];
    ssize_t n;

    if (r->tty < 0)
        return false;
    n = read(r->tty, buf, sizeof(buf));
    if (n > 0) {
        if (r->log < 0)
            write_output(r, buf, (size_t)n);
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_tty(r);
    return false;
}

void relay_drain(struct relay *r)
{
    for (int i = 0; i < DRAIN_MAX && read_tty(r); i++)
        ;
    if (r->log >= 0)
        move_log(r); /* after the pty: what comes now fills that again */
}

static void flush_input(struct relay *r)
{
    ssize_t n;

    if (r->n == 0 || r->tty < 0)
        return;
    n = write(r->tty, r->buf + r->at, r->n);
    if (n < 0)
        return;
    r->at += (size_t)n;
    r->n -= (size_t)n;
}

/* Makes n bytes of data out of which no terminal reads a command. */
static size_t quote(char *to, const char *from, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (from[i] == END_OF_FILE || from[i] == LITERAL || from[i] == '\r')
            to[len++] = LITERAL;
        to[len++] = from[i];
    }
    return len;
}

/* The guest's own file or pipe: every byte is data, and the end is the end. */
static ssize_t read_data(struct relay *r)
{
    char buf[sizeof(r->buf) / 2];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

    return n <= 0 ? n : (ssize_t)quote(r->buf, buf, (size_t)n);
}

static void move_input(struct relay *r)
{
    bool typed = !r->ends || isatty(STDIN_FILENO);
    ssize_t n =
        typed ? read(STDIN_FILENO, r->buf, sizeof(r->buf)) : read_data(r);
    char *escape;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        r->input = false;
        if (!r->ends)
            return;
        r->buf[0] = END_OF_FILE;
        n = 1;
    }
    r->at = 0;
    r->n = (size_t)n;
    escape = r->escape ? memchr(r->buf, RELAY_ESCAPE, r->n) : NULL;
    if (escape != NULL) {
        r->n = (size_t)(escape - r->buf);
        r->left = true;
    }
    flush_input(r);
}

void relay_move(struct relay *r, const struct pollfd p[RELAY_FDS])
{
    if (p[1].fd >= 0 && p[1].revents != 0)
        move_input(r);
    if (p[0].fd >= 0 && (p[0].revents & POLLOUT) != 0)
        flush_input(r);
    if (p[0].fd >= 0 && (p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        relay_drain(r);
}
