/*
 * A hash table of a fixed size: lists, of which a number chooses one. Finding
 * one of a few thousand costs a few steps, and nothing has to grow.
 */
#ifndef RINGSIDE_BUCKETS_H
#define RINGSIDE_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "list.h"

#define BUCKETS 2048u

struct buckets {
    struct list list[BUCKETS];
};

static inline void buckets_init(struct buckets *b)
{
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&b->list[i]);
}

/* The list where those with this key are, among others. */
static inline struct list *bucket(struct buckets *b, uint32_t key)
{
    return &b->list[key % BUCKETS];
}

#endif
