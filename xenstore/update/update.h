/*
 * Live update: another program takes the place of this one, and no connected
 * client notices.
 *
 * This is what a client asks for by CONTROL live-update, and what the update
 * waits for: the check that the new program can read the state, and the end of
 * open transactions. The request that starts the update is answered when the
 * update is over, by the new program or by this one; until then it waits at the
 * head of its connection's input (REQUEST_LATER).
 *
 * The daemon (handover.c) looks at `phase` once per turn and does the rest.
 */
#ifndef XS_UPDATE_H
#define XS_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#define UPDATE_WHY_MAX 512
#define UPDATE_WAIT_S  60 /* for transactions, by default */

struct conn;
struct store;

enum update_phase {
    UPDATE_NONE,
    UPDATE_NAMED,    /* a client has named the new program */
    UPDATE_DUE,      /* the daemon is to start the new program's check */
    UPDATE_CHECKING, /* the new program reads the state */
    UPDATE_WAITING,  /* the check succeeded; open transactions are to end */
    UPDATE_READY,    /* the daemon is to hand over */
    UPDATE_FAILED,   /* the client is to be told why */
    UPDATE_DONE,     /* the client is to be told */
};

struct update {
    enum update_phase phase;
    bool possible;     /* the daemon can do it */
    bool force;        /* transactions that last too long will conflict */
    bool closing;      /* no more transactions begin */
    struct conn *conn; /* who asked */
    char *file;
    char *arguments; /* NULL: as they are */
    uint64_t until_ms;
    char why[UPDATE_WHY_MAX];
};

/* Forgets the update, and resumes connections that it held back. */
void update_clear(struct store *s);

/* Whether the daemon is checking or waiting. */
bool update_under_way(const struct update *u);

/* Whether this connection must wait before it begins a transaction. */
bool update_holds(const struct conn *c);

/* Once per turn, before the queues are sent. */
void update_turn(struct store *s);

/* Called by the daemon: the new program's check succeeded; */
void update_checked(struct store *s);
/* it failed, or the program could not take over; */
void update_failed(struct store *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* this is the new program, and `c` waits for the answer. */
void update_done(struct store *s, struct conn *c);

/* A connection ends. */
void update_conn_ends(struct conn *c);

#endif
