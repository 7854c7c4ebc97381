/*
 * A walk over the headers of a tar archive, shared by tar_scan.c (members) and
 * tar_extended.c (what headers say about the member after them).
 */
#ifndef RINGSIDE_FS_TAR_SCAN_H
#define RINGSIDE_FS_TAR_SCAN_H

#include "tar_index.h"

/* What extended headers say about the next member. */
struct tar_override {
    char *path, *link;
    uint64_t size;
    int64_t mtime;
    bool has_size, has_mtime;
};

#define SCAN_BLOCKS 32

struct tar_scan {
    tar_read_t *read;
    void *ctx;
    struct tar *tar;
    uint64_t size, at;  /* of the archive; of the next header */
    uint64_t buffer_at; /* what buffer holds: */
    size_t buffer_len;
    struct tar_override next;
    char *why;
    size_t why_len;
    char buffer[SCAN_BLOCKS * TAR_BLOCK];
};

/* Says what is wrong, and where; returns err. */
int tar_scan_fail_(struct tar_scan *s, int err, const char *what);

/* The block at offset `at`, valid until the next call; NULL with *err. */
const char *tar_scan_block_(struct tar_scan *s, uint64_t at, int *err);

/* Takes in an extended header: 'x', 'g', 'L' or 'K', size bytes long. */
int tar_scan_extended_(struct tar_scan *s, char type, uint64_t size);

#endif
