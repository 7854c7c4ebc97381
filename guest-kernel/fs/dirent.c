/*
 * Directories for programs: <dirent.h> on the file table.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest-kernel/file.h"
#include "guest-kernel/vcpu.h"

DIR *fdopendir(int fd)
{
    struct file *f = file_get(fd, NULL);
    int err = !f ? EBADF : !f->ops->readdir ? ENOTDIR : 0;
    DIR *d = NULL;

    if (f)
        file_put(f);
    if (!err && !(d = calloc(1, sizeof(*d))))
        err = ENOMEM;
    if (err)
        errno = err;
    else
        d->fd = fd;
    return d;
}

DIR *opendir(const char *path)
{
    IN_KERNEL();
    int fd = open(path, O_RDONLY);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int err = errno;

    if (!d && fd >= 0) {
        close(fd);
        errno = err;
    }
    return d;
}

struct dirent *readdir(DIR *d)
{
    IN_KERNEL();
    struct file *f = file_get(d->fd, NULL);
    int got;

    if (!f) {
        errno = EBADF;
        return NULL;
    }
    got = f->ops->readdir(f, d->entry.d_name, sizeof(d->entry.d_name),
                          &d->entry.d_type);
    file_put(f);
    if (got < 0)
        errno = -got;
    return got > 0 ? &d->entry : NULL;
}

int closedir(DIR *d)
{
    IN_KERNEL();
    int fd = d->fd;

    free(d);
    return close(fd);
}

int dirfd(DIR *d)
{
    return d->fd;
}
