/*
 * Hashes of names, seeded per process.
 *
 * One step per byte, so that the path parser can hash a component while it
 * checks it. The seed is random: a guest cannot prepare colliding names.
 */
#ifndef XS_HASH_H
#define XS_HASH_H

#include <stddef.h>
#include <stdint.h>

extern uint64_t hash_seed;

/* Draws the seed; called once by main() or a test before anything is hashed. */
void hash_init(void);

static inline uint64_t hash_step(uint64_t h, unsigned char c)
{
    return (h ^ c) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint32_t hash_end(uint64_t h)
{
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

static inline uint32_t hash_bytes(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t h = hash_seed;

    for (size_t i = 0; i < len; i++)
        h = hash_step(h, p[i]);
    return hash_end(h);
}

/* Combines two hashes, in this order. */
static inline uint32_t hash_mix(uint32_t a, uint32_t b)
{
    return hash_end(((uint64_t)a << 32 | b) ^ hash_seed);
}

#endif
