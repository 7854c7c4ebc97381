/*
 * Inside the client library: one request, one reply, and who keeps what.
 */
#ifndef RINGSIDE_CLIENT_INTERNAL_H
#define RINGSIDE_CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "control_wire.h"
#include "list.h"
#include "ringside/client.h"

struct buckets;
struct port;

struct rs_client {
    int fd; /* -1: not connected */
    uint32_t serial;
    uint16_t domid;
    bool strict;

    /* evtchn.c */
    struct port *ports; /* by number */
    uint32_t nr_ports;

    /* grant.c */
    struct buckets *windows; /* by granter; NULL: there was none yet */
    struct list idle;        /* windows in which nothing is mapped */

    /* domain.c: a sealed copy of the last kernel, for many guests have one. */
    struct {
        struct stat st; /* st_nlink 0: none */
        int fd;
    } kernel;
};

/* Bytes and descriptors of one direction of an exchange. */
struct control_message {
    const void *head; /* first part of the payload */
    size_t head_size;
    const void *body; /* second part, may be NULL */
    size_t body_size;
    int fds[CONTROL_FDS_MAX]; /* -1: slot empty; borrowed when sending */
};

#define CONTROL_MESSAGE(ptr, n)                                 \
    {                                                           \
        .head = (ptr), .head_size = (n), .fds = { -1, -1, -1 }, \
    }

struct control_reply {
    void *head; /* where the first part goes; at most head_size bytes */
    size_t head_size;
    void *body;
    size_t body_size;
    size_t size;              /* set: bytes that came */
    int fds[CONTROL_FDS_MAX]; /* set: the caller owns them; -1: none */
};

#define CONTROL_REPLY(ptr, n)                                   \
    {                                                           \
        .head = (ptr), .head_size = (n), .fds = { -1, -1, -1 }, \
    }

/*
 * Sends a request and waits for its reply. Returns the reply's result;
 * -EPIPE when the hypervisor has gone, -EPROTO if it answered nonsense. On a
 * negative result no descriptor is kept.
 */
long control_exchange(struct rs_client *c, enum control_type type,
                      const struct control_message *m, struct control_reply *r);

/* evtchn.c: remembers the descriptors of a port (takes them), forgets one. */
int ports_add(struct rs_client *c, uint32_t port, int rx, int tx);
void ports_remove(struct rs_client *c, uint32_t port);
void ports_clear(struct rs_client *c);

/* grant.c */
void windows_clear(struct rs_client *c);

#endif
