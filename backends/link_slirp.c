/*
 * A NAT network of one guest, in this process and without privilege: libslirp.
 *
 * The network is 10.0.2.0/24: the guest gets 10.0.2.15 by DHCP, the gateway
 * is 10.0.2.2, a name server answers at 10.0.2.3. IPv4 only.
 *
 * libslirp is not meant for a hostile guest, so it is walled in from here:
 * frames are checked whole (nat_packet.h), fragments are reassembled
 * (nat_reassembly.h), and what it holds is bounded (nat_flows.h, below).
 *
 * There are two instances of it, for TCP and for datagrams (UDP and ICMP). Its
 * datagram sockets live for four minutes after their last use, by the clock
 * that we give it, and it has no other end for them: when there are too many
 * the clock of that instance is set forward for a moment. TCP's timers must not
 * see this.
 *
 * libslirp wants to be asked before every sleep which descriptors it waits
 * for. They go into an epoll set of our own, of which only the changes are
 * told to the kernel; the event loop watches that one set. So a network costs
 * the loop one descriptor, and nothing while it is idle.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <slirp/libslirp.h>

#include "link.h"
#include "list.h"
#include "nat_clients.h"
#include "nat_flows.h"
#include "nat_packet.h"
#include "nat_reassembly.h"
#include "nat_slirp.h"

#define POLL_BATCH 64
#define BACKLOG    128
/*
 * What libslirp says when it waits for no time in particular. It is asked some
 * times more (for frames that wait for an ARP answer), and then left alone.
 */
#define NOTHING_MS  1000
#define QUIET_TURNS 3

/* libslirp expires datagram sockets this long after their last use. */
#define DATAGRAM_LIFE_MS 240000

/* A client of a forwarded port may be idle for so long when others wait. */
#define FORWARDED_IDLE_MS 10000

#define NEIGHBOURS 8

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
    struct nat_neighbour neighbour[NEIGHBOURS];
    unsigned int last_neighbour, next_neighbour;
    uint32_t asked[NEIGHBOURS]; /* by libslirp, in ARP requests */
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

struct nat_timer {
    SlirpTimerCb fn;
    void *arg;
    struct event *event;
};

/* By number. Numbers are the process's, and so is the table: it grows with the
 * highest of all links, once. */
static struct nat_fd *fds;
static unsigned int n_fds;

/* NAT networks of this process; they share its descriptors (RLIMIT_NOFILE, as
 * it was when the last network was made). */
static unsigned int n_nats;
static uint64_t max_descriptors;

/* What libslirp, all instances of it, believes to be the time (ms). */
static uint64_t slirp_time;

static struct nat *nat_of(struct link *link)
{
    return container_of(link, struct nat, link);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t now_ms(void)
{
    return (uint64_t)now_ns() / 1000000;
}

/*
 * How many of `max` descriptors a network may have now: half of the process's
 * descriptors are for NAT, in equal shares.
 */
static unsigned int nat_share(unsigned int max)
{
    const unsigned int all =
        NAT_CONNECTIONS_MAX + NAT_FORWARDED_MAX + NAT_DATAGRAM_MAX;
    uint64_t share = max_descriptors / 2 / n_nats * max / all;

    if (share < NAT_SHARE_MIN)
        return NAT_SHARE_MIN;
    return share < max ? (unsigned int)share : max;
}

static void nat_join_shares(void)
{
    struct rlimit r;

    max_descriptors = 0;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0)
        max_descriptors = r.rlim_cur < INT_MAX ? r.rlim_cur : INT_MAX;
    n_nats++;
}

/* ---- what libslirp asks of us ---- */

static void nat_answered(struct nat *nat, const uint8_t *frame, size_t len)
{
    struct nat_transport t;
    struct nat_ipv4 p;
    struct nat_flow *f;

    if (!nat_parse_ipv4(frame, len, &p) || p.protocol != NAT_TCP ||
        !nat_parse_transport(&p, &t))
        return;
    f = nat_flow_find(&nat->flows, p.dst, t.dport, p.src, t.sport);
    if (f)
        nat_flow_received(&nat->flows, f, &t, now_ms());
}

static const struct nat_neighbour *nat_neighbour_find(const struct nat *nat,
                                                      uint32_t address)
{
    for (unsigned int i = 0; i < NEIGHBOURS; i++)
        if (nat->neighbour[i].address == address)
            return &nat->neighbour[i];
    return NULL;
}

/*
 * An ARP packet of libslirp's. A question for an address that the guest was
 * seen with we answer ourselves, later (nat_answer_arp): libslirp keeps packets
 * while it waits, any number of them. False: it is not for the guest.
 */
