/*
 * Live update: another program takes the place of this one, and nobody who is
 * connected notices.
 *
 * What a client asks by CONTROL live-update is kept here, and what has to be
 * waited for: the proof that the new program can read our state, and the end
 * of open transactions. The request that starts the update is answered when it
 * is over, by the new program or by us; until then it waits at the head of its
 * connection's input, as any request does that is to be served later.
 *
 * The daemon (handover.c) looks at `phase` once per turn and does the rest.
 */
#ifndef XS_UPDATE_H
#define XS_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#define UPDATE_WHY_MAX 512
#define UPDATE_WAIT_S  60 /* for transactions, unless the client says else */

struct conn;
struct store;

enum update_phase {
    UPDATE_NONE,
    UPDATE_NAMED,   /* a client has named the new program */
    UPDATE_DUE,     /* the daemon is to let it prove itself */
    UPDATE_PROVING, /* it does */
    UPDATE_WAITING, /* it did; transactions are to end */
    UPDATE_READY,   /* the daemon is to hand over */
    UPDATE_FAILED,  /* its client is to be told why */
    UPDATE_DONE,    /* its client is to be told */
};

struct update {
    enum update_phase phase;
    bool possible;     /* there is a daemon that does it */
    bool force;        /* transactions that last too long are left behind */
    bool closing;      /* no more transactions begin */
    struct conn *conn; /* who asked */
    char *file;
    char *arguments; /* NULL: as they are */
    uint64_t until_ms;
    char why[UPDATE_WHY_MAX];
};

/* Nothing is asked for any more. Connections that it held back go on. */
void update_clear(struct store *s);

/* The daemon is at work on it. */
bool update_under_way(const struct update *u);

/* Whether this connection must wait with a new transaction. */
bool update_holds(const struct conn *c);

/* Once per turn, before the queues are sent. */
void update_turn(struct store *s);

/* From the daemon: the new program has proved itself; */
void update_proved(struct store *s);
/* it has not, or could not take over; */
void update_failed(struct store *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* this is the new program, and `c` is waiting to hear of it. */
void update_done(struct store *s, struct conn *c);

/* A connection ends. */
void update_conn_ends(struct conn *c);

#endif
