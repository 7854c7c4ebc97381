/* Where to begin in the log of a guest's console; see log_tail.h. */
#include "log_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of the log's two files, and what of it lies behind the mark. */
struct part {
    int fd; /* -1: there is none */
    unsigned long long inode;
    unsigned long long start, end;
};

void log_tail_path(char *path, size_t n, const char *rundir, const char *name)
{
    snprintf(path, n, "%s/console/%s.log", rundir, name);
}

void log_tail_path_of(char *path, size_t n, const char *rundir,
                      unsigned int console, const char *name)
{
    snprintf(path, n, "%s/console/%u/%s.log", rundir, console, name);
}

void log_tail_mark(const char *path, struct log_mark *mark)
{
    struct stat st;

    *mark = (struct log_mark){ .inode = 0 };
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        *mark = (struct log_mark){ .inode = st.st_ino,
                                   .offset = (unsigned long long)st.st_size };
}

static int open_part(const char *path, struct part *p)
{
    struct stat st;
    int err = 0;

    *p = (struct part){ .fd = -1 };
    p->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (p->fd < 0)
        return -errno;
    if (fstat(p->fd, &st) != 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -EINVAL;
    if (err != 0) {
        close(p->fd);
        p->fd = -1;
        return err;
    }
    p->inode = st.st_ino;
    p->end = (unsigned long long)st.st_size;
    return 0;
}

static void close_part(struct part *p)
{
    if (p->fd >= 0)
        close(p->fd);
    *p = (struct part){ .fd = -1 };
}

/* What the mark says about one part; true: all before this part is older. */
static bool begin_at(struct part *p, const struct log_mark *mark)
{
    if (p->fd < 0 || p->inode != mark->inode)
        return false;
    if (mark->offset <= p->end) /* else it was emptied since */
        p->start = mark->offset;
    return true;
}

/* From the first line that begins at `at` or after it; what is no text has
 * none within reach. */
static unsigned long long next_line(int fd, unsigned long long at)
{
    char buf[1024];
    ssize_t n = pread(fd, buf, sizeof(buf), (off_t)at - 1);
    const char *end = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;

    return end != NULL ? at + (unsigned long long)(end - buf) : at;
}

/* Leaves at most `most` bytes of a part; returns how many there are. */
static unsigned long long keep_last(struct part *p, unsigned long long most,
                                    bool *cut)
{
    if (p->end - p->start > most) {
        p->start = next_line(p->fd, p->end - most);
        *cut = true;
    }
    return p->end - p->start;
}

int log_tail_open(const char *path, const struct log_mark *mark, size_t most,
                  bool *cut)
{
    char old_path[PATH_MAX];
    struct part now, old;
    unsigned long long bytes;
    int err = open_part(path, &now);

    *cut = false;
    if (err != 0)
        return err;
    snprintf(old_path, sizeof(old_path), "%s.1", path);
    open_part(old_path, &old);
    /* It is the same file if it was full between the two looks. */
    if (begin_at(&now, mark) || now.inode == old.inode)
        close_part(&old);
    begin_at(&old, mark);
    bytes = keep_last(&now, most, cut);
    if (old.fd >= 0 && !*cut && keep_last(&old, most - bytes, cut) > 0) {
        close_part(&now);
        now = old;
    } else {
        close_part(&old);
    }
    if (lseek(now.fd, (off_t)now.start, SEEK_SET) >= 0)
        return now.fd;
    err = -errno;
    close_part(&now);
    return err;
}
