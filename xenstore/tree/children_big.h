/*
 * The big form of children.h; for children.c only. Functions mean the same as
 * there.
 */
#ifndef XS_CHILDREN_BIG_H
#define XS_CHILDREN_BIG_H

#include "tree/children.h"

/* A new, empty one, with one reference. NULL: no memory. */
struct children *children_big_new(void);
/* A copy that shares every piece. NULL: no memory. */
struct children *children_big_copy(const struct children *k);
struct node *children_big_find(const struct children *k, const struct name *n);
int children_big_own(struct children *k, const struct name *n,
                     struct node ***place);
int children_big_add(struct children *k, struct node *child, uint32_t hash);
int children_big_remove(struct children *k, const struct name *n,
                        struct node **child);
void children_big_free(struct children *k, void (*drop)(struct node *, void *),
                       void *arg);
/* Many slots are empty: the caller should rebuild the container. */
bool children_big_sparse(const struct children *k);
struct node *children_big_next(struct children_iter *it);
void children_big_skip_same(struct children_iter *a, struct children_iter *b);
uint32_t children_big_seek(struct children_iter *it, uint32_t off);

#endif
