/* The trie of watches, and firing them; see watch.h. */
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "hash.h"
#include "store.h"
#include "tree.h"

#define BUCKETS_MIN 64

/* One component of a watched path. Found by its parent and its name. */
struct wnode {
    struct wnode *next; /* in its bucket */
    struct wnode *parent;
    struct list children, sibling;
    struct list watches;
    uint32_t key;  /* hash of the whole path */
    uint32_t hash; /* of the name */
    uint16_t len;
    char name[];
};

/* ---- the trie ---- */

static struct wnode *wnode_new(struct wnode *parent, const struct name *name)
{
    struct wnode *w = malloc(sizeof(*w) + name->len + 1);

    if (!w)
        return NULL;
    w->parent = parent;
    w->next = NULL;
    list_init(&w->children);
    list_init(&w->sibling);
    list_init(&w->watches);
    w->hash = name->hash;
    w->key = hash_mix(parent ? parent->key : 0, name->hash);
    w->len = (uint16_t)name->len;
    memcpy(w->name, name->s, name->len);
    w->name[name->len] = '\0';
    return w;
}

int watches_init(struct watches *ws)
{
    struct name root = { "", 0, 1 }, special = { "@", 1, 2 };

    *ws = (struct watches){ .buckets = BUCKETS_MIN };
    ws->table = calloc(ws->buckets, sizeof(*ws->table));
    ws->root = wnode_new(NULL, &root);
    ws->special = wnode_new(NULL, &special);
    return ws->table && ws->root && ws->special ? 0 : -ENOMEM;
}

/* All watches have gone with their connections, and the trie with them. */
void watches_free(struct watches *ws)
{
    free(ws->table);
    free(ws->due);
    free(ws->root);
    free(ws->special);
}

static struct wnode *wnode_find(const struct watches *ws,
                                const struct wnode *parent,
                                const struct name *n)
{
    uint32_t key = hash_mix(parent->key, n->hash);
    struct wnode *w = ws->table[key & (ws->buckets - 1)];

    while (w && (w->parent != parent || w->len != n->len ||
                 memcmp(w->name, n->s, n->len)))
        w = w->next;
    return w;
}

/* Growing may fail: buckets become longer, nothing else. */
static void watches_grow(struct watches *ws)
{
    uint32_t buckets = ws->buckets * 2;
    struct wnode **table = calloc(buckets, sizeof(*table)), *w;

    if (!table)
        return;
    for (uint32_t i = 0; i < ws->buckets; i++) {
        while ((w = ws->table[i])) {
            ws->table[i] = w->next;
            w->next = table[w->key & (buckets - 1)];
            table[w->key & (buckets - 1)] = w;
        }
    }
    free(ws->table);
    ws->table = table;
    ws->buckets = buckets;
}

/* Frees a node that nobody needs, and its ancestors likewise. */
static void wnode_put(struct watches *ws, struct wnode *w)
{
    while (w->parent && list_empty(&w->watches) && list_empty(&w->children)) {
        struct wnode *parent = w->parent;
        struct wnode **at = &ws->table[w->key & (ws->buckets - 1)];

        while (*at != w)
            at = &(*at)->next;
        *at = w->next;
        list_del(&w->sibling);
        ws->nodes--;
        free(w);
        w = parent;
    }
}

static struct wnode *watches_top(const struct watches *ws, const struct path *p)
{
    return p->special ? ws->special : ws->root;
}

/* The node of a whole path, or NULL. */
static struct wnode *wnode_lookup(const struct watches *ws,
                                  const struct path *p)
{
    struct wnode *w = watches_top(ws, p);

    for (unsigned int i = 0; w && i < p->depth; i++) {
        struct name n = path_name(p, i);

        w = wnode_find(ws, w, &n);
    }
    return w;
}

static struct wnode *wnode_make(struct watches *ws, const struct path *p)
{
    struct wnode *w = watches_top(ws, p), *child;

    for (unsigned int i = 0; i < p->depth; i++, w = child) {
        struct name n = path_name(p, i);

        child = wnode_find(ws, w, &n);
        if (child)
            continue;
        child = wnode_new(w, &n);
        if (!child) {
            wnode_put(ws, w);
            return NULL;
        }
        list_add_tail(&w->children, &child->sibling);
        if (++ws->nodes > ws->buckets)
            watches_grow(ws);
        child->next = ws->table[child->key & (ws->buckets - 1)];
        ws->table[child->key & (ws->buckets - 1)] = child;
    }
    return w;
}

/* ---- adding and removing ---- */

static struct watch *watch_find(struct wnode *w, const struct conn *c,
                                const char *token, size_t len)
{
    struct list *pos;

    list_for_each(pos, &w->watches) {
        struct watch *watch = container_of(pos, struct watch, in_node);

        if (watch->conn == c && watch->token_len == len &&
            !memcmp(watch->token, token, len))
            return watch;
    }
    return NULL;
}

/* The whole way through the trie: nobody else may be on it. */
static uint32_t watch_cost(const struct path *p, size_t token_len)
{
    return (uint32_t)(sizeof(struct watch) + token_len + 1 + p->len +
                      (p->depth + 1u) * sizeof(struct wnode));
}

