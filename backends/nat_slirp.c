/*
 * libslirp's instances: the time, the timers and the sockets that they have.
 *
 * libslirp wants to be asked before every sleep which descriptors it waits
 * for. They go into an epoll set of our own, of which only the changes are
 * told to the kernel; the event loop watches that one set. So a network costs
 * the loop one descriptor, and nothing while it is idle.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "nat.h"

#define POLL_BATCH 64
/*
 * What libslirp says when it waits for no time in particular. It is asked some
 * times more (for frames that wait for an ARP answer), and then left alone.
 */
#define NOTHING_MS  1000
#define QUIET_TURNS 3

struct nat_timer {
    SlirpTimerCb fn;
    void *arg;
    struct event *event;
};

/* By number. Numbers are the process's, and so is the table: it grows with the
 * highest of all links, once. */
static struct nat_fd *fds;
static unsigned int n_fds;

/* What libslirp, all instances of it, believes to be the time (ms). */
static uint64_t slirp_time;

static int64_t nat_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t nat_now_ms(void)
{
    return (uint64_t)nat_now_ns() / 1000000;
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
        nat_flow_received(&nat->flows, f, &t, nat_now_ms());
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

    return nat_now_ns() + side->warp_ns;
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

struct nat_fd *nat_fd(const struct nat *nat, int fd)
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

const SlirpCb nat_callbacks = {
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
;

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

void nat_fill(struct nat *nat)
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

void nat_poll(struct nat_side *side, bool sockets)
{
    slirp_pollfds_poll(side->slirp, !sockets, nat_revents, side->nat);
    slirp_time = (uint64_t)(nat_now_ns() + side->warp_ns) / 1000000;
}

void nat_tell_time(struct nat *nat)
{
    if (nat_now_ms() - slirp_time > 1000)
        nat_poll(&nat->side[NAT_SIDE_DATAGRAM], false);
}

void nat_input(struct nat *nat, enum nat_side_id id, const void *frame,
               size_t len)
{
    slirp_input(nat->side[id].slirp, frame, (int)len);
}

void nat_turn(evutil_socket_t fd, short what, void *arg)
{
    struct epoll_event events[POLL_BATCH];
    struct nat *nat = arg;
    int n = 0;

    (void)fd;
    (void)what;
    nat_reassembly_expire(&nat->reassembly, nat_now_ms());
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

void nat_forget_fds(const struct nat *nat)
{
    for (unsigned int i = 0; i < n_fds; i++)
        if (fds[i].owner == nat)
            fds[i] = (struct nat_fd){ .owner = NULL };
}