static bool nat_arp_for_guest(struct nat_side *side, const struct nat_arp *arp)
{
    struct nat *nat = side->nat;

    if (!arp->request)
        return side == &nat->side[NAT_SIDE_TCP]; /* both were asked */
    if (!nat_neighbour_find(nat, arp->target))
        return true;
    if (nat->n_asked < NEIGHBOURS)
        nat->asked[nat->n_asked++] = arp->target;
    return false;
}

static bool nat_is_forwarded_udp(const struct nat *nat, uint16_t guest_port)
{
    for (unsigned int i = 0; i < nat->n_forwards; i++)
        if (nat->forwards[i].udp && nat->forwards[i].guest_port == guest_port)
            return true;
    return false;
}

/*
 * A packet for the guest, of a client in the host's loopback network: libslirp
 * has given it the gateway's address, or has not (see nat_clients.h). Returns
 * the frame as the guest is to get it.
 */
static const void *nat_asked(struct nat *nat, const void *frame, size_t len)
{
    static uint8_t translated[LINK_FRAME_MAX]; /* there is one thread */
    struct nat_client who = { .asked = now_ms() };
    struct nat_ipv4 p;

    if (!nat_parse_ipv4(frame, len, &p) ||
        !(NAT_IS_LOOPBACK(p.src) || p.src == NAT_GATEWAY))
        return frame;
    who.address = NAT_IS_LOOPBACK(p.src) ? p.src : INADDR_LOOPBACK;
    if (nat_udp_ports(&p, &who.port, &who.guest_port) &&
        !nat_is_dhcp_answer(&p) && nat_is_forwarded_udp(nat, who.guest_port))
        nat_client_asks(&nat->clients, &who);
    if (p.src == NAT_GATEWAY)
        return frame;
    memcpy(translated, frame, len);
    nat_set_source(translated, NAT_GATEWAY);
    return translated;
}

static ssize_t nat_send_packet(const void *buf, size_t len, void *opaque)
{
    struct nat_side *side = opaque;
    struct nat *nat = side->nat;
    struct nat_arp arp;

    if (len > LINK_FRAME_MAX)
        return (ssize_t)len;
    if (nat_parse_arp(buf, len, &arp)) {
        if (!nat_arp_for_guest(side, &arp))
            return (ssize_t)len;
    } else if (side == &nat->side[NAT_SIDE_TCP]) {
        nat_answered(nat, buf, len);
    } else {
        buf = nat_asked(nat, buf, len);
    }
    nat->link.user.receive(nat->link.user.arg, buf, len);
    return (ssize_t)len;
}

static void nat_guest_error(const char *msg, void *opaque)
{
    (void)msg; /* a guest could fill the log with these */
    (void)opaque;
}

static int64_t nat_clock_ns(void *opaque)
{
    const struct nat_side *side = opaque;

    return now_ns() + side->warp_ns;
}

static void nat_timer_fired(evutil_socket_t fd, short what, void *arg)
{
    struct nat_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

static void *nat_timer_new(SlirpTimerCb fn, void *arg, void *opaque)
{
    struct nat *nat = ((struct nat_side *)opaque)->nat;
    struct nat_timer *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    t->event = evtimer_new(nat->base, nat_timer_fired, t);
    if (!t->event) {
        free(t);
        return NULL;
    }
    return t;
}

static void nat_timer_free(void *timer, void *opaque)
{
    struct nat_timer *t = timer;

    (void)opaque;
    if (t) {
        event_free(t->event);
        free(t);
    }
}

static void nat_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    struct nat_timer *t = timer;
    int64_t ms = expire_ms - nat_clock_ns(opaque) / 1000000;
    struct timeval tv;

    if (!t)
        return;
    if (ms < 0)
        ms = 0;
    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;
    evtimer_add(t->event, &tv);
}

/* NULL: it is not, or no longer, this link's. */
static struct nat_fd *nat_fd(const struct nat *nat, int fd)
{
    if (fd < 0 || (unsigned int)fd >= n_fds || fds[fd].owner != nat)
        return NULL;
    return &fds[fd];
}

static struct nat_fd *nat_fd_take(const struct nat *nat, int fd)
{
    if (fd < 0)
        return NULL;
    if ((unsigned int)fd >= n_fds) {
        unsigned int n = (unsigned int)fd * 2 + 64;
        struct nat_fd *grown = realloc(fds, n * sizeof(*grown));

        if (!grown)
            return NULL;
        memset(grown + n_fds, 0, (n - n_fds) * sizeof(*grown));
        fds = grown;
        n_fds = n;
    }
    if (fds[fd].owner != nat)
        fds[fd] = (struct nat_fd){ .owner = nat };
    return &fds[fd];
}

static void nat_unwatch(const struct nat *nat, int fd, struct nat_fd *f)
{
    if (f->events)
        epoll_ctl(nat->epoll, EPOLL_CTL_DEL, fd, NULL);
    f->events = 0;
}

