/*
 * The tree: versions of it, of which each is a pointer to a root.
 *
 * Taking a version is node_ref(root); it never changes afterwards, because
 * every function that changes a tree first copies what other versions can
 * reach, from the root down to the node in question ("owning" it). A tree
 * that nobody else holds is changed in place.
 *
 * The functions know nothing of permissions, quotas or watches. They take a
 * parsed path and the number of its components that are meant. On -ENOMEM
 * the tree has not changed (pieces may have been copied, which nobody sees).
 */
#ifndef XS_TREE_H
#define XS_TREE_H

#include "tree/node.h"
#include "tree/path.h"

/* A new tree: a root with no value and these permissions. NULL: no memory. */
struct node *tree_new(struct perms *perms);

/* A new number for a change; unique while the daemon runs. */
uint64_t tree_generation(void);
/*
 * The last such number; after a live update the new program continues from it.
 */
uint64_t tree_last_generation(void);
void tree_continue(uint64_t last);

static inline struct name path_name(const struct path *p, unsigned int i)
{
    return (struct name){ p->str + p->comp[i].off, p->comp[i].len,
                          p->comp[i].hash };
}

/* The node of the first `depth` components, or NULL. */
struct node *tree_find(struct node *root, const struct path *p,
                       unsigned int depth);

/* The deepest existing node on the path; *depth says how deep it is. */
struct node *tree_nearest(struct node *root, const struct path *p,
                          unsigned int *depth);

/* The value of an existing node. 0, -ENOENT, -ENOMEM. */
int tree_write(struct node **root, const struct path *p, const void *value,
               size_t len);
int tree_set_perms(struct node **root, const struct path *p,
                   struct perms *perms);

/* Adds component `depth` - 1 under its existing parent, as the last child. */
int tree_add(struct node **root, const struct path *p, unsigned int depth,
             const void *value, size_t len, struct perms *perms);

/*
 * Adds components `first` - 1 and all that follow, each under the one before;
 * only the last has a value. All of them, or none.
 */
int tree_add_path(struct node **root, const struct path *p, unsigned int first,
                  const void *value, size_t len, struct perms *perms);

/* Cuts a node off with its subtree, whose reference goes to the caller. */
int tree_remove(struct node **root, const struct path *p,
                struct node **removed);

/*
 * A walk through a subtree, parents before children, in order of insertion,
 * without recursion. The tree must not change meanwhile (hold a version).
 */
struct tree_walk {
    int depth; /* of the current node under the start; -1 before it */
    int skip;
    struct node *node[PATH_DEPTH_MAX + 1];
    struct children_iter it[PATH_DEPTH_MAX + 1];
};

void tree_walk_begin(struct tree_walk *w, struct node *start);
/* The next node, or NULL at the end. */
struct node *tree_walk_next(struct tree_walk *w);
/* Leaves the current node's subtree out. */
void tree_walk_skip(struct tree_walk *w);
/* Length of the path from the start (not included) to the current node. */
size_t tree_walk_path_len(const struct tree_walk *w);
/* Writes that path ("/a/b", no NUL). */
void tree_walk_path(const struct tree_walk *w, char *out);

#endif
