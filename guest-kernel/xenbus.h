/*
 * The xenstore, as a guest sees it, and the handshake of devices.
 *
 * Requests block the calling thread until the store answered; several threads
 * may have requests under way. Functions return 0 or -errno, translated from
 * the store's error names; -ENODEV when the domain has no store ring, -EIO when
 * the store broke the protocol and has not begun anew (watches are registered
 * again when it has, and are told at once; transactions are gone). Paths
 * without a leading '/' are relative to /local/domain/<our domid>. Strings that
 * are returned belong to the caller (free()).
 */
#ifndef RINGSIDE_GUEST_XENBUS_H
#define RINGSIDE_GUEST_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "xen_compat.h"

typedef uint32_t xenbus_tx;
#define XENBUS_NO_TX ((xenbus_tx)0)

/* *value is NUL-terminated; values with NULs inside: use *len (may be NULL). */
int xenbus_read(xenbus_tx tx, const char *path, char **value, size_t *len);
int xenbus_write(xenbus_tx tx, const char *path, const char *value);
int xenbus_printf(xenbus_tx tx, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int xenbus_mkdir(xenbus_tx tx, const char *path);
int xenbus_rm(xenbus_tx tx, const char *path);
/*
 * The node belongs to us (`self`, our domid), nobody else may use it but
 * `reader`, who may read it.
 */
int xenbus_share(xenbus_tx tx, const char *path, domid_t self, domid_t reader);
/*
 * Children of path: *names is one malloc'ed array of *n pointers, freed with
 * one free().
 */
int xenbus_ls(xenbus_tx tx, const char *path, char ***names, size_t *n);

/* A number in decimal; -EINVAL when the value is not one. */
int xenbus_read_uint(xenbus_tx tx, const char *path, uint64_t *value);
/* The same, with a value for when the node is missing or malformed. */
uint64_t xenbus_read_default(const char *path, uint64_t otherwise);

/*
 * Several nodes of a directory (at most XENBUS_AT_ONCE, whose leaves are
 * short), by requests that do not wait for each other; the store serves them
 * in order. What cannot be read, or is no number, keeps its value. Writing
 * returns the first error; the nodes after it are written all the same.
 */
#define XENBUS_AT_ONCE 12
struct xenbus_number {
    const char *leaf;
    uint64_t value;
};
struct xenbus_node {
    const char *leaf;
    const char *text; /* NULL: the number, in decimal */
    unsigned int number;
};
void xenbus_read_numbers(const char *dir, struct xenbus_number *numbers,
                         unsigned int n);
int xenbus_write_nodes(const char *dir, const struct xenbus_node *nodes,
                       unsigned int n);

/*
 * Transactions. xenbus_begin() waits while the domain has as many as the store
 * allows; each is ended. xenbus_end(commit) answers -EAGAIN on a conflict: do
 * it all again.
 */
int xenbus_begin(xenbus_tx *tx);
int xenbus_end(xenbus_tx tx, bool commit);

/*
 * "dir/leaf" in a static-size buffer: -ENAMETOOLONG if it does not fit. Device
 * directories are short, so frontends build their paths with it.
 */
#define XENBUS_PATH_MAX 256
int xenbus_path(char out[XENBUS_PATH_MAX], const char *dir, const char *leaf);

/* ---- watches ---- */

struct xenbus_watch {
    /*
     * Runs in the xenbus thread, one callback at a time; may block and do
     * requests, but must not remove its own watch. `path` is what changed.
     * Once at once after xenbus_watch(), then after each change.
     */
    void (*fn)(struct xenbus_watch *w, const char *path);
    void *arg;
    char token[16]; /* from here on ours */
    char *path;
    unsigned int connection; /* to the store, in which it was registered */
    bool kicked;
    struct list link;
};

/* The caller owns w; fn and arg are set. */
int xenbus_watch(struct xenbus_watch *w, const char *path);
/* Has fn called as if the node had changed. [upcall] */
void xenbus_watch_kick(struct xenbus_watch *w);
/* No callback of w runs or will run afterwards. */
void xenbus_unwatch(struct xenbus_watch *w);

/* ---- device states: <xen/io/xenbus.h> ---- */

/* XenbusStateUnknown when there is none. */
enum xenbus_state xenbus_state_read(const char *path);
/* The same, but -EIO or -ENOMEM when the store could not be asked. */
int xenbus_state_ask(const char *path);
int xenbus_state_write(xenbus_tx tx, const char *path, enum xenbus_state state);

/*
 * Waits until the state at path is one of `states` (bit 1 << state each).
 * Returns the state, or -ETIMEDOUT.
 */
int xenbus_state_wait(const char *path, unsigned int states, uint64_t deadline);

/* 0, or -ENODEV: no store. Called by boot.c. */
int xenbus_init(const struct start_info *si);

#endif
