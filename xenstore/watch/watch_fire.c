/* Watches: which connections get an event; see watch.h. */
#include "watch/watch_trie.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "store/store.h"
#include "tree/tree.h"

/* An event: its path, and the nodes that decide who may see it. */
struct firing {
    const char *path;
    size_t len;
    const struct node *node, *parent;
};

/*
 * A guest gets events of nodes that it can read, or whose parent it can read.
 */
static bool firing_visible(const struct firing *f, const struct conn *c)
{
    if (conn_privileged(c))
        return true;
    if (!f->node)
        return false;
    return (conn_rights(c, f->node) & PERM_READ) ||
           (f->parent && (conn_rights(c, f->parent) & PERM_READ));
}

static void fire_one(const struct firing *f, const struct watch *w)
{
    conn_event(w->conn, f->path + w->prefix, f->len - w->prefix, w->token,
               w->token_len);
}

static void fire_node(const struct firing *f, const struct wnode *w,
                      unsigned int below)
{
    struct list *pos;

    list_for_each(pos, &w->watches) {
        struct watch *watch = container_of(pos, struct watch, in_node);

        if (below <= watch->depth && firing_visible(f, watch->conn))
            fire_one(f, watch);
    }
}

/* A node of the trie that has watches, and how far below it the event is. */
struct level {
    const struct wnode *w;
    unsigned int below;
};

static bool due_add(struct watches *ws, size_t n, struct watch *w)
{
    size_t cap = n ? 2 * n : 16;
    struct watch **due;

    if (n == ws->due_cap) {
        due = realloc(ws->due, cap * sizeof(*due));
        if (!due)
            return false;
        ws->due = due;
        ws->due_cap = cap;
    }
    ws->due[n] = w;
    return true;
}

static int by_serial(const void *a, const void *b)
{
    uint64_t x = (*(struct watch *const *)a)->serial;
    uint64_t y = (*(struct watch *const *)b)->serial;

    return (x > y) - (x < y);
}

/*
 * Fires watches of several levels in the order in which they were set. Without
 * memory for sorting they fire level by level.
 */
static void fire_levels(struct watches *ws, const struct firing *f,
                        const struct level *level, unsigned int levels)
{
    struct list *pos;
    size_t n = 0;

    for (unsigned int i = 0; i < levels; i++) {
        list_for_each(pos, &level[i].w->watches) {
            struct watch *watch = container_of(pos, struct watch, in_node);

            if (level[i].below > watch->depth ||
                !firing_visible(f, watch->conn))
                continue;
            if (due_add(ws, n, watch))
                n++;
            else
                fire_one(f, watch);
        }
    }
    if (n)
        qsort(ws->due, n, sizeof(struct watch *), by_serial);
    for (size_t i = 0; i < n; i++)
        fire_one(f, ws->due[i]);
}

/* A walk through the watches below a removed node; depth 0 is that node. */
struct descent {
    char path[PATH_STR_MAX + 1];
    size_t len[PATH_DEPTH_MAX + 1]; /* of path, at each depth */
    const struct node *node[PATH_DEPTH_MAX + 1];
    unsigned int depth;
};

/* Enters `w` if the removed subtree has such a node. */
static bool descent_enter(struct descent *d, const struct wnode *w)
{
    struct name n = { w->name, w->len, w->hash };
    const struct node *node = children_find(d->node[d->depth]->children, &n);
    size_t len = d->len[d->depth];

    if (!node)
        return false;
    d->path[len++] = '/';
    assert(len + w->len < sizeof(d->path) && d->depth < PATH_DEPTH_MAX);
    memcpy(d->path + len, w->name, w->len);
    d->depth++;
    d->node[d->depth] = node;
    d->len[d->depth] = len + w->len;
    return true;
}

static struct wnode *wnode_of(struct list *sibling)
{
    return container_of(sibling, struct wnode, sibling);
}

