/*
 * A connection: a client that sends requests and gets replies and events, in
 * order. The transport (a socket, a guest's ring, a test's memory) is behind
 * conn_ops.
 *
 * A connection is not freed while it is in use: conn_kill() marks it, and
 * store_flush() ends it.
 */
#ifndef XS_CONN_H
#define XS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/fair.h"
#include "conn/outq.h"
#include "list.h"
#include "store/domain.h"

struct conn;
struct node;
struct store;
struct transport;

struct conn_ops {
    const char *kind; /* for the log */
    /* Sends what it can of c->out. Calls conn_kill() if the peer is gone. */
    void (*flush)(struct conn *c);
    /* Starts or stops taking requests in. */
    void (*reading)(struct conn *c, bool on);
    /*
     * For rings, which fair.c gives slices: takes in and serves what there is,
     * until fair_slice_over(); joins store->dirty if there is something to
     * send. NULL for other transports, which call conn_input() themselves.
     */
    void (*serve)(struct conn *c);
    /* Whether serve() has more to do. */
    bool (*pending)(struct conn *c);
    /*
     * Whether the peer has closed its end while nothing is read from it. NULL:
     * cannot be known.
     */
    bool (*gone)(const struct conn *c);
    /* The peer broke the protocol: XENSTORE_ERROR_... of <xs_wire.h>. */
    void (*violation)(struct conn *c, uint32_t error);
    /* Resets a ring to empty, after conn_reset(). */
    void (*restart)(struct conn *c);
    /* Closes the transport and frees the connection. */
    void (*free)(struct conn *c);
    /*
     * For a live update: tells what another program needs to adopt the
     * transport.
     */
    void (*save)(const struct conn *c, struct transport *t);
};

struct conn {
    const struct conn_ops *ops;
    struct store *store;
    struct domain *dom;
    struct list entry;   /* store->conns */
    struct list dirty;   /* store->dirty, or itself */
    struct list ready;   /* store->ready, or itself; not of rings */
    struct list watches; /* struct watch.in_conn */
    struct list txns;    /* struct txn.entry */
    uint32_t nr_txns, next_txn;
    uint64_t id;
    unsigned char *in; /* requests that wait, the last may be incomplete */
    size_t in_at, in_len, in_cap; /* in[in_at] is the first byte */
    struct fair_share share;      /* of rings */
    struct outq out;
    size_t charged;           /* bytes of buffers that its domain is charged, */
    uint32_t charged_replies; /* and replies that wait to be read */
    uint64_t events_due_ms;   /* when to look for expired events next */
    bool dead;
    bool held; /* not reading: the client must first read replies, or wait */
    bool more; /* not reading: whole requests wait in `in` for a slice */
};

/* Sets up the common part of a connection of domain `dom`. */
void conn_init(struct conn *c, struct store *s, struct domain *dom,
               const struct conn_ops *ops);

/* Marks it to be ended: store_flush() calls conn_end() (session.h). */
void conn_kill(struct conn *c);

/* Something is queued: store_flush() will look at it. */
void conn_dirty(struct conn *c);

/* Queues a watch event; dropped if it is a duplicate or does not fit. */
void conn_event(struct conn *c, const char *path, size_t path_len,
                const char *token, size_t token_len);

/*
 * Drops the events that a guest has left unread for EVENT_TIMEOUT_MS. The
 * connection stays: a guest that was paused misses its oldest events and
 * nothing else.
 */
void conn_expire_events(struct conn *c);

/* PERM_... bits that the connection has on a node. */
unsigned int conn_rights(const struct conn *c, const struct node *n);
static inline bool conn_privileged(const struct conn *c)
{
    return domain_privileged(c->dom);
}

/* Brings the domain's accounts up to date with buffers and unread replies. */
void conn_account(struct conn *c);

#endif
