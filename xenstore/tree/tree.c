/* Versions of the tree; see tree.h. */
#include "tree/tree.h"

#include <assert.h>
#include <errno.h>

static uint64_t generation;

uint64_t tree_generation(void)
{
    return ++generation;
}

uint64_t tree_last_generation(void)
{
    return generation;
}

void tree_continue(uint64_t last)
{
    generation = last;
}

struct node *tree_new(struct perms *perms)
{
    struct name none = { "", 0, 0 };
    struct node *root = node_new(&none, NULL, 0, perms);

    if (root)
        root->gen = tree_generation();
    return root;
}

struct node *tree_nearest(struct node *root, const struct path *p,
                          unsigned int *depth)
{
    struct node *n = root;

    for (*depth = 0; *depth < p->depth; ++*depth) {
        struct name name = path_name(p, *depth);
        struct node *child = children_find(n->children, &name);

        if (!child)
            break;
        n = child;
    }
    return n;
}

struct node *tree_find(struct node *root, const struct path *p,
                       unsigned int depth)
{
    struct node *n = root;

    for (unsigned int i = 0; n && i < depth; i++) {
        struct name name = path_name(p, i);

        n = children_find(n->children, &name);
    }
    return n;
}

static int node_own(struct node **place)
{
    struct node *copy;

    if ((*place)->refs == 1)
        return 0;
    copy = node_copy(*place);
    if (!copy)
        return -ENOMEM;
    (*place)->refs--;
    *place = copy;
    return 0;
}

/* The place of an existing node that this tree alone can reach. */
static int tree_own(struct node **root, const struct path *p,
                    unsigned int depth, struct node ***place)
{
    int err;

    *place = root;
    err = node_own(root);
    for (unsigned int i = 0; !err && i < depth; i++) {
        struct name name = path_name(p, i);

        err = children_own(&(**place)->children, &name, place);
        if (!err)
            err = node_own(*place);
    }
    assert(err || (**place)->refs == 1);
    return err;
}

int tree_write(struct node **root, const struct path *p, const void *value,
               size_t len)
{
    struct node **place;
    int err = tree_own(root, p, p->depth, &place);

    if (!err)
        err = node_set_value(place, value, len);
    if (!err)
        (*place)->gen = tree_generation();
    return err;
}

int tree_set_perms(struct node **root, const struct path *p,
                   struct perms *perms)
{
    struct node **place;
    int err = tree_own(root, p, p->depth, &place);

    if (err)
        return err;
    perms_ref(perms);
    perms_unref((*place)->perms);
    (*place)->perms = perms;
    (*place)->gen = tree_generation();
    return 0;
}

int tree_add(struct node **root, const struct path *p, unsigned int depth,
             const void *value, size_t len, struct perms *perms)
{
    struct name name = path_name(p, depth - 1);
    struct node **parent, *n;
    int err = tree_own(root, p, depth - 1, &parent);

    if (err)
        return err;
    n = node_new(&name, value, len, perms);
    if (!n)
        return -ENOMEM;
    err = children_add(&(*parent)->children, n, name.hash);
    if (err) {
        node_unref(n);
        return err;
    }
    n->gen = tree_generation();
    (*parent)->gen = n->gen;
    return 0;
}

/* A new node over `child`, which may be NULL and goes with it on failure. */
static struct node *node_over(const struct path *p, unsigned int depth,
                              const void *value, size_t len,
                              struct perms *perms, struct node *child)
{
    struct name name = path_name(p, depth - 1);
    struct node *n = node_new(&name, value, len, perms);

    if (n &&
        (!child || !children_add(&n->children, child, p->comp[depth].hash))) {
        n->gen = tree_generation();
        return n;
    }
    node_unref(n);
    node_unref(child);
    return NULL;
}

int tree_add_path(struct node **root, const struct path *p, unsigned int first,
                  const void *value, size_t len, struct perms *perms)
{
    struct node **parent, *n;
    int err = tree_own(root, p, first - 1, &parent);

    if (err)
        return err;
    n = node_over(p, p->depth, value, len, perms, NULL);
    for (unsigned int i = p->depth - 1u; n && i >= first; i--)
        n = node_over(p, i, NULL, 0, perms, n);
    if (!n)
        return -ENOMEM;
    err = children_add(&(*parent)->children, n, p->comp[first - 1].hash);
    if (err)
        node_unref(n);
    else
        (*parent)->gen = tree_generation();
    return err;
}

int tree_remove(struct node **root, const struct path *p, struct node **removed)
{
    struct name name = path_name(p, p->depth - 1u);
    struct node **parent;
    int err = tree_own(root, p, p->depth - 1u, &parent);

    if (!err)
        err = children_remove(&(*parent)->children, &name, removed);
    if (!err)
        (*parent)->gen = tree_generation();
    return err;
}

void tree_walk_begin(struct tree_walk *w, struct node *start)
{
    w->depth = -1;
    w->skip = 0;
    w->node[0] = start;
}

static struct node *walk_enter(struct tree_walk *w, struct node *n)
{
    assert(w->depth < PATH_DEPTH_MAX);
    w->depth++;
    w->node[w->depth] = n;
    children_iterate(&w->it[w->depth], n->children);
    return n;
}

struct node *tree_walk_next(struct tree_walk *w)
{
    struct node *n;

    if (w->depth < 0)
        return walk_enter(w, w->node[0]);
    if (w->skip) {
        w->skip = 0;
        w->depth--;
    }
    for (; w->depth >= 0; w->depth--) {
        n = children_next(&w->it[w->depth]);
        if (n)
            return walk_enter(w, n);
    }
    return NULL;
}

void tree_walk_skip(struct tree_walk *w)
{
    w->skip = 1;
}

size_t tree_walk_path_len(const struct tree_walk *w)
{
    size_t len = 0;

    for (int i = 1; i <= w->depth; i++)
        len += w->node[i]->name_len + 1u;
    return len;
}

void tree_walk_path(const struct tree_walk *w, char *out)
{
    for (int i = 1; i <= w->depth; i++) {
        *out++ = '/';
        memcpy(out, node_name(w->node[i]), w->node[i]->name_len);
        out += w->node[i]->name_len;
    }
}
