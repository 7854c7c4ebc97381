/*
 * A tar archive on a disk as a read-only file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <ringside/guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dirent.h>

#include "guest-kernel/fs/tarfs.h"
#include "guest-kernel/vcpu.h"

/* An open directory. */
struct tar_dir {
    struct tarfs *fs;
    const struct tar_member *dir, *last;
};

void tarfs_stat(const struct tar_member *m, struct stat *st)
{
    static const mode_t types[] = {
        [TAR_FILE] = S_IFREG,
        [TAR_DIRECTORY] = S_IFDIR,
        [TAR_SYMLINK] = S_IFLNK,
    };

    memset(st, 0, sizeof(*st));
    st->st_mode = types[m->type] | m->mode;
    st->st_nlink = 1;
    st->st_size = (off_t)m->size;
    st->st_mtime = (time_t)m->mtime;
    st->st_blksize = 4096;
    st->st_blocks = (blkcnt_t)((m->size + 511) / 512);
}

/* ---- directories ---- */

static int tar_dir_fstat(struct file *f, struct stat *st)
{
    tarfs_stat(((struct tar_dir *)f->priv)->dir, st);
    return 0;
}

static ssize_t tar_dir_read(struct file *f, void *buf, size_t n)
{
    (void)f;
    (void)buf;
    (void)n;
    return -EISDIR;
}

static int tar_dir_readdir(struct file *f, char *name, size_t size,
                           unsigned char *type)
{
    static const unsigned char types[] = {
        [TAR_FILE] = DT_REG,
        [TAR_DIRECTORY] = DT_DIR,
        [TAR_SYMLINK] = DT_LNK,
    };
    struct tar_dir *d = f->priv;
    const struct tar_member *m = tar_next(d->fs->tar, d->dir, d->last);
    const char *slash;

    if (!m)
        return 0;
    d->last = m;
    slash = strrchr(m->path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : m->path);
    *type = types[m->type];
    return 1;
}

static int tar_dir_close(struct file *f)
{
    free(f->priv);
    return 0;
}

static const struct file_ops tar_dir_ops = {
    .name = "tarfs directory",
    .read = tar_dir_read,
    .fstat = tar_dir_fstat,
    .readdir = tar_dir_readdir,
    .close = tar_dir_close,
};

/* ---- the file system ---- */

static int tarfs_open(void *arg, const char *path, int flags,
                      const struct file_ops **ops, void **priv)
{
    const struct tar_member *m;
    struct tarfs *fs = arg;
    struct tar_dir *d;
    int err = tar_lookup(fs->tar, path, 1, &m);

    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) ||
        (err == -ENOENT && (flags & O_CREAT)))
        return -EROFS;
    if (err)
        return err;
    if (m->type == TAR_FILE) {
        *ops = &tarfs_file_ops;
        return tarfs_file_open(fs, m, priv);
    }
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->fs = fs;
    d->dir = m;
    *ops = &tar_dir_ops;
    *priv = d;
    return 0;
}

static int tarfs_path_stat(void *arg, const char *path, struct stat *st)
{
    const struct tar_member *m;
    struct tarfs *fs = arg;
    int err = tar_lookup(fs->tar, path, 1, &m);

    if (!err)
        tarfs_stat(m, st);
    return err;
}

static const struct fs_ops tarfs_ops = {
    .name = "tarfs",
    .open = tarfs_open,
    .stat = tarfs_path_stat,
};

static int disk_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
    struct tarfs *fs = ctx;

    return rs_blk_read(fs->disk, offset / RS_BLK_SECTOR, buf,
                       len / RS_BLK_SECTOR);
}

int rs_mount_tar(const char *disk, const char *path)
{
    IN_KERNEL();
    struct tarfs *fs = calloc(1, sizeof(*fs));
    char why[120] = "cannot be opened";
    int err;

    if (!fs)
        return -ENOMEM;
    err = rs_blk_open(disk, &fs->disk);
    if (err)
        goto out;
    err = tar_open(disk_read, fs, rs_blk_sectors(fs->disk) * RS_BLK_SECTOR,
                   &fs->tar, why, sizeof(why));
    if (err)
        goto out;
    snprintf(why, sizeof(why), "cannot be mounted");
    err = fs_mount(path, &tarfs_ops, fs);
    if (!err)
        return 0;
out:
    fprintf(stderr, "%s on %s: %s: %s\n", disk, path, why, strerror(-err));
    tar_close(fs->tar);
    if (fs->disk)
        rs_blk_close(fs->disk);
    free(fs);
    return err;
}
