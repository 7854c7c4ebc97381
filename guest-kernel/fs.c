/*
 * Mount points: which file system a path belongs to. See file.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/file.h"

#define MOUNTS_MAX 8

static struct mount {
    char *prefix; /* without trailing '/': "" for the root; NULL: unused */
    const struct fs_ops *ops;
    void *fs;
} mounts[MOUNTS_MAX];

static size_t trimmed(const char *prefix)
{
    size_t n = strlen(prefix);

    while (n && prefix[n - 1] == '/')
        n--;
    return n;
}

static struct mount *exact(const char *prefix)
{
    size_t n = trimmed(prefix);

    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->prefix && strlen(m->prefix) == n &&
            strncmp(m->prefix, prefix, n) == 0)
            return m;
    return NULL;
}

int fs_mount(const char *prefix, const struct fs_ops *ops, void *fs)
{
    struct mount *m = mounts;

    if (exact(prefix))
        return -EBUSY;
    while (m < mounts + MOUNTS_MAX && m->prefix)
        m++;
    if (m == mounts + MOUNTS_MAX)
        return -ENOSPC;
    m->prefix = strndup(prefix, trimmed(prefix));
    if (!m->prefix)
        return -ENOMEM;
    m->ops = ops;
    m->fs = fs;
    return 0;
}

int fs_unmount(const char *prefix)
{
    struct mount *m = exact(prefix);

    if (!m)
        return -EINVAL;
    free(m->prefix);
    m->prefix = NULL;
    return 0;
}

/* The mount with the longest prefix of path; *rest: the path after it. */
static struct mount *resolve(const char *path, const char **rest)
{
    struct mount *best = NULL;
    size_t longest = 0;

    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++) {
        size_t n = m->prefix ? strlen(m->prefix) : 0;

        if (!m->prefix || strncmp(path, m->prefix, n) != 0 ||
            (n && path[n] && path[n] != '/') || (best && n < longest))
            continue;
        best = m;
        longest = n;
    }
    *rest = path + longest;
    while (**rest == '/')
        (*rest)++;
    return best;
}

int fs_open(const char *path, int flags)
{
    const struct file_ops *ops;
    const char *rest;
    const struct mount *m = resolve(path, &rest);
    void *priv;
    int err, fd;

    if (!m)
        return -ENOENT;
    err = m->ops->open(m->fs, rest, flags, &ops, &priv);
    if (err)
        return err;
    fd = file_open(ops, priv, flags);
    if (fd < 0 && ops->close)
        ops->close(&(struct file){ .ops = ops, .priv = priv });
    return fd;
}

int fs_stat(const char *path, struct stat *st)
{
    const char *rest;
    const struct mount *m = resolve(path, &rest);

    if (!m)
        return -ENOENT;
    return m->ops->stat ? m->ops->stat(m->fs, rest, st) : -ENOSYS;
}