/* The flow of a connection that libslirp has just accepted. */
static struct nat_flow *nat_forwarded(struct nat *nat, int fd)
{
    struct nat_flow key = { .kind = NAT_FORWARDED, .guest = NAT_GUEST };
    struct sockaddr_in peer, own;
    socklen_t n = sizeof(peer), m = sizeof(own);

    if (getpeername(fd, (struct sockaddr *)&peer, &n) ||
        getsockname(fd, (struct sockaddr *)&own, &m))
        return NULL;
    key.remote = ntohl(peer.sin_addr.s_addr);
    if (key.remote >> 24 == 127 || key.remote == 0)
        key.remote = NAT_GATEWAY; /* so libslirp shows the host to the guest */
    key.remote_port = ntohs(peer.sin_port);
    for (unsigned int i = 0; i < nat->n_forwards; i++) {
        const struct link_forward *f = &nat->forwards[i];

        if (!f->udp && f->host_port == ntohs(own.sin_port) &&
            (f->host.s_addr == own.sin_addr.s_addr || !f->host.s_addr))
            key.guest_port = f->guest_port;
    }
    key.used = now_ms();
    return nat_flow_add(&nat->flows, &key);
}

/* A socket that is not one of a forwarded port's own. */
static void nat_register_fd(int fd, void *opaque)
{
    struct nat_side *side = opaque;
    struct nat *nat = side->nat;
    struct nat_fd *f = nat_fd_take(nat, fd);

    if (!f)
        return;
    if (side == &nat->side[NAT_SIDE_DATAGRAM]) {
        f->datagram = true;
        nat->n_datagram++;
        return;
    }
    f->flow = nat->opening ? nat->opening : nat_forwarded(nat, fd);
    if (f->flow)
        f->flow->fd = fd;
}

/* It is about to be closed; the number may come back for another socket. */
static void nat_unregister_fd(int fd, void *opaque)
{
    struct nat *nat = ((struct nat_side *)opaque)->nat;
    struct nat_fd *f = nat_fd(nat, fd);

    if (!f)
        return;
    nat_unwatch(nat, fd, f);
    nat->n_datagram -= f->datagram;
    if (f->flow && f->flow == nat->opening)
        nat->opening = NULL;
    if (f->flow)
        nat_flow_remove(&nat->flows, f->flow);
    *f = (struct nat_fd){ .owner = NULL };
}

static void nat_notify(void *opaque)
{
    (void)opaque; /* one thread: whoever fed libslirp flushes afterwards */
}

static const SlirpCb nat_callbacks = {
    .send_packet = nat_send_packet,
    .guest_error = nat_guest_error,
    .clock_get_ns = nat_clock_ns,
    .timer_new = nat_timer_new,
    .timer_free = nat_timer_free,
    .timer_mod = nat_timer_mod,
    .register_poll_fd = nat_register_fd,
    .unregister_poll_fd = nat_unregister_fd,
    .notify = nat_notify,
};

/* ---- descriptors that libslirp waits for ---- */

static const struct {
    int slirp;
    uint32_t epoll;
} event_bits[] = {
    { SLIRP_POLL_IN, EPOLLIN },   { SLIRP_POLL_OUT, EPOLLOUT },
    { SLIRP_POLL_PRI, EPOLLPRI }, { SLIRP_POLL_ERR, EPOLLERR },
    { SLIRP_POLL_HUP, EPOLLHUP },
};
#define EVENT_BITS (sizeof(event_bits) / sizeof(event_bits[0]))

static uint32_t to_epoll(int events)
{
    uint32_t to = 0;

    for (unsigned int i = 0; i < EVENT_BITS; i++)
        if (events & event_bits[i].slirp)
            to |= event_bits[i].epoll;
    return to;
}

static int from_epoll(uint32_t events)
{
    int to = 0;

    for (unsigned int i = 0; i < EVENT_BITS; i++)
        if (events & event_bits[i].epoll)
            to |= event_bits[i].slirp;
    return to;
}

static void nat_watch(struct nat *nat, int fd, struct nat_fd *f,
                      uint32_t events)
{
    struct epoll_event e = { .events = events, .data.fd = fd };
    int op = f->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (f->events == events)
        return;
    if (epoll_ctl(nat->epoll, op, fd, &e) == 0)
        f->events = events;
}

static bool nat_wanted_grow(struct nat *nat)
{
    unsigned int n = nat->room_wanted ? nat->room_wanted * 2 : 64;
    int **lists[] = { &nat->wanted, &nat->asks, &nat->ready };

    for (unsigned int i = 0; i < 3; i++) {
        int *grown = realloc(*lists[i], n * sizeof(int));

        if (!grown)
            return false;
        *lists[i] = grown;
    }
    nat->room_wanted = n;
    return true;
}

