/*
 * The whole state of a store as a file, for the program that takes over in a
 * live update: tree, domains, connections with partly received and unsent data,
 * watches, open transactions.
 *
 * The file (its bytes: state_io.h) is read by another version of this program
 * than the one that wrote it, and none of it is trusted: a broken or unknown
 * file is refused with a line that says where. What can be computed (accounts,
 * hashes, indices) is not in it. Records come in the order of enum
 * state_record; watches and transactions follow the connection that they belong
 * to.
 *
 * The format lives as long as one update: its version is that of the records
 * below. A program reads its own version only.
 */
#ifndef XS_STATE_H
#define XS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "store/hv.h"

#define STATE_VERSION 1u
#define STATE_WHY_MAX 160

enum state_record {
    STATE_STORE = 1,   /* counters, limits, permissions of special nodes */
    STATE_DAEMON,      /* struct state_daemon */
    STATE_DOMAIN,      /* by age */
    STATE_NODE,        /* parents first, siblings in order of insertion */
    STATE_CONN,        /* by age */
    STATE_WATCH,       /* of the connection before it */
    STATE_TRANSACTION, /* of the connection before it */
    STATE_UPDATE,      /* who asked for the update */
    STATE_END,         /* how many records came before */
    STATE_RECORDS
};

struct conn;
struct domain;
struct store;
struct transport;

/* The daemon itself. Descriptors (-1: none) survive execve(). */
struct state_daemon {
    char socket[4096]; /* where it listens */
    int listener;
    struct hv_link hv;
    bool new_arguments; /* the new program has a command line of its own */
    bool trace;         /* of the log, */
    bool switches[LOG_SWITCHES];
    char log[4096]; /* its file; "": stderr */
};

/* Writes the state. 0, or -errno. Does not change the store. */
int state_save(const struct store *s, const struct state_daemon *d, FILE *f);

/*
 * Takes the daemon's part, once, before any connection. 0, or -errno with `why`
 * (STATE_WHY_MAX) filled.
 */
typedef int state_daemon_fn(void *ctx, const struct state_daemon *d, char *why);

struct state_ops {
    state_daemon_fn *daemon;
    /*
     * Makes a connection of domain d over its transport, which is being read;
     * NULL: this connection is lost, and nothing else.
     */
    struct conn *(*adopt)(void *ctx, struct store *s, struct domain *d,
                          const struct transport *t);
};

/*
 * Fills a new store. 0, or -errno with `why` filled; the store can then only
 * be freed. Every connection is dirty afterwards: store_flush() goes on with
 * it.
 */
int state_load(struct store *s, const void *data, size_t len,
               const struct state_ops *ops, void *ctx, char why[STATE_WHY_MAX]);

/* One line that counts what there is; equal for the old and the new store. */
void state_summary(const struct store *s, char *out, size_t size);

/*
 * Loads a state into a store of its own, without using the descriptors in it. 0
 * with the summary in `why`, or -errno with what is wrong.
 */
int state_check(const void *data, size_t len, state_daemon_fn *daemon,
                void *ctx, char why[STATE_WHY_MAX]);

#endif
