/* A log file of bounded size; see log_file.h. */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_file {
    int fd;
    bool regular; /* has a size, so the limit counts */
    bool bound;   /* standard output and error are it, too */
    bool tells;   /* what went when a new file began */
    size_t limit, size;
    unsigned long long lost;
    unsigned int mode;
    char *path, *old_path;
};

static int open_path(const struct log_file *log)
{
    int fd =
        open(log->path,
             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
             (mode_t)log->mode);

    return fd < 0 ? -errno : fd;
}

static int bind_outputs(const struct log_file *log)
{
    if (!log->bound)
        return 0;
    return dup2(log->fd, STDOUT_FILENO) < 0 || dup2(log->fd, STDERR_FILENO) < 0
               ? -errno
               : 0;
}

/* The log goes on in the file that PATH names now. */
static int use_path(struct log_file *log)
{
    struct stat st;
    int fd = open_path(log);

    if (fd < 0)
        return fd;
    if (log->fd >= 0)
        close(log->fd);
    log->fd = fd;
    log->regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
    log->size = log->regular ? (size_t)st.st_size : 0;
    return bind_outputs(log);
}

static bool is_stderr(const struct log_file *log)
{
    struct stat mine, given;

    return log->regular && !fstat(log->fd, &mine) &&
           !fstat(STDERR_FILENO, &given) && mine.st_dev == given.st_dev &&
           mine.st_ino == given.st_ino;
}

int log_file_open(const char *path, unsigned int mode, size_t limit,
                  unsigned int flags, struct log_file **out)
{
    struct log_file *log = calloc(1, sizeof(*log));
    int err = -ENOMEM;

    *out = NULL;
    if (!log)
        return -ENOMEM;
    log->fd = -1;
    log->limit = limit;
    log->mode = mode;
    log->tells = flags & LOG_FILE_TELLS;
    log->path = strdup(path);
    if (asprintf(&log->old_path, "%s.1", path) < 0)
        log->old_path = NULL;
    if (log->path && log->old_path)
        err = use_path(log);
    log->bound = !err && is_stderr(log);
    if (err) {
        log_file_close(log);
        return err;
    }
    *out = log;
    return 0;
}

void log_file_close(struct log_file *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    free(log->old_path);
    free(log);
}

int log_file_bind(struct log_file *log)
{
    log->bound = true;
    return bind_outputs(log);
}

int log_file_reopen(struct log_file *log)
{
    return use_path(log);
}

const char *log_file_path(const struct log_file *log)
{
    return log->path;
}

/* Is PATH still the file that is written? Somebody else may have moved it. */
static bool is_named(const struct log_file *log)
{
    struct stat named, open;

    return !lstat(log->path, &named) && !fstat(log->fd, &open) &&
           named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

/* Writes all or tells how much is left. */
static size_t put(struct log_file *log, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(log->fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            break;
        log->size += (size_t)done;
        bytes += done;
        n -= (size_t)done;
    }
    return n;
}

/* A line of our own, with one number; false: it could not be written. */
static bool put_line(struct log_file *log, unsigned long long n,
                     const char *what)
{
    char line[80];
    int len = snprintf(line, sizeof(line), "(%llu bytes of %s)\n", n, what);

    return put(log, line, (size_t)len) == 0;
}

static bool has_room(const struct log_file *log, size_t more)
{
    return !log->regular || !log->size || log->size + more <= log->limit;
}

/* The size of the file that moving PATH to PATH.1 removes. */
static unsigned long long size_of_old(const struct log_file *log)
{
    struct stat st;

    return lstat(log->old_path, &st) ? 0 : (unsigned long long)st.st_size;
}

/*
 * A full file that cannot be moved, or not be followed by another, is emptied:
 * losing lines is better than a full disk.
 */
static void rotate(struct log_file *log, size_t more)
{
    unsigned long long gone = size_of_old(log);
    bool moved = is_named(log) && !rename(log->path, log->old_path);
    bool full = use_path(log) || (!moved && !has_room(log, more));

    if (full) {
        gone = log->size;
        if (!ftruncate(log->fd, 0))
            log->size = 0;
    }
    if (log->tells && gone && (moved || full))
        put_line(log, gone, "older lines were removed");
}

/* Others write to the bound descriptors, too. */
static void look_at_size(struct log_file *log)
{
    struct stat st;

    if (log->bound && log->regular && !fstat(log->fd, &st))
        log->size = (size_t)st.st_size;
}

void log_file_check(struct log_file *log)
{
    look_at_size(log);
    if (!has_room(log, 1))
        rotate(log, 1);
}

void log_file_write(struct log_file *log, const char *bytes, size_t n)
{
    while (n) {
        size_t part = n < log->limit || !log->regular ? n : log->limit;

        look_at_size(log);
        if (!has_room(log, part))
            rotate(log, part);
        if (log->lost && put_line(log, log->lost, "this log were lost"))
            log->lost = 0;
        log->lost += log->lost ? part : put(log, bytes, part);
        bytes += part;
        n -= part;
    }
}