/* May another connection to a forwarded port be accepted? */
static bool nat_may_accept(const struct nat *nat)
{
    return nat->flows.n[NAT_FORWARDED] < nat_share(NAT_FORWARDED_MAX);
}

static int nat_add_poll(int fd, int events, void *opaque)
{
    struct nat *nat = opaque;
    struct nat_fd *f = nat_fd_take(nat, fd);

    if (!f)
        return -1;
    if (nat->n_wanted == nat->room_wanted && !nat_wanted_grow(nat))
        return -1;
    if (f->listens && !nat_may_accept(nat))
        nat_unwatch(nat, fd, f); /* clients wait in the host's kernel */
    else
        nat_watch(nat, fd, f, to_epoll(events));
    f->turn = nat->turn;
    f->slot = (int)nat->n_wanted;
    nat->wanted[nat->n_wanted] = fd;
    nat->asks[nat->n_wanted] = events;
    nat->ready[nat->n_wanted] = 0;
    return (int)nat->n_wanted++;
}

/* Takes out of the set what the last turn wanted and this one does not. */
static void nat_unwatch_rest(struct nat *nat, const int *before, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        struct nat_fd *f = nat_fd(nat, before[i]);

        if (f && f->turn != nat->turn)
            nat_unwatch(nat, before[i], f);
    }
}

/* Asks libslirp what it waits for, and until when. */
static void nat_fill(struct nat *nat)
{
    uint32_t ms = UINT32_MAX;
    unsigned int n = nat->n_wanted;
    int *before = n ? malloc(n * sizeof(int)) : NULL;

    if (n && !before)
        return; /* the set stays as it was: no harm but lost time */
    if (n)
        memcpy(before, nat->wanted, n * sizeof(int));
    nat->turn++;
    nat->n_wanted = 0;
    for (unsigned int i = 0; i < NAT_SIDES; i++)
        slirp_pollfds_fill(nat->side[i].slirp, &ms, nat_add_poll, nat);
    nat_unwatch_rest(nat, before, n);
    free(before);

    if (ms >= NOTHING_MS && nat->quiet >= QUIET_TURNS) {
        evtimer_del(nat->timer);
    } else {
        struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

        evtimer_add(nat->timer, &tv);
    }
}

static int nat_revents(int slot, void *opaque)
{
    struct nat *nat = opaque;
    const struct nat_fd *f;
    int events;

    if (slot < 0 || (unsigned int)slot >= nat->n_wanted)
        return 0;
    f = nat_fd(nat, nat->wanted[slot]);
    if (nat->touch_fd >= 0)
        return nat->wanted[slot] == nat->touch_fd ? SLIRP_POLL_OUT : 0;
    events = nat->ready[slot];
    /*
     * libslirp reads from a socket with an error, and aborts if it has no room
     * for what it reads. Where it did not ask to read let it write, which finds
     * the error as well; but not while it connects, when reading is right.
     */
    if (f && f->flow && f->flow->answered &&
        !(nat->asks[slot] & SLIRP_POLL_IN) && events)
        events = SLIRP_POLL_OUT;
    return events;
}

/* Lets an instance look at its timers and, if `sockets`, at what is ready. */
static void nat_poll(struct nat_side *side, bool sockets)
{
    slirp_pollfds_poll(side->slirp, !sockets, nat_revents, side->nat);
    slirp_time = (uint64_t)(now_ns() + side->warp_ns) / 1000000;
}

/* ---- frames to libslirp ---- */

static void nat_input(struct nat *nat, enum nat_side_id id, const void *frame,
                      size_t len)
{
    slirp_input(nat->side[id].slirp, frame, (int)len);
}

/* Answers what libslirp asked of the guest; see nat_arp_for_guest(). */
static void nat_answer_arp(struct nat *nat)
{
    uint8_t frame[NAT_ARP_FRAME];

    while (nat->n_asked) {
        uint32_t address = nat->asked[--nat->n_asked];
        const struct nat_neighbour *n = nat_neighbour_find(nat, address);

        if (!n)
            continue;
        nat_build_arp_reply(frame, address, n->mac);
        for (unsigned int i = 0; i < NAT_SIDES; i++) {
            nat_input(nat, i, frame, sizeof(frame));
            nat_poll(&nat->side[i], false); /* sends what waited */
        }
    }
}

/* The guest was seen with this address. */
static void nat_neighbour_seen(struct nat *nat, uint32_t address,
                               const uint8_t mac[6])
{
    struct nat_neighbour *n = &nat->neighbour[nat->last_neighbour];

    if (n->address != address) {
        for (unsigned int i = 0; i < NEIGHBOURS; i++)
            if (nat->neighbour[i].address == address)
                nat->last_neighbour = i;
        n = &nat->neighbour[nat->last_neighbour];
    }
    if (n->address != address) {
        nat->last_neighbour = nat->next_neighbour++ % NEIGHBOURS;
        n = &nat->neighbour[nat->last_neighbour];
        n->address = address;
    }
    memcpy(n->mac, mac, 6);
}

