/*
 * The children of a node: a map from names to nodes that keeps the order of
 * insertion, is shared between versions of the tree, and is copied piece by
 * piece when a shared one is changed.
 *
 * Two forms hide behind one handle. A few children lie in one flat array with
 * a byte of hash each. More than CHILDREN_FLAT_MAX go into children_big.c: a
 * radix vector of slots in insertion order, and a hash trie from names to
 * slots; lookup, insertion, removal and seeking to a byte of the listing cost
 * the same for a hundred thousand children as for a hundred, and a change to a
 * shared one copies only the pieces on its way.
 *
 * Functions that change take `struct children **`: the handle may move. NULL is
 * the empty container. Only a container whose node belongs to the caller alone
 * may be changed (tree.c sees to that); sharing inside the container is the
 * container's own business.
 */
#ifndef XS_CHILDREN_H
#define XS_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

struct node;
struct vec;
struct name_hash;

#define CHILDREN_FLAT_MAX 24
#define CHILDREN_FLAT_MIN                               \
    12 /* a big container with fewer becomes flat again \
        */

struct name {
    const char *s;
    uint32_t len, hash; /* hash_bytes() of the name */
};

struct children {
    uint32_t refs;
    uint32_t count;
    uint32_t bytes; /* of the listing: names with their NULs */
    uint32_t cap;   /* of a flat container; 0: it is a big one */
};

struct children_iter {
    const struct children *children;
    const struct vec *leaf; /* big form: the leaf that holds `at` */
    uint32_t at;
};

struct node *children_find(const struct children *k, const struct name *n);

/*
 * The place of a child in a container that is now the caller's own, so that
 * the child may be replaced. 0, -ENOENT, -ENOMEM.
 */
int children_own(struct children **k, const struct name *n,
                 struct node ***place);

/* Adds a child at the end and takes over the caller's reference. -ENOMEM. */
int children_add(struct children **k, struct node *child, uint32_t hash);

/* Removes a child and hands its reference over. 0, -ENOENT, -ENOMEM. */
int children_remove(struct children **k, const struct name *n,
                    struct node **child);

struct children *children_ref(struct children *k);
/* Drops a reference; children whose last reference went are left to `drop`. */
void children_unref(struct children *k, void (*drop)(struct node *, void *),
                    void *arg);

static inline uint32_t children_count(const struct children *k)
{
    return k ? k->count : 0;
}

static inline uint32_t children_bytes(const struct children *k)
{
    return k ? k->bytes : 0;
}

/* In order of insertion; the container may not change meanwhile. */
void children_iterate(struct children_iter *it, const struct children *k);
struct node *children_next(struct children_iter *it);

/*
 * Moves two iterators past children that their containers share, as far as
 * that can be told without looking at each; both must be at a child that is
 * not yet taken. What is left to compare is what may differ.
 */
void children_skip_same(struct children_iter *a, struct children_iter *b);

/*
 * Positions the iterator at the child whose name covers byte `off` of the
 * listing (off < children_bytes()) and returns how far into the name that is.
 */
uint32_t children_seek(struct children_iter *it, const struct children *k,
                       uint32_t off);

#endif
