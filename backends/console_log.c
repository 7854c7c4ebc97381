/* See console_log.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console_log.h"

struct console_log {
    int fd;
    size_t size, limit;
    char *path, *old_path;
};

/* Names of domains come from users; here they must stay inside the directory.
 */
static void make_safe(char *name)
{
    if (*name == '.')
        *name = '_';
    for (; *name; name++) {
        if (*name == '/')
            *name = '_';
    }
}

static int open_file(struct console_log *log)
{
    struct stat st;

    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log->fd < 0 || fstat(log->fd, &st))
        return -errno;
    log->size = (size_t)st.st_size;
    return 0;
}

int console_log_open(const char *dir, const char *name, size_t limit,
                     struct console_log **out)
{
    struct console_log *log = calloc(1, sizeof(*log));
    int err = -ENOMEM;

    if (!log)
        return -ENOMEM;
    log->fd = -1;
    log->limit = limit;
    if (asprintf(&log->path, "%s/%s.log", dir, name) < 0)
        log->path = NULL;
    if (log->path) {
        make_safe(log->path + snprintf(NULL, 0, "%s/", dir));
        if (asprintf(&log->old_path, "%s.1", log->path) < 0)
            log->old_path = NULL;
    }
    if (log->old_path)
        err = mkdir(dir, 0700) && errno != EEXIST ? -errno : open_file(log);
    if (err) {
        console_log_close(log);
        return err;
    }
    *out = log;
    return 0;
}

void console_log_close(struct console_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    free(log->old_path);
    free(log);
}

static void rotate(struct console_log *log)
{
    rename(log->path, log->old_path);
    close(log->fd);
    open_file(log);
}

void console_log_write(struct console_log *log, const char *buf, size_t n)
{
    while (n) {
        ssize_t done;

        if (log->size >= log->limit)
            rotate(log);
        done = write(log->fd, buf, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        log->size += (size_t)done;
        buf += done;
        n -= (size_t)done;
    }
}
