/*
 * Open files of a mounted tar archive, between tarfs.c (names) and
 * tarfs_file.c (bytes).
 */
#ifndef RINGSIDE_FS_TARFS_H
#define RINGSIDE_FS_TARFS_H

#include <ringside/blk.h>
#include <sys/stat.h>

#include "guest-kernel/file.h"
#include "guest-kernel/fs/tar.h"

struct tarfs {
    struct tar *tar;
    struct rs_blk *disk;
};

void tarfs_stat(const struct tar_member *m, struct stat *st);

/* Opens a member that is a file: sets *priv. 0 or -ENOMEM. */
int tarfs_file_open(struct tarfs *fs, const struct tar_member *m, void **priv);
extern const struct file_ops tarfs_file_ops;

#endif
