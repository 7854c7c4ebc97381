/*
 * The TCP connections of a NAT network: a table beside libslirp's own, which
 * has no bound and no interface to end a connection.
 *
 * There is an entry for each connection that holds a descriptor. It knows what
 * is needed to end the connection from outside (the sequence number that
 * libslirp accepts), and how much libslirp may hold of data that is out of
 * order. The order of use tells which connection has been idle longest; one
 * that is closing counts as older than all others.
 */
#ifndef RINGSIDE_BACKENDS_NAT_FLOWS_H
#define RINGSIDE_BACKENDS_NAT_FLOWS_H

#include "list.h"
#include "nat_packet.h"

#define NAT_FLOW_BUCKETS 256 /* a power of two */

/*
 * Segments beyond the last acknowledgement that libslirp may hold, of one
 * connection and of all of a guest. Frames on a ring are not reordered, so a
 * decent guest has few.
 */
#define NAT_UNACKED_MAX     128
#define NAT_UNACKED_ALL_MAX 1024

/* Who began it. */
enum nat_flow_kind { NAT_OUTGOING, NAT_FORWARDED, NAT_FLOW_KINDS };

struct nat_flow {
    struct list bucket, order;
    enum nat_flow_kind kind;
    uint32_t guest, remote;
    uint16_t guest_port, remote_port;
    int fd;        /* libslirp's, -1: none yet */
    uint64_t used; /* ms */
    bool answered; /* libslirp has acknowledged something */
    bool closing;  /* both sides have ended it, or one has reset it */
    bool fin_guest, fin_remote;

    uint32_t first;       /* sequence number of the SYN, whoever sent it */
    uint32_t acked;       /* what libslirp acknowledged last */
    uint32_t edge;        /* end of the window that it offered */
    uint32_t high;        /* end of what was passed to it, within the window */
    uint32_t last_ack;    /* what the guest acknowledged last, */
    uint16_t window;      /* and the window that it offered */
    unsigned int unacked; /* segments passed since acked was high */
};

struct nat_flows {
    struct list bucket[NAT_FLOW_BUCKETS];
    struct list order[NAT_FLOW_KINDS]; /* the one idle longest first */
    unsigned int n[NAT_FLOW_KINDS];
    unsigned int unacked; /* of all */
};

void nat_flows_init(struct nat_flows *t);
void nat_flows_clear(struct nat_flows *t);

/* The newest one: a client may come again from the same port while libslirp
 * keeps what it ended before, which needs nothing of the guest any more. */
struct nat_flow *nat_flow_find(struct nat_flows *t, uint32_t guest,
                               uint16_t guest_port, uint32_t remote,
                               uint16_t remote_port);

/* NULL: no memory. `kind`, addresses and ports are taken from *key. */
struct nat_flow *nat_flow_add(struct nat_flows *t, const struct nat_flow *key);
void nat_flow_remove(struct nat_flows *t, struct nat_flow *f);

/* The one that is to go first; NULL: there is none. */
struct nat_flow *nat_flow_oldest(struct nat_flows *t, enum nat_flow_kind kind);

/*
 * A segment of the guest comes. False: libslirp must not get it now, since it
 * holds as much unacknowledged data as it may, or this is beyond its window. A
 * sender keeps what was not acknowledged and sends it again.
 */
bool nat_flow_may_send(const struct nat_flows *t, const struct nat_flow *f,
                       const struct nat_transport *s);

/*
 * Does libslirp hold as much as it may? An acknowledgement (nat_flow_received)
 * may end this.
 */
bool nat_flow_is_full(const struct nat_flows *t, const struct nat_flow *f);

/* The segment is passed to libslirp. */
void nat_flow_sent(struct nat_flows *t, struct nat_flow *f,
                   const struct nat_transport *s, uint64_t now);

/* A segment of libslirp to the guest. */
void nat_flow_received(struct nat_flows *t, struct nat_flow *f,
                       const struct nat_transport *s, uint64_t now);

#endif
