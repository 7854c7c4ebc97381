/*
 * The memory of old versions of the tree that open transactions hold.
 *
 * A transaction holds the version of the tree that it began with, so nodes
 * that are changed or removed while it is open stay in memory. No quota covers
 * them, since they may be any domain's. Instead there is one limit for the
 * transactions of all guests together. When it is passed, the guest's
 * transaction that is open longest starts over from the present tree: it holds
 * nothing of the past then, and can only end with EAGAIN.
 */
#ifndef XS_TXN_SNAPSHOT_H
#define XS_TXN_SNAPSHOT_H

#include <stdint.h>

struct store;

#define TXN_SNAPSHOT_MAX (8 << 20)

/* The first transaction opens: no old version is held yet. */
void txn_snapshot_begin(struct store *s);

/* Bytes of nodes that are not in the store's present tree. */
int64_t txn_snapshot_memory(const struct store *s);

/* Makes transactions start over until the limit holds. */
void txn_snapshot_trim(struct store *s);

#endif
