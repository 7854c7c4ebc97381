/*
 * blkcheck: does a disk keep what is written to it?
 *
 *     blkcheck [--disk NAME] [--fill] [--wait SECONDS] [--rounds N]
 *
 * A disk that blkcheck has filled before (its header says so) is verified; any
 * other is filled with a pattern, flushed and verified. --fill fills in any
 * case. --wait pauses between the flush and the check ("flushed" tells when),
 * so that one can do harm to the driver domain meanwhile. --rounds fills,
 * flushes and checks that many times. Exit status 0: every sector is right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ringside/blk.h>

#include "pattern.h"

#define CHUNK 2048 /* sectors: 1 MiB */

struct options {
    const char *disk;
    bool fill;
    unsigned int wait, rounds;
};

static struct rs_blk *disk;

/*
 * Any memory, which is copied, and memory of the disk's, which is not. Each
 * generation writes from one and reads into the other, in turns.
 */
static char *buffers[2];

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Says that something failed; returns 1, the exit status. */
static int failed(const char *what, uint64_t sector, int err)
{
    printf("blkcheck: %s at sector %llu: %s\n", what,
           (unsigned long long)sector, strerror(-err));
    return 1;
}

static void report(const char *what, double since)
{
    double s = seconds() - since;

    printf("blkcheck: %s %llu sectors in %.3f s (%.0f MiB/s)\n", what,
           (unsigned long long)rs_blk_sectors(disk), s,
           (double)rs_blk_sectors(disk) / 2048 / s);
}

static uint64_t chunk_at(uint64_t sector)
{
    uint64_t left = rs_blk_sectors(disk) - sector;

    return left < CHUNK ? left : CHUNK;
}

static int write_header(uint64_t generation, bool complete)
{
    struct pattern_header h;
    int err;

    pattern_header_make(&h, rs_blk_sectors(disk), generation, complete);
    err = rs_blk_write(disk, 0, &h, 1);
    if (!err)
        err = rs_blk_flush(disk);
    return err ? failed("writing the header", 0, err) : 0;
}

static int fill(uint64_t generation)
{
    double start = seconds();
    char *buf = buffers[generation % 2];
    uint64_t sector = 1, n;
    int err;

    if (write_header(generation, false))
        return 1;
    for (; sector < rs_blk_sectors(disk); sector += n) {
        n = chunk_at(sector);
        pattern_fill(buf, generation, sector, n);
        err = rs_blk_write(disk, sector, buf, n);
        if (err)
            return failed("writing", sector, err);
    }
    err = rs_blk_flush(disk);
    if (err)
        return failed("flushing", sector, err);
    if (write_header(generation, true))
        return 1;
    report("filled", start);
    return 0;
}

static int verify(uint64_t generation)
{
    double start = seconds();
    char *buf = buffers[!(generation % 2)];
    uint64_t sector = 1, n;

    for (; sector < rs_blk_sectors(disk); sector += n) {
        uint64_t wrong;
        int err;

        n = chunk_at(sector);
        err = rs_blk_read(disk, sector, buf, n);
        if (err)
            return failed("reading", sector, err);
        wrong = pattern_check(buf, generation, sector, n);
        if (wrong != sector + n) {
            printf("blkcheck: sector %llu is not what was written\n",
                   (unsigned long long)wrong);
            return 1;
        }
    }
    report("verified", start);
    return 0;
}

static int round_trip(const struct options *o, uint64_t generation)
{
    if (fill(generation))
        return 1;
    printf("blkcheck: flushed\n");
    sleep(o->wait);
    return verify(generation);
}

static int check(const struct options *o)
{
    struct pattern_header h;
    int err = rs_blk_read(disk, 0, &h, 1), failures = 0;
    uint64_t generation = 0;

    if (err)
        return failed("reading", 0, err);
    if (pattern_header_ok(&h, rs_blk_sectors(disk))) {
        generation = h.generation;
        if (h.complete && !o->fill) {
            printf("blkcheck: %s was filled before (generation %llu)\n",
                   o->disk, (unsigned long long)generation);
            return verify(generation);
        }
    }
    for (unsigned int i = 0; i < o->rounds && !failures; i++)
        failures = round_trip(o, ++generation);
    return failures;
}

static unsigned int number(const char *text)
{
    char *end;
    unsigned long n = text ? strtoul(text, &end, 10) : 0;

    if (!text || *end || n > 86400) {
        printf("blkcheck: a number was expected\n");
        exit(1);
    }
    return (unsigned int)n;
}

static void parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--fill")) {
            o->fill = true;
        } else if (!strcmp(argv[i], "--disk") && i + 1 < argc) {
            o->disk = argv[++i];
        } else if (!strcmp(argv[i], "--wait")) {
            o->wait = number(argv[++i]);
        } else if (!strcmp(argv[i], "--rounds")) {
            o->rounds = number(argv[++i]);
        } else {
            printf("blkcheck: what is '%s'?\n", argv[i]);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    struct options o = { .disk = "xvda", .rounds = 1 };
    int err, failures;

    parse(argc, argv, &o);
    err = rs_blk_open(o.disk, &disk);
    if (err) {
        printf("blkcheck: cannot open %s: %s\n", o.disk, strerror(-err));
        return 1;
    }
    buffers[0] = malloc(CHUNK * PATTERN_SECTOR);
    buffers[1] = rs_blk_buffer_alloc(disk, CHUNK * PATTERN_SECTOR);
    if (!buffers[0] || !buffers[1]) {
        printf("blkcheck: no memory\n");
        return 1;
    }
    failures = check(&o);
    rs_blk_close(disk);
    printf("blkcheck: %s\n", failures ? "FAILED" : "passed");
    return failures;
}
