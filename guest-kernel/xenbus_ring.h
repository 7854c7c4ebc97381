/*
 * The store's ring: requests out, replies and watch events in. Inside of the
 * The files of xenbus: xenbus_ring.c (bytes and matching), xenbus.c (the
 * operations), xenbus_watch.c (watches and their thread), xenbus_state.c
 * (devices).
 */
#ifndef RINGSIDE_GUEST_XENBUS_RING_H
#define RINGSIDE_GUEST_XENBUS_RING_H

#include <errno.h> /* before the wire format, which then has its error names */

#include "guest-kernel/xenbus.h"

struct xs_part {
    const void *data;
    size_t len;
};

/* A string with its NUL, as the wire wants paths. */
struct xs_part xs_string(const char *s);

/* A request under way; its memory is the caller's until xs_wait(). */
struct xs_request {
    struct list link;
    uint32_t id;
    bool done;
    int err;
    char *body;
    size_t len;
};

/*
 * Sends a request made of n parts, whose memory is free then. If it returns
 * -errno there is nothing to wait for. -EIO: the store broke the protocol, and
 * has not begun anew; requests under way end with it, too.
 */
int xs_post(struct xs_request *r, enum xsd_sockmsg_type type, xenbus_tx tx,
            const struct xs_part *parts, unsigned int n);

/*
 * Its reply: 0 or -errno. *reply (if asked for) is malloc'ed and has a NUL
 * after its *len bytes.
 */
int xs_wait(struct xs_request *r, char **reply, size_t *len);

/* Both. */
int xs_request(enum xsd_sockmsg_type type, xenbus_tx tx,
               const struct xs_part *parts, unsigned int n, char **reply,
               size_t *len);

/* A watch event as it arrived: path NUL token NUL. */
struct xs_event {
    struct list link;
    char body[];
};

/*
 * Blocks until there is one; the caller frees it. NULL: something else is to be
 * looked at: xs_kick() was called, or the connection to the store is a new
 * one, which xs_connection() numbers, and knows of no watch.
 */
struct xs_event *xs_event_wait(void);
unsigned int xs_connection(void);
bool xs_is_dead(void); /* the store broke the protocol: there is none now */
void xs_kick(void);    /* [upcall] */

int xs_ring_init(const struct start_info *si);

#endif
