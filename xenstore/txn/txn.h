/*
 * Transactions.
 *
 * A transaction is two versions of the tree, the one it started from and the
 * one it works on, and the paths it touched with what it did there. Starting
 * one copies nothing. Commit, if the store moved on meanwhile, compares what
 * was touched with the store and then repeats the changes on the store's
 * version; nothing is changed unless all of it can be.
 *
 * What conflicts: a value, permission list or child list that the transaction
 * read and that is different now; permissions that decided what a guest may
 * do, likewise; a node that it wrote and that somebody else
 * changed to something else than the same; any change inside a subtree that it
 * removed. Creating or removing different children of one parent does not
 * conflict, for the result is the same in either order. Nor does a transaction
 * that changed nothing: what it read was so at one moment.
 */
#ifndef XS_TXN_H
#define XS_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "tree/node.h"
#include "tree/path.h"

struct conn;
struct store;

/* What was done at a path. */
#define TXN_READ     1  /* value or permissions were read, or it was missing */
#define TXN_LIST     2  /* the child list was read */
#define TXN_PARENT   4  /* a child was created or removed */
#define TXN_WRITTEN  8  /* value, permissions or existence were changed */
#define TXN_REMOVED  16 /* a node that was there at the start was removed */
#define TXN_EVENT    32 /* watches fire at commit */
#define TXN_REPERMED 64 /* permissions changed: the old ones count */
#define TXN_CREATED \
    128 /* it was created (again): applied after what was before */
#define TXN_RIGHTS 256 /* its permissions decided what a guest may do */

struct txn_entry {
    struct txn_entry *next; /* in its bucket */
    struct list touched;    /* in order of first touch */
    struct list apply;      /* in order of creation; empty: not to apply */
    uint32_t hash;
    uint16_t flags, len;
    char path[];
};

/* Nodes gained or lost by a domain. */
struct txn_delta {
    unsigned int owner;
    uint64_t serial; /* serial of the owner's record; 0: none */
    int64_t nodes, bytes;
};

#define TXN_BUCKETS 16 /* of a new transaction */

struct txn {
    struct list entry; /* conn->txns */
    struct conn *conn;
    uint32_t id;
    bool failed; /* a note is missing: it cannot be committed */
    bool doomed; /* it lost its snapshot: the commit answers EAGAIN */
    struct node *base, *root;
    struct list touched, apply;
    struct txn_entry **table, *first_table[TXN_BUCKETS];
    uint32_t buckets, entries;
    uint32_t depths; /* components of all entries' paths */
    struct txn_delta *delta;
    uint32_t deltas, deltas_cap;
    size_t memory;  /* charged to the connection's domain */
    int64_t grown;  /* part of it: for what its changes add to nodes */
    uint64_t since; /* s->requests when it began, or started over */
};

/* A new transaction of a connection. 0, -ENOSPC, -ENOMEM. */
int txn_start(struct conn *c, struct txn **out);
/*
 * Restores one that was open before a live update: it can only end with EAGAIN.
 * 0, -EEXIST, -ENOMEM.
 */
int txn_restore(struct conn *c, uint32_t id);
struct txn *txn_find(struct conn *c, uint32_t id);
/* Ends and frees it, committed or not. */
void txn_end(struct txn *t);
/*
 * Drops all that it did, and continues with the present tree: it can only end
 * with EAGAIN.
 */
void txn_start_over(struct txn *t);

/*
 * Notes that the first `depth` components of a path were touched.
 * 0, -ENOSPC (quota), -ENOMEM; the transaction cannot be committed then.
 */
int txn_note(struct txn *t, const struct path *p, unsigned int depth,
             unsigned int flags);

/* Notes a gain or loss of nodes. */
int txn_account(struct txn *t, unsigned int owner, int64_t nodes,
                int64_t bytes);
/* Charges what a change adds to nodes, until the transaction ends. */
void txn_grow(struct txn *t, int64_t bytes);
/* What the transaction adds to a domain's nodes. */
int64_t txn_nodes(const struct txn *t, unsigned int owner);

/* 0, -EAGAIN (conflict), -ENOMEM, -ENOSPC. The caller ends it then. */
int txn_commit(struct txn *t);

#endif
