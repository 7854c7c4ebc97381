/*
 * The big form of kids.h; for kids.c only. Functions mean the same as there.
 */
#ifndef XS_KIDS_BIG_H
#define XS_KIDS_BIG_H

#include "tree/kids.h"

/* A new, empty one, with one reference. NULL: no memory. */
struct kids *kids_big_new(void);
/* A copy that shares every piece. NULL: no memory. */
struct kids *kids_big_copy(const struct kids *k);
struct node *kids_big_find(const struct kids *k, const struct name *n);
int kids_big_own(struct kids *k, const struct name *n, struct node ***place);
int kids_big_add(struct kids *k, struct node *child, uint32_t hash);
int kids_big_take(struct kids *k, const struct name *n, struct node **child);
void kids_big_free(struct kids *k, void (*drop)(struct node *, void *),
                   void *arg);
/* Many slots are empty: the caller should rebuild the container. */
bool kids_big_sparse(const struct kids *k);
struct node *kids_big_next(struct kids_iter *it);
void kids_big_skip_same(struct kids_iter *a, struct kids_iter *b);
uint32_t kids_big_seek(struct kids_iter *it, uint32_t off);

#endif
