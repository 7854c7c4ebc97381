/*
 * The trie of watched paths; for watch.c, which keeps it, and watch_fire.c,
 * which walks through it.
 */
#ifndef XS_WATCH_TRIE_H
#define XS_WATCH_TRIE_H

#include "tree/children.h"
#include "watch/watch.h"

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

/* The child of that name, or NULL. */
struct wnode *wnode_find(const struct watches *ws, const struct wnode *parent,
                         const struct name *n);
/* The node of a whole path, or NULL. */
struct wnode *wnode_lookup(const struct watches *ws, const struct path *p);

#endif
