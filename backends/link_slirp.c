/*
 * A NAT network of one guest, in this process and without privilege: libslirp.
 *
 * The network is 10.0.2.0/24: the guest gets 10.0.2.15 by DHCP, the gateway
 * is 10.0.2.2, a name server answers at 10.0.2.3. IPv4 only.
 *
 * libslirp is not meant for a hostile guest, so it is walled in from here:
 * frames are checked whole (nat_packet.h), fragments are reassembled
 * (nat_reassembly.h), and what it holds is bounded (nat_flows.h,
 * nat_bounds.c).
 *
 * There are two instances of it, for TCP and for datagrams (UDP and ICMP). Its
 * datagram sockets live for four minutes after their last use, by the clock
 * that we give it, and it has no other end for them: when there are too many
 * the clock of that instance is set forward for a moment. TCP's timers must not
 * see this.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "nat.h"

static struct nat *nat_of(struct link *link)
{
    return container_of(link, struct nat, link);
}

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
    nat_forget_fds(nat);
    if (nat->epoll >= 0)
        close(nat->epoll);
    nat_flows_clear(&nat->flows);
    nat_reassembly_clear(&nat->reassembly);
    free(nat->wanted);
    free(nat->asks);
    free(nat->ready);
    free(nat);
    nat_leave_shares();
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
                            .used = nat_now_ms() };
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
        nat_flow_sent(&nat->flows, f, t, nat_now_ms());
    nat_input(nat, NAT_SIDE_TCP, frame, len);
}

static void nat_datagram(struct nat *nat, const struct nat_ipv4 *p,
                         const struct nat_transport *t, const void *frame,
                         size_t len)
{
    bool is_dhcp = nat_is_dhcp(p, t, nat->mac);

    if (!is_dhcp && nat_answers_client(nat, p, t, frame, len))
        return;
    if (!is_dhcp &&
        !nat_may_reach(p->dst, p->protocol, t->dport, nat->host_loopback)) {
        nat->stats.filtered++;
        nat_refuse(nat, p, t);
        return;
    }
    nat_tell_time(nat);
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
        bool done = nat_reassemble(&nat->reassembly, p, nat_now_ms(), &whole);

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

/* ---- the link ---- */

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
;
