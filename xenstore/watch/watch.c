/* Watches: the trie, adding and removing; see watch.h. */
#include "watch/watch_trie.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conn/conn.h"
#include "store/store.h"
#include "tree/tree.h"

#define BUCKETS_MIN 64

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

/* The watches have ended with their connections, and the trie with them. */
void watches_free(struct watches *ws)
{
    free(ws->table);
    free(ws->due);
    free(ws->root);
    free(ws->special);
}

struct wnode *wnode_find(const struct watches *ws, const struct wnode *parent,
                         const struct name *n)
{
    uint32_t key = hash_mix(parent->key, n->hash);
    struct wnode *w = ws->table[key & (ws->buckets - 1)];

    while (w && (w->parent != parent || w->len != n->len ||
                 memcmp(w->name, n->s, n->len)))
        w = w->next;
    return w;
}

/* If there is no memory the buckets become longer. */
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

/* Frees a node without watches and children, and then its ancestors. */
static void wnode_put(struct watches *ws, struct wnode *w)
{
    while (w->parent && list_empty(&w->watches) && list_empty(&w->children)) {
        struct wnode *parent = w->parent;
        struct wnode **at = &ws->table[w->key & (ws->buckets - 1)];

        while (*at != w) {
            assert(*at); /* every node but the roots is in the table */
            at = &(*at)->next;
        }
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
struct wnode *wnode_lookup(const struct watches *ws, const struct path *p)
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

/* Charges all nodes of the trie on the path: other watches may share none. */
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
    assert(s->watches.count);
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