/* ---- bounds: TCP ---- */

/* A segment without data, as if the guest had sent it. */
static void nat_inject(struct nat *nat, const struct nat_flow *f, uint8_t flags,
                       uint32_t seq, uint32_t ack)
{
    struct nat_ipv4 p = {
        .src = f->guest, .dst = f->remote, .protocol = NAT_TCP, .ttl = 64
    };
    struct nat_transport t = { .sport = f->guest_port,
                               .dport = f->remote_port,
                               .seq = seq,
                               .ack = ack,
                               .flags = flags,
                               .window = f->window };
    uint8_t frame[NAT_SEGMENT_FRAME];

    memcpy(p.mac, nat->mac, 6);
    nat_build_segment(frame, &p, &t);
    nat_input(nat, NAT_SIDE_TCP, frame, sizeof(frame));
}

/* A segment from before the window: libslirp acknowledges what it has. */
static void nat_probe(struct nat *nat, const struct nat_flow *f)
{
    nat_inject(nat, f, NAT_ACK, f->acked - 1, f->last_ack);
}

/* Is the descriptor still that flow's? f may be gone. */
static bool nat_flow_lives(const struct nat *nat, int fd,
                           const struct nat_flow *f)
{
    const struct nat_fd *of = nat_fd(nat, fd);

    return of && of->flow == f;
}

/*
 * Ends the connection, and tells the guest. A SYN inside of the window is an
 * error that makes libslirp reset and close a connection, in whatever state;
 * but it ignores everything while it connects to the outside, until it is told
 * that the socket is ready. False: it is still there.
 */
static bool nat_evict(struct nat *nat, struct nat_flow *f)
{
    int fd = f->fd;

    if (fd < 0)
        return false;
    if (f->answered) {
        nat_probe(nat, f); /* for the window as it is now */
        if (nat_flow_lives(nat, fd, f))
            nat_inject(nat, f, NAT_SYN, f->edge, 0);
    } else if (f->kind == NAT_FORWARDED) {
        /* The guest has not answered the SYN: it refuses. */
        nat_inject(nat, f, NAT_RST | NAT_ACK, 0, f->first + 1);
    } else {
        nat_fill(nat);
        nat->touch_fd = fd;
        nat_poll(&nat->side[NAT_SIDE_TCP], true);
        nat->touch_fd = -1;
        if (nat_flow_lives(nat, fd, f))
            nat_inject(nat, f, NAT_SYN, f->answered ? f->edge : f->first + 1,
                       0);
    }
    if (nat_flow_lives(nat, fd, f))
        return false;
    nat->stats.flows_evicted++;
    return true;
}

/* Makes room for one more of that kind; false: there is none. */
static bool nat_make_room(struct nat *nat, enum nat_flow_kind kind)
{
    static const unsigned int max[] = { NAT_CONNECTIONS_MAX,
                                        NAT_FORWARDED_MAX };
    unsigned int limit = nat_share(max[kind]);
    unsigned int tries = nat->flows.n[kind];

    for (; nat->flows.n[kind] >= limit && tries; tries--) {
        struct nat_flow *f = nat_flow_oldest(&nat->flows, kind);

        /* Clients from outside do not push each other out. */
        if (kind == NAT_FORWARDED && !f->closing &&
            now_ms() - f->used < FORWARDED_IDLE_MS)
            return false;
        if (!nat_evict(nat, f))
            return false;
    }
    return nat->flows.n[kind] < limit;
}

/* ---- bounds: datagrams ---- */

/* Ends sockets that were idle for the longest until there is room again. */
static void nat_trim_datagrams(struct nat *nat)
{
    static const int ages[] = { 120000, 60000, 30000, 15000, 8000,
                                4000,   2000,  1000,  500,   0 };
    struct nat_side *side = &nat->side[NAT_SIDE_DATAGRAM];
    unsigned int limit = nat_share(NAT_DATAGRAM_MAX), before = nat->n_datagram;

    if (before < limit)
        return;
    for (unsigned int i = 0;
         i < sizeof(ages) / sizeof(ages[0]) && nat->n_datagram > limit / 4 * 3;
         i++) {
        side->warp_ns = (DATAGRAM_LIFE_MS - ages[i]) * (int64_t)1000000;
        nat_poll(side, false); /* tells it the time */
        nat_fill(nat);         /* ends what is over */
        side->warp_ns = 0;
        nat_poll(side, false);
    }
    nat->stats.flows_evicted += before - nat->n_datagram;
}

