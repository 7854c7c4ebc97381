/*
 * How much of the driver domain a NAT network has (nat_bounds.h), and who goes
 * when there is more.
 */
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

#include "nat.h"

/* libslirp expires datagram sockets this long after their last use. */
#define DATAGRAM_LIFE_MS 240000

/* A client of a forwarded port may be idle for so long when others wait. */
#define FORWARDED_IDLE_MS 10000

/* NAT networks of this process; they share its descriptors (RLIMIT_NOFILE, as
 * it was when the last network was made). */
static unsigned int n_nats;
static uint64_t max_descriptors;

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

void nat_join_shares(void)
{
    struct rlimit r;

    max_descriptors = 0;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0)
        max_descriptors = r.rlim_cur < INT_MAX ? r.rlim_cur : INT_MAX;
    n_nats++;
}

void nat_leave_shares(void)
{
    n_nats--;
}

/* ---- TCP ---- */

bool nat_may_accept(const struct nat *nat)
{
    return nat->flows.n[NAT_FORWARDED] < nat_share(NAT_FORWARDED_MAX);
}

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

void nat_probe(struct nat *nat, const struct nat_flow *f)
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
bool nat_evict(struct nat *nat, struct nat_flow *f)
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

bool nat_make_room(struct nat *nat, enum nat_flow_kind kind)
{
    static const unsigned int max[] = { NAT_CONNECTIONS_MAX,
                                        NAT_FORWARDED_MAX };
    unsigned int limit = nat_share(max[kind]);
    unsigned int tries = nat->flows.n[kind];

    for (; nat->flows.n[kind] >= limit && tries; tries--) {
        struct nat_flow *f = nat_flow_oldest(&nat->flows, kind);

        /* Clients from outside do not push each other out. */
        if (kind == NAT_FORWARDED && !f->closing &&
            nat_now_ms() - f->used < FORWARDED_IDLE_MS)
            return false;
        if (!nat_evict(nat, f))
            return false;
    }
    return nat->flows.n[kind] < limit;
}

/* ---- datagrams ---- */

void nat_trim_datagrams(struct nat *nat)
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
