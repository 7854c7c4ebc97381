/*
 * The table of descriptors. See file.h.
 */
#include "guest-kernel/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

static struct file *first_files[FIRST_SIZE];
static struct file **files = first_files;
static int size = FIRST_SIZE;
static int none_below; /* all descriptors below are open */

/* Twice as many. Asking for memory can let other threads run. */
static int grow(void)
{
    struct file **more, **old;
    int was = size;

    if (size >= FILE_MAX)
        return -EMFILE;
    more = calloc((size_t)was * 2, sizeof(*more));
    if (!more)
        return -EMFILE;
    if (size != was) {
        free(more);
        return 0;
    }
    memcpy(more, files, (size_t)size * sizeof(*more));
    old = files;
    files = more;
    size *= 2;
    if (old != first_files)
        free(old);
    return 0;
}

/* To be used before memory is asked for. */
static int lowest_free(void)
{
    for (;;) {
        while (none_below < size && files[none_below])
            none_below++;
        if (none_below < size)
            return none_below;
        if (grow())
            return -EMFILE;
    }
}

int file_open(const struct file_ops *ops, void *priv, int flags)
{
    struct file *f = calloc(1, sizeof(*f));
    int fd;

    if (!f)
        return -ENOMEM;
    fd = lowest_free();
    if (fd < 0) {
        free(f);
        return fd;
    }
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

    if (fd < 0 || fd >= size || !files[fd])
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

    if (fd < 0 || fd >= size || !files[fd])
        return -EBADF;
    f = files[fd];
    files[fd] = NULL;
    if (fd < none_below)
        none_below = fd;
    if (!--f->descriptors && f->refs > 1 && f->ops->hangup)
        f->ops->hangup(f);
    file_put(f);
    return 0;
}
