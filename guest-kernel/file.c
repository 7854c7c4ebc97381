/*
 * The table of descriptors. See file.h.
 */
#include "guest-kernel/file.h"

#include <errno.h>
#include <stdlib.h>

static struct file *files[FILE_MAX];

static int lowest_free(void)
{
    int fd = 0;

    while (fd < FILE_MAX && files[fd])
        fd++;
    return fd < FILE_MAX ? fd : -EMFILE;
}

int file_open(const struct file_ops *ops, void *priv, int flags)
{
    int fd = lowest_free();
    struct file *f;

    if (fd < 0)
        return fd;
    f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->ops = ops;
    f->priv = priv;
    f->flags = flags;
    f->refs = 1;
    f->descriptors = 1;
    files[fd] = f;
    return fd;
}

struct file *file_get(int fd, const struct file_ops *ops)
{
    struct file *f;

    if (fd < 0 || fd >= FILE_MAX || !files[fd])
        return NULL;
    f = files[fd];
    if (ops && f->ops != ops)
        return NULL;
    f->refs++;
    return f;
}

int file_dup(int fd)
{
    struct file *f = file_get(fd, NULL);
    int copy = lowest_free();

    if (!f)
        return -EBADF;
    if (copy < 0) {
        file_put(f);
        return copy;
    }
    files[copy] = f;
    f->descriptors++;
    return copy;
}

void file_put(struct file *f)
{
    if (--f->refs)
        return;
    if (f->ops->close)
        f->ops->close(f);
    free(f);
}

int file_close(int fd)
{
    struct file *f;

    if (fd < 0 || fd >= FILE_MAX || !files[fd])
        return -EBADF;
    f = files[fd];
    files[fd] = NULL;
    if (!--f->descriptors && f->refs > 1 && f->ops->hangup)
        f->ops->hangup(f);
    file_put(f);
    return 0;
}