/* Something is ready, or time has passed. */
static void nat_turn(evutil_socket_t fd, short what, void *arg)
{
    struct epoll_event events[POLL_BATCH];
    struct nat *nat = arg;
    int n = 0;

    (void)fd;
    (void)what;
    nat_reassembly_expire(&nat->reassembly, now_ms());
    if (!nat->paused)
        n = epoll_wait(nat->epoll, events, POLL_BATCH, 0);
    nat->quiet = n > 0 ? 0 : nat->quiet + 1;
    for (int i = 0; i < n; i++) {
        const struct nat_fd *f = nat_fd(nat, events[i].data.fd);

        if (f && f->events && f->turn == nat->turn)
            nat->ready[f->slot] = from_epoll(events[i].events);
    }
    for (unsigned int i = 0; i < NAT_SIDES; i++)
        nat_poll(&nat->side[i], true);
    nat_answer_arp(nat);
    if (!nat_may_accept(nat))
        nat_make_room(nat, NAT_FORWARDED);
    nat_fill(nat);
}

/* ---- the link ---- */

static void nat_close(struct link *link)
{
    struct nat *nat = nat_of(link);

    for (unsigned int i = 0; i < NAT_SIDES; i++)
        if (nat->side[i].slirp)
            slirp_cleanup(nat->side[i].slirp);
    if (nat->ready_event)
        event_free(nat->ready_event);
    if (nat->timer)
        event_free(nat->timer);
    for (unsigned int i = 0; i < n_fds; i++)
        if (fds[i].owner == nat)
            fds[i] = (struct nat_fd){ .owner = NULL };
    if (nat->epoll >= 0)
        close(nat->epoll);
    nat_flows_clear(&nat->flows);
    nat_reassembly_clear(&nat->reassembly);
    free(nat->wanted);
    free(nat->asks);
    free(nat->ready);
    free(nat);
    n_nats--;
}

static int nat_forward(struct nat *nat, const struct link_forward *f, char *why,
                       size_t n)
{
    struct in_addr guest = { .s_addr = htonl(NAT_GUEST) };
    char address[INET_ADDRSTRLEN];
    int err;

    Slirp *slirp = nat->side[f->udp ? NAT_SIDE_DATAGRAM : NAT_SIDE_TCP].slirp;

    errno = 0;
    if (slirp_add_hostfwd(slirp, f->udp, f->host, f->host_port, guest,
                          f->guest_port) == 0)
        return 0;
    err = errno ? errno : EIO;
    inet_ntop(AF_INET, &f->host, address, sizeof(address));
    if (err == EADDRINUSE)
        snprintf(why, n, "%s port %u on %s is taken", f->udp ? "UDP" : "TCP",
                 f->host_port, address);
    else
        snprintf(why, n, "cannot forward %s port %u on %s: %s",
                 f->udp ? "UDP" : "TCP", f->host_port, address, strerror(err));
    return -err;
}

/*
 * libslirp listens with a backlog of one connection: of clients that come
 * together most would wait for a second. Listening again makes it longer.
 */
static void nat_lengthen_backlogs(struct nat *nat)
{
    for (unsigned int i = 0; i < nat->n_wanted; i++) {
        socklen_t len = sizeof(int);
        int listens = 0;

        if (getsockopt(nat->wanted[i], SOL_SOCKET, SO_ACCEPTCONN, &listens,
                       &len) == 0 &&
            listens) {
            listen(nat->wanted[i], BACKLOG);
            fds[nat->wanted[i]].listens = true;
        }
    }
}

static void nat_config(const struct link_config *config, SlirpConfig *c)
{
    memset(c, 0, sizeof(*c));
    c->version = 4;
    c->in_enabled = true;
    c->vnetwork.s_addr = htonl(0x0a000200);
    c->vnetmask.s_addr = htonl(0xffffff00);
    c->vhost.s_addr = htonl(0x0a000202);
    c->vnameserver.s_addr = htonl(0x0a000203);
    c->vdhcp_start.s_addr = htonl(NAT_GUEST);
    c->vhostname = "guest";
    c->if_mtu = config->mtu;
    c->if_mru = config->mtu;
    c->disable_host_loopback = !config->host_loopback;
}

