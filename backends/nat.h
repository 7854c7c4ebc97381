/*
 * Inside of a NAT network (link_slirp.c): what its parts know of each other.
 *
 *     link_slirp.c    the link: frames of the guest, checked, to libslirp
 *     nat_slirp.c     libslirp's instances: their sockets, clocks and timers
 *     nat_bounds.c    how much of it a guest may have, and who goes
 *     nat_forward.c   ports of the host that lead to the guest
 *     nat_arp.c       libslirp's questions for the guest's hardware address
 *
 * All of it runs on the event loop's thread.
 */
#ifndef RINGSIDE_BACKENDS_NAT_H
#define RINGSIDE_BACKENDS_NAT_H

#include <event2/event.h>
#include <slirp/libslirp.h>

#include "link.h"
#include "list.h"
#include "nat_clients.h"
#include "nat_flows.h"
#include "nat_packet.h"
#include "nat_reassembly.h"
#include "nat_bounds.h"

#define NAT_NEIGHBOURS 8

/* What is known of one descriptor. */
struct nat_fd {
    const struct nat *owner; /* whose it was when it was last looked at */
    uint32_t events;         /* in the epoll set; 0: not there */
    unsigned int turn;       /* of the last fill that wanted it */
    int slot;                /* in `ready` at that turn */
    bool listens;            /* a forwarded TCP port */
    bool datagram;           /* counted in n_datagram */
    struct nat_flow *flow;   /* TCP: whose it is, or NULL */
};

enum nat_side_id { NAT_SIDE_TCP, NAT_SIDE_DATAGRAM, NAT_SIDES };

/* An instance of libslirp. */
struct nat_side {
    struct nat *nat;
    Slirp *slirp;
    int64_t warp_ns; /* its clock is ahead by this */
};

/* An address of the guest's, and the hardware address that it came from. */
struct nat_neighbour {
    uint32_t address;
    uint8_t mac[6];
};

struct nat {
    struct link link;
    struct nat_side side[NAT_SIDES];
    bool host_loopback;
    struct link_forward forwards[LINK_FORWARDS_MAX];
    unsigned int n_forwards;

    struct nat_reassembly reassembly;
    struct nat_flows flows;
    struct nat_flow *opening; /* libslirp has its SYN in hand */
    struct nat_clients clients;
    int touch_fd;            /* says that it can be written, for eviction */
    unsigned int n_datagram; /* sockets for UDP and ICMP */
    struct link_stats stats;

    uint8_t mac[6];
    struct nat_neighbour neighbour[NAT_NEIGHBOURS];
    unsigned int last_neighbour, next_neighbour;
    uint32_t asked[NAT_NEIGHBOURS]; /* by libslirp, in ARP requests */
    unsigned int n_asked;

    struct event_base *base;
    struct event *ready_event, *timer;
    int epoll;
    unsigned int turn;
    unsigned int quiet; /* turns without anything to do */
    bool paused;

    int *wanted; /* descriptors of this turn, in order of slot */
    int *asks;   /* SLIRP_POLL_... that libslirp asked for, by slot */
    int *ready;  /* SLIRP_POLL_... by slot */
    unsigned int n_wanted, room_wanted;
};

/* ---- nat_slirp.c ---- */

/* What an instance of libslirp calls; its `opaque` is a struct nat_side. */
extern const SlirpCb nat_callbacks;

uint64_t nat_now_ms(void);

/* What is known of a descriptor; NULL: it is not, or no longer, this link's. */
struct nat_fd *nat_fd(const struct nat *nat, int fd);

/* Asks libslirp what it waits for, and until when. */
void nat_fill(struct nat *nat);

/* Lets an instance look at its timers and, if `sockets`, at what is ready. */
void nat_poll(struct nat_side *side, bool sockets);

/* A frame to libslirp, as if the guest had sent it. */
void nat_input(struct nat *nat, enum nat_side_id id, const void *frame,
               size_t len);

/* An event's callback: something is ready, or time has passed. */
void nat_turn(evutil_socket_t fd, short what, void *arg);

/* Before a datagram: libslirp knows the time only as of its last look. */
void nat_tell_time(struct nat *nat);

/* No descriptor is this link's any more. */
void nat_forget_fds(const struct nat *nat);

/* ---- nat_bounds.c ---- */

/* One more network shares the process's descriptors; one less. */
void nat_join_shares(void);
void nat_leave_shares(void);

/* May another connection to a forwarded port be accepted? */
bool nat_may_accept(const struct nat *nat);

/* A segment from before the window: libslirp acknowledges what it has. */
void nat_probe(struct nat *nat, const struct nat_flow *f);

/* Ends the connection, and tells the guest. False: it is still there. */
bool nat_evict(struct nat *nat, struct nat_flow *f);

/* Makes room for one more of that kind; false: there is none. */
bool nat_make_room(struct nat *nat, enum nat_flow_kind kind);

/* Ends datagram sockets that were idle for the longest until there is room. */
void nat_trim_datagrams(struct nat *nat);

/* ---- nat_forward.c ---- */

/* 0, or -errno with a line in why[n]. */
int nat_forward(struct nat *nat, const struct link_forward *f, char *why,
                size_t n);

/* After the first nat_fill(): more clients than one may wait for accept(). */
void nat_lengthen_backlogs(struct nat *nat);

/* The flow of a connection that libslirp has just accepted. */
struct nat_flow *nat_forwarded(struct nat *nat, int fd);

/* A frame for the guest, maybe a client's question: returns it as the guest is
 * to get it. */
const void *nat_asked(struct nat *nat, const void *frame, size_t len);

/* A datagram of the guest. True: it was the answer to a client. */
bool nat_answers_client(struct nat *nat, const struct nat_ipv4 *p,
                        const struct nat_transport *t, const void *frame,
                        size_t len);

/* ---- nat_arp.c ---- */

/* The guest was seen with this address. */
void nat_neighbour_seen(struct nat *nat, uint32_t address,
                        const uint8_t mac[6]);

/* An ARP packet of libslirp's. False: it is not for the guest. */
bool nat_arp_for_guest(struct nat_side *side, const struct nat_arp *arp);

/* Answers what libslirp asked of the guest. */
void nat_answer_arp(struct nat *nat);

#endif
