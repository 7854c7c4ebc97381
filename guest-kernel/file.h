/*
 * File descriptors of the C library, and what they refer to.
 *
 * A descriptor refers to a struct file, whose ops are supplied by the console,
 * a file system or the network. Ops return a count or -errno; the libc glue
 * (libc.c) makes errno of it. An op that is NULL answers -ENOSYS (read, write:
 * -EBADF; lseek: -ESPIPE). Files are reference counted: close() of the last
 * descriptor calls ops->close, after which the struct file is freed; a thread
 * inside an op holds a reference.
 */
#ifndef RINGSIDE_GUEST_FILE_H
#define RINGSIDE_GUEST_FILE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct file;

struct file_ops {
    const char *name; /* for fstat and reports: "console", "tarfs", "socket" */
    ssize_t (*read)(struct file *f, void *buf, size_t n);
    ssize_t (*write)(struct file *f, const void *buf, size_t n);
    off_t (*lseek)(struct file *f, off_t offset, int whence);
    int (*fstat)(struct file *f, struct stat *st);
    int (*fcntl)(struct file *f, int cmd, long arg);
    /* One directory entry per call: 1, 0 at the end, or -errno. */
    int (*readdir)(struct file *f, char *name, size_t size,
                   unsigned char *type);
    /* Its last descriptor was closed while threads are inside ops: wake them.
     * May be NULL. */
    void (*hangup)(struct file *f);
    int (*close)(struct file *f);
    bool is_tty;
};

struct file {
    const struct file_ops *ops;
    void *priv; /* the owner's */
    off_t pos;  /* the owner's */
    int flags;  /* O_... as opened, changed by fcntl(F_SETFL) */
    unsigned int refs, descriptors;
};

#define FILE_MAX 16384 /* descriptors; memory ends before, mostly */

/* A new descriptor (the lowest free) for a new file. -EMFILE, -ENOMEM. */
int file_open(const struct file_ops *ops, void *priv, int flags);

/*
 * The file of a descriptor with a reference taken, or NULL; give it back with
 * file_put(). `ops` not NULL: only if the file has these ops (a socket call on
 * something else gets NULL).
 */
struct file *file_get(int fd, const struct file_ops *ops);
void file_put(struct file *f);
/* Another descriptor for the same file. -EBADF, -EMFILE. */
int file_dup(int fd);
int file_close(int fd);

/* ---- file systems: one per mount point ---- */

struct fs_ops {
    const char *name;
    /* path is relative to the mount point, without leading '/'. Sets *ops and
     * *priv of the new file. 0 or -errno. */
    int (*open)(void *fs, const char *path, int flags,
                const struct file_ops **ops, void **priv);
    int (*stat)(void *fs, const char *path, struct stat *st);
};

/*
 * Files whose path begins with `prefix` ("/", "/srv") are ops'; the longest
 * prefix wins. The prefix is copied. -ENOSPC: more than 8 mounts; -EBUSY:
 * mounted already.
 */
int fs_mount(const char *prefix, const struct fs_ops *ops, void *fs);
int fs_unmount(const char *prefix);

/* By libc.c: 0 and a descriptor, or -errno. */
int fs_open(const char *path, int flags);
int fs_stat(const char *path, struct stat *st);

#endif
