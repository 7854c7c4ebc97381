/*
 * What blkcheck writes to a disk: the one thing that the guest and the host's
 * checker must agree about.
 *
 * Sector 0 is a header. Every other sector holds 64 words, each a function of
 * its place on the disk and of the generation (how often the disk was filled),
 * so that a sector that is missing, old, or somewhere else is noticed.
 */
#ifndef BLKCHECK_PATTERN_H
#define BLKCHECK_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_SECTOR 512
#define PATTERN_WORDS  (PATTERN_SECTOR / 8)
#define PATTERN_MAGIC  "Ringside blkcheck 1"

struct pattern_header {
    char magic[24];
    uint64_t sectors;    /* of the disk, header included */
    uint64_t generation; /* from 1 */
    uint64_t complete;   /* 1: every sector was written and flushed */
    char pad[PATTERN_SECTOR - 48];
};
_Static_assert(sizeof(struct pattern_header) == PATTERN_SECTOR, "one sector");

static inline uint64_t pattern_word(uint64_t generation, uint64_t place)
{
    uint64_t x = place + (generation << 48) + 0x9e3779b97f4a7c15ull;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* Fills `count` sectors, of which the first is number `sector`. */
static inline void pattern_fill(void *buf, uint64_t generation, uint64_t sector,
                                uint64_t count)
{
    uint64_t *word = buf, place = sector * PATTERN_WORDS;

    for (uint64_t i = 0; i < count * PATTERN_WORDS; i++)
        word[i] = pattern_word(generation, place + i);
}

/* The first sector that is wrong, or sector + count. */
static inline uint64_t pattern_check(const void *buf, uint64_t generation,
                                     uint64_t sector, uint64_t count)
{
    const uint64_t *word = buf;
    uint64_t place = sector * PATTERN_WORDS;

    for (uint64_t i = 0; i < count * PATTERN_WORDS; i++) {
        if (word[i] != pattern_word(generation, place + i))
            return sector + i / PATTERN_WORDS;
    }
    return sector + count;
}

static inline bool pattern_header_ok(const struct pattern_header *h,
                                     uint64_t sectors)
{
    return !memcmp(h->magic, PATTERN_MAGIC, sizeof(PATTERN_MAGIC)) &&
           h->sectors == sectors && h->generation != 0;
}

static inline void pattern_header_make(struct pattern_header *h,
                                       uint64_t sectors, uint64_t generation,
                                       bool complete)
{
    memset(h, 0, sizeof(*h));
    memcpy(h->magic, PATTERN_MAGIC, sizeof(PATTERN_MAGIC));
    h->sectors = sectors;
    h->generation = generation;
    h->complete = complete;
}

#endif
