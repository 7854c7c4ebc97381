/*
 * The index of a tar archive: names to places, found once at mount.
 *
 * Understands ustar with prefixes, GNU long names and links, pax headers
 * (path, linkpath, size, mtime), old V7 archives, base-256 numbers, hard and
 * symbolic links. A later member replaces an earlier one of the same name, as
 * when tar extracts. Directories that no member names are made up.
 *
 * The archive is hostile until proven otherwise: every header's checksum,
 * number, length and name is checked against the size of the archive and
 * against the limits below, and a bad archive gives one clean error. Nothing
 * here knows about devices or files: the caller supplies a read function, so
 * that the same code runs in a guest, in a unit test and under a fuzzer.
 */
#ifndef RINGSIDE_FS_TAR_H
#define RINGSIDE_FS_TAR_H

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK        512
#define TAR_PATH_MAX     1024  /* with the NUL */
#define TAR_MEMBERS_MAX  65536 /* made-up directories included */
#define TAR_EXTENDED_MAX 65536 /* bytes of one pax header or long name */
#define TAR_LINKS_MAX    16    /* symbolic links followed in one look-up */

/*
 * Reads len bytes at offset into buf; both are multiples of TAR_BLOCK and
 * inside the size given to tar_open(). 0 or -errno.
 */
typedef int tar_read_t(void *ctx, uint64_t offset, void *buf, size_t len);

enum tar_type {
    TAR_FILE,
    TAR_DIRECTORY,
    TAR_SYMLINK,
};

struct tar_member {
    char *path;   /* "a/b": no leading, trailing or doubled slash; root: "" */
    char *target; /* of a symbolic link, else NULL */
    uint64_t offset; /* of the data in the archive, for TAR_FILE */
    uint64_t size;
    int64_t mtime;
    uint32_t order; /* place in the archive: later ones win */
    uint16_t mode;  /* the 12 permission bits */
    uint8_t type;   /* enum tar_type */
};

struct tar;

/*
 * Indexes the archive that read() gives, `size` bytes long (the rest of the
 * last block is ignored). On success *out is to be closed by the caller. On
 * failure returns -EINVAL (not a sound archive), -E2BIG (over a limit),
 * -ENOMEM, or what read() returned, and, when why is not NULL, puts one line
 * without a newline into why[n].
 */
int tar_open(tar_read_t *read, void *ctx, uint64_t size, struct tar **out,
             char *why, size_t n);
void tar_close(struct tar *t);

/* How many members there are; the root and made-up directories count. */
size_t tar_count(const struct tar *t);

/*
 * Finds a path (a leading slash, ".", ".." and doubled slashes are
 * understood; ".." of the root is the root). Symbolic links are followed, the
 * last one only if follow is not 0. 0 and *out, owned by the archive; or
 * -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
 */
int tar_lookup(const struct tar *t, const char *path, int follow,
               const struct tar_member **out);

/*
 * The members of a directory in order of name: pass NULL, then what came
 * back, until it is NULL. The part of path after the last slash is the name.
 */
const struct tar_member *tar_next(const struct tar *t,
                                  const struct tar_member *dir,
                                  const struct tar_member *after);

#endif
