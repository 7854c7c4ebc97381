/*
 * blkcheck-host IMAGE: the host's opinion about a disk that blkcheck filled.
 *
 * Reads the image file, not through any driver, and compares every sector with
 * the pattern. Exit status 0: all agree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

#define CHUNK 2048 /* sectors */

static int check_file(FILE *f, const char *name)
{
    static char buf[CHUNK * PATTERN_SECTOR];
    struct pattern_header h;
    uint64_t sector, n;
    long size;

    if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
        size = 0;
    if (fread(&h, sizeof(h), 1, f) != 1 ||
        !pattern_header_ok(&h, (uint64_t)size / PATTERN_SECTOR)) {
        printf("blkcheck-host: %s: no header of blkcheck\n", name);
        return 1;
    }
    if (!h.complete) {
        printf("blkcheck-host: %s: filling was not completed\n", name);
        return 1;
    }
    for (sector = 1; sector < h.sectors; sector += n) {
        uint64_t wrong;

        n = h.sectors - sector < CHUNK ? h.sectors - sector : CHUNK;
        if (fread(buf, PATTERN_SECTOR, n, f) != n)
            memset(buf, 0, sizeof(buf));
        wrong = pattern_check(buf, h.generation, sector, n);
        if (wrong != sector + n) {
            printf("blkcheck-host: %s: sector %llu is wrong\n", name,
                   (unsigned long long)wrong);
            return 1;
        }
    }
    printf("blkcheck-host: all %llu sectors agree (generation %llu)\n",
           (unsigned long long)h.sectors, (unsigned long long)h.generation);
    return 0;
}

int main(int argc, char **argv)
{
    FILE *f;
    int failures;

    if (argc != 2) {
        fprintf(stderr, "usage: blkcheck-host IMAGE\n");
        return 1;
    }
    f = fopen(argv[1], "rb");
    if (!f) {
        fprintf(stderr, "blkcheck-host: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    failures = check_file(f, argv[1]);
    fclose(f);
    return failures;
}
