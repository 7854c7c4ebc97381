/*
 * What differs between two versions of the tree.
 *
 * Versions share what is the same in both, so the comparison costs what
 * differs, not what there is: subtrees, containers and pieces of large
 * containers that both can reach are not looked into.
 */
#ifndef XS_DIFF_H
#define XS_DIFF_H

#include "tree/node.h"

/* Paths are absolute, without a NUL. Each returns 0, or an error that ends
 * the comparison. */
struct diff_ops {
    /*
     * A node is gone with its subtree, or was made again and comes later in
     * its parent's list: added() is called for that one.
     */
    int (*gone)(void *ctx, const char *path, size_t len, const struct node *n);
    /*
     * A new node, at the end of its parent's list. Parents come before their
     * children, children in their order.
     */
    int (*added)(void *ctx, const char *path, size_t len, const struct node *n);
    /* A node has another value or other permissions. */
    int (*changed)(void *ctx, const char *path, size_t len,
                   const struct node *n);
};

/*
 * Tells how to get from the version `old` (NULL: nothing at all) to `now`.
 * Both must be held. A list that was stripped meanwhile (perms.h) is not seen.
 */
int tree_diff(struct node *old, struct node *now, const struct diff_ops *ops,
              void *ctx);

#endif