static int nat_open(struct event_base *base, const struct link_config *config,
                    const struct link_user *user, struct link **out, char *why,
                    size_t n)
{
    struct nat *nat = calloc(1, sizeof(*nat));
    SlirpConfig c;
    int err = -ENOMEM;

    if (!nat)
        return -ENOMEM;
    nat_join_shares();
    nat->link.ops = &link_slirp;
    nat->link.user = *user;
    nat->base = base;
    nat->touch_fd = -1;
    nat->host_loopback = config->host_loopback;
    memcpy(nat->mac, config->mac, sizeof(nat->mac));
    memcpy(nat->forwards, config->forwards, sizeof(nat->forwards));
    nat->n_forwards = config->n_forwards;
    nat_flows_init(&nat->flows);
    nat->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (nat->epoll < 0) {
        err = -errno;
        goto out;
    }
    nat->ready_event =
        event_new(base, nat->epoll, EV_READ | EV_PERSIST, nat_turn, nat);
    nat->timer = evtimer_new(base, nat_turn, nat);
    nat_config(config, &c);
    for (unsigned int i = 0; i < NAT_SIDES; i++) {
        nat->side[i].nat = nat;
        nat->side[i].slirp = slirp_new(&c, &nat_callbacks, &nat->side[i]);
        if (!nat->side[i].slirp)
            goto out;
    }
    if (!nat->ready_event || !nat->timer)
        goto out;
    for (unsigned int i = 0; i < config->n_forwards; i++) {
        err = nat_forward(nat, &config->forwards[i], why, n);
        if (err)
            goto close;
    }
    event_add(nat->ready_event, NULL);
    nat_fill(nat);
    nat_lengthen_backlogs(nat);
    *out = &nat->link;
    return 0;
out:
    snprintf(why, n, "cannot set up a NAT network: %s", strerror(-err));
close:
    nat_close(&nat->link);
    return err;
}

/* ---- frames of the guest ---- */

static bool nat_mac_known(const struct nat *nat)
{
    static const uint8_t none[6];

    return memcmp(nat->mac, none, sizeof(none)) != 0;
}

static void nat_refuse(struct nat *nat, const struct nat_ipv4 *p,
                       const struct nat_transport *t)
{
    uint8_t frame[NAT_REFUSAL_MAX];
    size_t len = nat_build_refusal(frame, p, t);

    if (len)
        nat->link.user.receive(nat->link.user.arg, frame, len);
}

/*
 * The segment begins a connection, maybe in the place of an older one of the
 * same addresses and ports. NULL: it must not.
 */
static struct nat_flow *nat_begin(struct nat *nat, const struct nat_ipv4 *p,
                                  const struct nat_transport *t,
                                  struct nat_flow *old)
{
    struct nat_flow key = { .kind = NAT_OUTGOING,
                            .guest = p->src,
                            .remote = p->dst,
                            .guest_port = t->sport,
                            .remote_port = t->dport,
                            .used = now_ms() };
    struct nat_flow *f;

    if ((old && !nat_evict(nat, old)) || !nat_make_room(nat, NAT_OUTGOING))
        return NULL;
    f = nat_flow_add(&nat->flows, &key);
    if (f) {
        f->first = t->seq;
        f->window = t->window;
    }
    return f;
}

/* A SYN for a connection that there is: the same once more, or a new one? */
static bool is_again(const struct nat_flow *f, const struct nat_transport *t)
{
    return f->kind == NAT_OUTGOING && f->first == t->seq;
}

static void nat_tcp(struct nat *nat, const struct nat_ipv4 *p,
                    const struct nat_transport *t, const void *frame,
                    size_t len)
{
    struct nat_flow *f =
        nat_flow_find(&nat->flows, p->src, t->sport, p->dst, t->dport);

    if (!(f && f->kind == NAT_FORWARDED) &&
        !nat_may_reach(p->dst, NAT_TCP, t->dport, nat->host_loopback)) {
        nat->stats.filtered++;
        nat_refuse(nat, p, t);
        return;
    }
    if ((t->flags & (NAT_SYN | NAT_ACK)) == NAT_SYN && !(f && is_again(f, t))) {
        f = nat_begin(nat, p, t, f);
        if (!f) {
            nat->stats.flows_refused++;
            nat_refuse(nat, p, t);
            return;
        }
        nat->opening = f;
        nat_input(nat, NAT_SIDE_TCP, frame, len);
        if (nat->opening && f->fd < 0)
            nat_flow_remove(&nat->flows, f); /* there was no descriptor */
        nat->opening = NULL;
        return;
    }
    if (f && f->answered && (t->flags & NAT_SYN)) {
        nat_probe(nat, f); /* it is acknowledged once more */
        return;
    }
    if (f && !nat_flow_may_send(&nat->flows, f, t)) {
        if (nat_flow_is_full(&nat->flows, f))
            nat_probe(nat, f);
        f = nat_flow_find(&nat->flows, p->src, t->sport, p->dst, t->dport);
        if (f && !nat_flow_may_send(&nat->flows, f, t)) {
            nat->stats.filtered++;
            return;
        }
    }
    if (f)
        nat_flow_sent(&nat->flows, f, t, now_ms());
    nat_input(nat, NAT_SIDE_TCP, frame, len);
}

