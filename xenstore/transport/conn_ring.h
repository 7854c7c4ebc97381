/*
 * A guest's connection: the ring page that it shares with the store.
 *
 * The guest can change the page at any moment. The store keeps its own copies
 * of the indices that it advances, reads the guest's once per turn, and copies
 * data out before it looks at it. A guest that breaks the protocol is ignored
 * until it reconnects (docs/misc/xenstore-ring.txt); it stays introduced.
 */
#ifndef XS_CONN_RING_H
#define XS_CONN_RING_H

#include "conn/conn.h"
#include "xen_compat.h"

struct transport;

struct ring_ops {
    /* Raises the guest's event channel. */
    void (*notify)(void *ctx);
    /* Unmaps the page and closes the port. */
    void (*release)(void *ctx);
    /* The event channel, for a live update. */
    void (*save)(void *ctx, struct transport *t);
};

/*
 * A connection over a mapped page. The page stays mapped until release();
 * on failure (NULL: no memory) nothing was taken over.
 */
struct conn *conn_ring_new(struct store *s, struct domain *d,
                           struct xenstore_domain_interface *page,
                           const struct ring_ops *ops, void *ctx);

/* What conn_ring_new() was given. */
void *conn_ring_ctx(struct conn *c);

/*
 * After a live update: continues with the indices of the old program, over a
 * page that was mapped again. As conn_ring_new() otherwise.
 */
struct conn *conn_ring_adopt(struct store *s, struct domain *d,
                             struct xenstore_domain_interface *page,
                             const struct transport *t,
                             const struct ring_ops *ops, void *ctx);
/* Sets where the page is mapped now; NULL: nowhere, and it is not touched. */
void conn_ring_move(struct conn *c, struct xenstore_domain_interface *page);

#endif
