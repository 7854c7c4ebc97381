/*
 * The daemon around the store, for xenstored.c, which owns it, and for the
 * handover to another program.
 */
#ifndef XS_DAEMON_H
#define XS_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "daemon/options.h"

struct db;
struct handover;
struct hv_ringside;
struct listener;
struct store;

struct daemon {
    struct event_base *base;
    struct store *store;
    struct listener *listener;
    struct hv_ringside *hv; /* NULL: none */
    struct db *db;          /* NULL: none */
    struct handover *handover;
    struct event *term, *interrupt, *hangup, *tick;
    struct options options;
    char **arguments;         /* of the command line, as they were given */
    uint64_t tick_ms;         /* what `tick` is set to */
    uint64_t requests;        /* served before this turn */
    unsigned int polls, vain; /* see poll_again() */
    bool wrote_pid;
    bool stopping;
    int status;
};

#endif
