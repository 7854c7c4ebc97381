/*
 * What differs between two versions of the tree; see diff.h.
 *
 * Children that stay keep their order, and new ones come after them. So two
 * lists are compared like this: while the next children have the same name
 * they are a pair; otherwise the old one is gone from its place. What is left
 * of the new list in the end was added.
 */
#include "tree/diff.h"

#include <assert.h>

#include "tree/path.h"

/* A pair of nodes whose children are being compared. */
struct level {
    struct children_iter old, now;
    struct node *o, *n; /* the next ones */
    size_t len;         /* of the path to the pair */
};

struct diff {
    const struct diff_ops *ops;
    void *ctx;
    int depth; /* of the current level; -1: none */
    char path[PATH_STR_MAX + 1];
    struct level level[PATH_DEPTH_MAX + 1];
};

static void level_pair(struct level *l)
{
    children_skip_same(&l->old, &l->now);
    l->o = children_next(&l->old);
    l->n = children_next(&l->now);
}

static void diff_enter(struct diff *d, const struct children *old,
                       const struct children *now, size_t len)
{
    struct level *l = &d->level[++d->depth];

    assert(d->depth <= PATH_DEPTH_MAX);
    children_iterate(&l->old, old);
    children_iterate(&l->now, now);
    l->len = len;
    level_pair(l);
}

/* Appends a child's name to the level's path. */
static size_t diff_name(struct diff *d, const struct node *n)
{
    size_t len = d->level[d->depth].len;

    d->path[len++] = '/';
    memcpy(d->path + len, node_name(n), n->name_len);
    return len + n->name_len;
}

static int diff_pair(struct diff *d, const struct node *o, const struct node *n)
{
    size_t len = diff_name(d, n);
    int err = 0;

    if (!node_same(o, n))
        err = d->ops->changed(d->ctx, d->path, len, n);
    if (!err && o->children != n->children)
        diff_enter(d, o->children, n->children, len);
    return err;
}

static int diff_added(struct diff *d, const struct node *n)
{
    size_t len = diff_name(d, n);
    int err = d->ops->added(d->ctx, d->path, len, n);

    if (!err && n->children)
        diff_enter(d, NULL, n->children, len);
    return err;
}

static bool same_name(const struct node *a, const struct node *b)
{
    return a->name_len == b->name_len &&
           !memcmp(node_name(a), node_name(b), a->name_len);
}

/* One step; it may enter a level, or leave one. */
static int diff_step(struct diff *d)
{
    struct level *l = &d->level[d->depth];
    struct node *o = l->o, *n = l->n;

    if (o && n && (o == n || same_name(o, n))) {
        level_pair(l);
        return o == n ? 0 : diff_pair(d, o, n);
    }
    if (o) {
        l->o = children_next(&l->old);
        return d->ops->gone(d->ctx, d->path, diff_name(d, o), o);
    }
    if (n) {
        l->n = children_next(&l->now);
        return diff_added(d, n);
    }
    d->depth--;
    return 0;
}

int tree_diff(struct node *old, struct node *now, const struct diff_ops *ops,
              void *ctx)
{
    struct diff d;
    int err = 0;

    if (old == now)
        return 0;
    d.ops = ops;
    d.ctx = ctx;
    d.depth = -1;
    if (!old)
        err = ops->added(ctx, "/", 1, now);
    else if (!node_same(old, now))
        err = ops->changed(ctx, "/", 1, now);
    diff_enter(&d, old ? old->children : NULL, now->children, 0);
    while (!err && d.depth >= 0)
        err = diff_step(&d);
    return err;
}