static bool watch_exists(struct store *s, const struct conn *c,
                         const struct path *p, const char *token, size_t len)
{
    struct wnode *at = wnode_lookup(&s->watches, p);

    return at && watch_find(at, c, token, len);
}

static int watch_new(struct store *s, struct conn *c, const struct path *p,
                     const char *token, size_t token_len, uint32_t depth)
{
    struct wnode *at = wnode_make(&s->watches, p);
    struct watch *w;

    w = at ? malloc(sizeof(*w) + token_len + 1) : NULL;
    if (!w) {
        if (at)
            wnode_put(&s->watches, at);
        return -ENOMEM;
    }
    w->conn = c;
    w->at = at;
    w->serial = ++s->watches.last_serial;
    w->depth = depth;
    w->prefix = p->prefix;
    w->token_len = (uint16_t)token_len;
    w->cost = watch_cost(p, token_len);
    memcpy(w->token, token, token_len);
    w->token[token_len] = '\0';
    list_add_tail(&at->watches, &w->in_node);
    list_add_tail(&c->watches, &w->in_conn);
    s->watches.count++;
    domain_charge(c->dom, QUOTA_WATCHES, 1);
    domain_charge(c->dom, QUOTA_MEMORY, w->cost);
    log_trace(LOG_OBJ, "connection %llu: a watch on %s",
              (unsigned long long)c->id, p->str);
    return 0;
}

int watch_add(struct store *s, struct conn *c, const struct path *p,
              const char *token, size_t token_len, uint32_t depth)
{
    if (watch_exists(s, c, p, token, token_len))
        return -EEXIST;
    if (!domain_fits(c->dom, QUOTA_WATCHES, 1) ||
        !domain_fits(c->dom, QUOTA_MEMORY, watch_cost(p, token_len)))
        return -ENOSPC;
    return watch_new(s, c, p, token, token_len, depth);
}

int watch_restore(struct store *s, struct conn *c, const struct path *p,
                  const char *token, size_t token_len, uint32_t depth)
{
    if (watch_exists(s, c, p, token, token_len))
        return -EEXIST;
    return watch_new(s, c, p, token, token_len, depth);
}

size_t watch_path(const struct watch *watch, char out[PATH_STR_MAX])
{
    const struct wnode *w;
    size_t len = 0, end;

    for (w = watch->at; w->parent; w = w->parent)
        len += w->len + 1u;
    if (!len) {
        out[0] = '/';
        return 1;
    }
    for (w = watch->at, end = len; w->parent; w = w->parent) {
        end -= w->len + 1u;
        out[end] = '/';
        memcpy(out + end + 1, w->name, w->len);
    }
    if (w->name[0] == '@') /* a special path: no slash in front */
        memmove(out, out + 1, --len);
    return len;
}

static void watch_free(struct store *s, struct watch *w)
{
    struct wnode *at = w->at;

    domain_charge(w->conn->dom, QUOTA_WATCHES, -1);
    domain_charge(w->conn->dom, QUOTA_MEMORY, -(int64_t)w->cost);
    s->watches.count--;
    list_del(&w->in_node);
    list_del(&w->in_conn);
    free(w);
    wnode_put(&s->watches, at);
}

int watch_del(struct store *s, struct conn *c, const struct path *p,
              const char *token, size_t token_len)
{
    struct wnode *at = wnode_lookup(&s->watches, p);
    struct watch *w = at ? watch_find(at, c, token, token_len) : NULL;

    if (!w)
        return -ENOENT;
    watch_free(s, w);
    log_trace(LOG_OBJ, "connection %llu: no watch on %s any more",
              (unsigned long long)c->id, p->str);
    return 0;
}

void watch_del_all(struct store *s, struct conn *c)
{
    while (!list_empty(&c->watches))
        watch_free(s, container_of(c->watches.next, struct watch, in_conn));
}

/* ---- firing ---- */

/* An event: its path, and what decides who may hear of it. */
struct firing {
    const char *path;
    size_t len;
    const struct node *node, *parent;
};

/* A guest hears of nodes that it can read, or whose parent it can read. */
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

/* Watches of several levels; without memory they come in another order. */
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
    const struct node *node = kids_find(d->node[d->depth]->kids, &n);
    size_t len = d->len[d->depth];

    if (!node)
        return false;
    d->path[len++] = '/';
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

/* Children before their parents, as the C daemon removes them. */
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
 * Special events know no tree. A watch without a depth, or with depth 0, gets
 * the plain event; one that asked for more depth gets it with the domain.
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
    static const char *const names[] = { "@introduceDomain", "@releaseDomain" };
    const struct perms *perms = s->special[special];
    char path[32];
    struct path p;
    struct wnode *w;

    snprintf(path, sizeof(path), "%s/%u", names[special], domid);
    if (path_parse(&p, path, strlen(path), 0, true))
        return;
    if (with_domid && (w = wnode_lookup(&s->watches, &p)))
        fire_special(w, perms, path, true, true);
    path_cut(&p, 1);
    w = wnode_lookup(&s->watches, &p);
    if (w && with_plain)
        fire_special(w, perms, names[special], true, false);
    if (w && with_domid)
        fire_special(w, perms, path, false, true);
}
