/*
 * What open transactions keep of the past.
 *
 * A transaction holds the version of the tree that it began with, so nodes
 * that are changed or removed while it is open stay in memory. Nobody's quota
 * covers them: they may be anybody's. Instead there is a limit for all
 * transactions of guests together. When it is passed, the guest's transaction
 * that is open longest starts over from the present: it can only end with
 * EAGAIN then, and holds nothing.
 */
#ifndef XS_KEPT_H
#define XS_KEPT_H

#include <stdint.h>

struct store;

#define KEPT_MAX (8 << 20)

/* The first transaction opens: nothing is kept yet. */
void kept_begin(struct store *s);

/* Bytes of nodes that are not of the store's present tree. */
int64_t kept_bytes(const struct store *s);

/* Makes transactions start over until the limit is kept. */
void kept_trim(struct store *s);

#endif