/*
 * Children fire before their parents, in the order in which the C daemon
 * removes them.
 */
static void fire_below(struct wnode *top, const struct path *p,
                       const struct node *gone)
{
    struct descent d;
    struct wnode *w = top;
    struct list *next = top->children.next;

    d.depth = 0;
    d.node[0] = gone;
    d.len[0] = p->len;
    memcpy(d.path, p->str, p->len);
    for (;;) {
        while (next == &w->children) {
            if (w == top)
                return;
            fire_node(&(struct firing){ d.path, d.len[d.depth], d.node[d.depth],
                                        d.node[d.depth - 1] },
                      w, 0);
            next = w->sibling.next;
            w = w->parent;
            d.depth--;
        }
        w = wnode_of(next);
        if (!descent_enter(&d, w)) {
            next = w->sibling.next;
            w = w->parent;
            continue;
        }
        next = w->children.next;
    }
}

/*
 * The nodes of the trie along the path that have watches; returns how many.
 * *end is the node of the path itself, or NULL.
 */
static unsigned int find_levels(struct watches *ws, const struct path *p,
                                struct level level[PATH_DEPTH_MAX + 1],
                                struct wnode **end)
{
    struct wnode *w = ws->root;
    unsigned int n = 0;

    for (unsigned int i = 0; w; i++) {
        struct name name;

        if (!list_empty(&w->watches))
            level[n++] = (struct level){ w, p->depth - i };
        if (i == p->depth)
            break;
        name = path_name(p, i);
        w = wnode_find(ws, w, &name);
    }
    *end = w;
    return n;
}

void watch_fire(struct store *s, const struct path *p, struct node *view,
                struct node *gone)
{
    struct firing f = { .path = p->str, .len = p->len };
    struct level level[PATH_DEPTH_MAX + 1];
    struct wnode *end;
    unsigned int n;

    if (!s->watches.count)
        return;
    n = find_levels(&s->watches, p, level, &end);
    if (gone && end)
        fire_below(end, p, gone);
    if (!n)
        return;
    f.node = tree_find(view, p, p->depth);
    if (p->depth)
        f.parent = tree_find(view, p, p->depth - 1u);
    if (n == 1)
        fire_node(&f, level[0].w, level[0].below);
    else
        fire_levels(&s->watches, &f, level, n);
}

/*
 * Special events are not in the tree. A watch without a depth, or with depth 0,
 * gets the plain path; one that asked for more depth gets the path with the
 * domain.
 */
static void fire_special(struct wnode *w, const struct perms *perms,
                         const char *path, bool plain, bool deep)
{
    struct list *pos;

    list_for_each(pos, &w->watches) {
        struct watch *watch = container_of(pos, struct watch, in_node);
        const struct conn *c = watch->conn;
        bool is_plain = watch->depth == 0 || watch->depth == WATCH_ANY_DEPTH;

        if (is_plain ? !plain : !deep)
            continue;
        if (conn_privileged(c) ||
            (perms_rights(perms, c->dom->domid, c->dom->target) & PERM_READ))
            conn_event(watch->conn, path, strlen(path), watch->token,
                       watch->token_len);
    }
}

void watch_fire_special(struct store *s, int special, unsigned int domid,
                        bool with_plain, bool with_domid)
{
    const struct perms *perms = s->special[special];
    char path[32];
    struct path p;
    struct wnode *w;

    snprintf(path, sizeof(path), "%s/%u", special_path[special], domid);
    if (path_parse(&p, path, strlen(path), 0, true))
        return;
    if (with_domid && (w = wnode_lookup(&s->watches, &p)))
        fire_special(w, perms, path, true, true);
    path_cut(&p, 1);
    w = wnode_lookup(&s->watches, &p);
    if (w && with_plain)
        fire_special(w, perms, special_path[special], true, false);
    if (w && with_domid)
        fire_special(w, perms, path, false, true);
}
