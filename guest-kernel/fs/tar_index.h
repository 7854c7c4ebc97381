/*
 * What the parts of the tar index share: tar_scan.c fills it, tar.c
 * looks things up in it. Not for others; the interface is tar.h.
 */
#ifndef RINGSIDE_FS_TAR_INDEX_H
#define RINGSIDE_FS_TAR_INDEX_H

#include <stdbool.h>

#include "tar.h"

struct tar_header {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32];
    char major[8], minor[8];
    char prefix[155];
    char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "tar header");

/* While scanning, beside enum tar_type: becomes TAR_FILE in the end. */
#define TAR_HARDLINK 3

struct tar {
    struct tar_member *members; /* sorted by tar_path_compare_(); [0]: root */
    size_t count, room;
};

int tar_path_compare_(const char *a, const char *b);

/* The member of exactly this canonical path, or NULL. Needs sorted members. */
struct tar_member *tar_find_(const struct tar *t, const char *path);

/* A field of a header: octal, or base-256. 0 or -EINVAL. */
int tar_number_(const char *p, size_t n, uint64_t *out);

bool tar_checksum_ok_(const struct tar_header *h);

/* Makes "./a//b/" "a/b" in place; false if a component is "..". */
bool tar_path_clean_(char *path);

#endif
