/*
 * Watches, found by walking a path once.
 *
 * Watched paths form a trie of components. An event on a path visits the trie
 * nodes along that path: each of them carries the watches that are to fire
 * (their depth permitting). Removal of a subtree visits, besides, the trie
 * below the removed node as far as the removed nodes go. The number of watches
 * that are elsewhere does not matter.
 */
#ifndef XS_WATCH_H
#define XS_WATCH_H

#include <stdint.h>

#include "list.h"
#include "tree/path.h"

struct conn;
struct node;
struct store;
struct wnode;

#define WATCH_ANY_DEPTH UINT32_MAX

struct watch {
    struct conn *conn;
    struct wnode *at;
    struct list in_conn, in_node;
    uint64_t serial; /* in the order in which they were set */
    uint32_t depth;  /* levels below the path that fire it */
    uint16_t prefix; /* characters left out of event paths: a relative watch */
    uint16_t token_len;
    uint32_t cost; /* charged to the connection's domain */
    char token[];
};

struct watches {
    struct wnode **table;
    uint32_t buckets, nodes;
    uint32_t count; /* of watches */
    uint64_t last_serial;
    struct wnode *root, *special;
    struct watch **due; /* scratch: the watches that an event fires */
    size_t due_cap;
};

int watches_init(struct watches *ws);
void watches_free(struct watches *ws);

/* 0, -EEXIST, -ENOSPC (quota), -ENOMEM. */
int watch_add(struct store *s, struct conn *c, const struct path *p,
              const char *token, size_t token_len, uint32_t depth);
/* 0, -ENOENT. */
int watch_del(struct store *s, struct conn *c, const struct path *p,
              const char *token, size_t token_len);
/* Adds one that was there before a live update: no quota. -EEXIST, -ENOMEM. */
int watch_restore(struct store *s, struct conn *c, const struct path *p,
                  const char *token, size_t token_len, uint32_t depth);
/* Writes the watched path (no NUL) and returns its length. */
size_t watch_path(const struct watch *w, char out[PATH_STR_MAX]);
void watch_del_all(struct store *s, struct conn *c);

/*
 * An event on a path. `view` is the root of the version of the tree in which
 * readability is judged; `gone` the removed node, if that is what happened.
 * A connection gets events of what is below a removed node first, and then
 * those of the path in the order in which it set its watches.
 */
void watch_fire(struct store *s, const struct path *p, struct node *view,
                struct node *gone);

/* "@introduceDomain" or "@releaseDomain" happened to a domain. */
void watch_fire_special(struct store *s, int special, unsigned int domid,
                        bool with_plain, bool with_domid);

#endif