/* The true address of the client that the guest answers; 0: it answers none. */
static uint32_t nat_client_of(const struct nat *nat, const struct nat_ipv4 *p,
                              const struct nat_transport *t)
{
    if (p->protocol != NAT_UDP || p->src != NAT_GUEST ||
        p->dst != NAT_GATEWAY || !nat_is_forwarded_udp(nat, t->sport))
        return 0;
    return nat_client_find(&nat->clients, t->dport, t->sport, now_ms());
}

static void nat_answer_client(struct nat *nat, uint32_t client,
                              const void *frame, size_t len)
{
    static uint8_t translated[NAT_FRAME_MAX]; /* there is one thread */

    memcpy(translated, frame, len);
    nat_set_destination(translated, client);
    nat_input(nat, NAT_SIDE_DATAGRAM, translated, len);
}

static void nat_datagram(struct nat *nat, const struct nat_ipv4 *p,
                         const struct nat_transport *t, const void *frame,
                         size_t len)
{
    bool is_dhcp = nat_is_dhcp(p, t, nat->mac);
    uint32_t client = is_dhcp ? 0 : nat_client_of(nat, p, t);

    if (client) {
        nat_answer_client(nat, client, frame, len);
        return;
    }
    if (!is_dhcp &&
        !nat_may_reach(p->dst, p->protocol, t->dport, nat->host_loopback)) {
        nat->stats.filtered++;
        nat_refuse(nat, p, t);
        return;
    }
    if (now_ms() - slirp_time > 1000)
        nat_poll(&nat->side[NAT_SIDE_DATAGRAM], false);
    nat_input(nat, NAT_SIDE_DATAGRAM, frame, len);
    nat_trim_datagrams(nat);
}

/* A whole packet; `frame` is around it, as the guest or as we built it. */
static void nat_packet(struct nat *nat, const struct nat_ipv4 *p,
                       const void *frame, size_t len)
{
    struct nat_transport t;

    if (!nat_parse_transport(p, &t) ||
        !(nat_is_guest(p->src) || nat_is_dhcp(p, &t, nat->mac))) {
        nat->stats.filtered++;
        return;
    }
    if (p->src)
        nat_neighbour_seen(nat, p->src, p->mac);
    if (p->protocol == NAT_TCP)
        nat_tcp(nat, p, &t, frame, len);
    else
        nat_datagram(nat, p, &t, frame, len);
    nat_answer_arp(nat);
}

static void nat_ipv4(struct nat *nat, struct nat_ipv4 *p, const void *frame,
                     size_t len)
{
    static uint8_t built[NAT_FRAME_MAX]; /* there is one thread */

    if (p->offset || p->more_fragments) {
        struct nat_ipv4 whole;
        uint64_t dropped = nat->reassembly.dropped;
        bool done = nat_reassemble(&nat->reassembly, p, now_ms(), &whole);

        nat->stats.filtered += nat->reassembly.dropped - dropped;
        if (!done)
            return;
        *p = whole;
    }
    if (!p->plain || (p->protocol == NAT_TCP && p->len >= 20 &&
                      (p->payload[13] & NAT_URG))) {
        len = nat_build(built, p);
        frame = built;
    }
    nat_packet(nat, p, frame, len);
}

static void nat_send(struct link *link, const void *frame, size_t len)
{
    struct nat *nat = nat_of(link);
    struct nat_ipv4 p;
    struct nat_arp arp;

    nat->quiet = 0;
    if (nat_parse_ipv4(frame, len, &p)) {
        if (!nat_mac_known(nat))
            memcpy(nat->mac, p.mac, 6);
        nat_ipv4(nat, &p, frame, len);
    } else if (nat_parse_arp(frame, len, &arp) &&
               (nat_is_guest(arp.sender) || (!arp.sender && arp.request))) {
        if (arp.sender)
            nat_neighbour_seen(nat, arp.sender, arp.mac);
        for (unsigned int i = 0; i < NAT_SIDES; i++)
            nat_input(nat, i, frame, len);
    } else {
        nat->stats.filtered++;
    }
}

static void nat_flush(struct link *link)
{
    nat_fill(nat_of(link));
}

static void nat_pause(struct link *link, bool paused)
{
    struct nat *nat = nat_of(link);

    if (nat->paused == paused)
        return;
    nat->paused = paused;
    if (paused)
        event_del(nat->ready_event);
    else
        event_add(nat->ready_event, NULL);
}

static void nat_get_stats(const struct link *link, struct link_stats *out)
{
    const struct nat *nat = container_of(link, const struct nat, link);

    *out = nat->stats;
    out->flows = nat->n_datagram;
    for (unsigned int i = 0; i < NAT_FLOW_KINDS; i++)
        out->flows += nat->flows.n[i];
}

const struct link_ops link_slirp = {
    .type = "nat",
    .trusted = true,
    .open = nat_open,
    .send = nat_send,
    .flush = nat_flush,
    .pause = nat_pause,
    .close = nat_close,
    .get_stats = nat_get_stats,
};
