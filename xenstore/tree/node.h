/*
 * A node: name, value, permissions, children. The name and the value follow
 * the structure in one allocation.
 *
 * Nodes are counted references. A node that more than one version of the tree
 * can reach is never changed; tree.c copies it first.
 */
#ifndef XS_NODE_H
#define XS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tree/children.h"
#include "tree/perms.h"

struct node {
    uint32_t refs;
    uint16_t name_len, value_len;
    union {
        uint64_t gen;           /* of the last change; unique in the store */
        struct node *next_dead; /* in a list of dead nodes */
    };
    struct perms *perms;
    struct children *children;
    char data[]; /* name, NUL, value */
};
_Static_assert(sizeof(struct node) == 32, "a node's head is half a cache line");

#define NODE_PLACE 256 /* what a node's place among its siblings may cost */

struct node_stats {
    uint64_t nodes; /* in all versions of the tree */
    uint64_t bytes; /* of nodes, without their containers */
};
extern struct node_stats node_stats;

static inline const char *node_name(const struct node *n)
{
    return n->data;
}

static inline const char *node_value(const struct node *n)
{
    return n->data + n->name_len + 1;
}

static inline int node_name_is(const struct node *n, const struct name *name)
{
    return n->name_len == name->len && !memcmp(n->data, name->s, name->len);
}

/* The bytes that a node's owner pays for. */
static inline int64_t node_cost(const struct node *n)
{
    return (int64_t)(sizeof(*n) + n->name_len + 1u + n->value_len);
}

/* A new node with one reference, generation 0 and no children; or NULL. */
struct node *node_new(const struct name *name, const void *value, size_t len,
                      struct perms *perms);
/* A copy with one reference that shares permissions and children; or NULL. */
struct node *node_copy(const struct node *n);
/* Replaces the value of a node that has one reference; it may move. */
int node_set_value(struct node **n, const void *value, size_t len);

/* Value and permissions are equal. */
bool node_same(const struct node *a, const struct node *b);

struct node *node_ref(struct node *n);
/* Never recurses, however deep the node's subtree is. NULL is allowed. */
void node_unref(struct node *n);

/*
 * The same for a node with many nodes below it: node_reap() frees them later,
 * so that no client waits for it. NULL is allowed.
 */
void node_unref_later(struct node *n);
/* Frees up to `max` of them. Returns whether there are more. */
bool node_reap(unsigned int max);

#endif
