/*
 * One end of a connection to a store: requests out; replies in, with the
 * events that come between them put aside.
 */
#ifndef TESTS_PROBE_STREAM_H
#define TESTS_PROBE_STREAM_H

#include "tests/probe/probe.h"

struct stream {
    bool (*write)(struct stream *st, const void *data, size_t len);
    size_t (*read)(struct stream *st, void *data, size_t len);
    int fd;
    uint32_t last_id;
    struct message **events; /* events_at..nr_events wait */
    size_t nr_events, events_at;
};

/* The probed connection (script.c). */
extern struct stream probe_me;

/* The next reply; false: none comes. */
bool stream_get(struct stream *st, struct message *m);
/* Sends a request under a new id and makes it the reply to it. */
bool stream_ask(struct stream *st, struct message *m);
/* The next event of those that the store has queued until now. */
bool stream_event(struct stream *st, struct message *m);
/* Forgets what waits. */
void stream_clear(struct stream *st);

#endif
