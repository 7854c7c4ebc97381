/*
 * A session: the watches and transactions that a client has set up over its
 * connection, and how they and the connection end.
 */
#ifndef XS_SESSION_H
#define XS_SESSION_H

struct conn;

/* Drops watches and transactions. */
void conn_reset_watches(struct conn *c);

/* Drops watches, transactions and buffers; the connection goes on. */
void conn_reset(struct conn *c);

/* Ends it with its watches and transactions, and calls ops->free. */
void conn_end(struct conn *c);

#endif
