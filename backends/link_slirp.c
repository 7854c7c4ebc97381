/*
 * A NAT network of one guest, in this process and without privilege: libslirp.
 *
 * The network is 10.0.2.0/24: the guest gets 10.0.2.15 by DHCP, the gateway
 * is 10.0.2.2, a name server answers at 10.0.2.3. IPv4 only.
 *
 * libslirp wants to be asked before every sleep which descriptors it waits
 * for. They go into an epoll set of our own, of which only the changes are
 * told to the kernel; the event loop watches that one set. So a network costs
 * the loop one descriptor, and nothing while it is idle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <slirp/libslirp.h>

#include "link.h"
#include "list.h"

#define GUEST_ADDRESS 0x0a00020f /* 10.0.2.15 */
#define POLL_BATCH    64
#define BACKLOG       128
/*
 * What libslirp says when it waits for no time in particular. It is asked some
 * times more (for frames that wait for an ARP answer), and then left alone.
 */
#define NOTHING_MS  1000
#define QUIET_TURNS 3

/* What is known of one descriptor. */
struct nat_fd {
    const struct nat *owner; /* whose it was when it was last looked at */
    uint32_t events;         /* in the epoll set; 0: not there */
    unsigned int turn;       /* of the last fill that wanted it */
    int slot;                /* in `ready` at that turn */
};

struct nat {
    struct link link;
    Slirp *slirp;
    struct event_base *base;
    struct event *ready_event, *timer;
    int epoll;
    unsigned int turn;
    unsigned int quiet; /* turns without anything to do */
    bool paused;

    int *wanted; /* descriptors of this turn, in order of slot */
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

static struct nat *nat_of(struct link *link)
{
    return container_of(link, struct nat, link);
}

/* ---- what libslirp asks of us ---- */

static ssize_t nat_send_packet(const void *buf, size_t len, void *opaque)
{
    struct nat *nat = opaque;

    if (len <= LINK_FRAME_MAX)
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
    struct timespec t;

    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
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
    struct nat *nat = opaque;
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

static void nat_fd_leave(const struct nat *nat, int fd)
{
    struct nat_fd *f = nat_fd(nat, fd);

    if (f && f->events)
        epoll_ctl(nat->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (f)
        *f = (struct nat_fd){ .owner = NULL };
}

static void nat_register_fd(int fd, void *opaque)
{
    (void)fd;
    (void)opaque;
}

/* It is about to be closed; the number may come back for another socket. */
static void nat_unregister_fd(int fd, void *opaque)
{
    nat_fd_leave(opaque, fd);
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

static int nat_add_poll(int fd, int events, void *opaque)
{
    struct nat *nat = opaque;
    struct nat_fd *f = nat_fd_take(nat, fd);

    if (!f)
        return -1;
    if (nat->n_wanted == nat->room_wanted) {
        unsigned int n = nat->room_wanted ? nat->room_wanted * 2 : 64;
        int *wanted = realloc(nat->wanted, n * sizeof(int));
        int *ready;

        if (!wanted)
            return -1;
        nat->wanted = wanted;
        ready = realloc(nat->ready, n * sizeof(int));
        if (!ready)
            return -1;
        nat->ready = ready;
        nat->room_wanted = n;
    }
    nat_watch(nat, fd, f, to_epoll(events));
    f->turn = nat->turn;
    f->slot = (int)nat->n_wanted;
    nat->wanted[nat->n_wanted] = fd;
    nat->ready[nat->n_wanted] = 0;
    return (int)nat->n_wanted++;
}

/* Takes out of the set what the last turn wanted and this one does not. */
static void nat_unwatch_rest(struct nat *nat, const int *before, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        const struct nat_fd *f = nat_fd(nat, before[i]);

        if (f && f->turn != nat->turn)
            nat_fd_leave(nat, before[i]);
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
    slirp_pollfds_fill(nat->slirp, &ms, nat_add_poll, nat);
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

    if (slot < 0 || (unsigned int)slot >= nat->n_wanted)
        return 0;
    return nat->ready[slot];
}

/* Something is ready, or time has passed. */
static void nat_turn(evutil_socket_t fd, short what, void *arg)
{
    struct epoll_event events[POLL_BATCH];
    struct nat *nat = arg;
    int n = 0;

    (void)fd;
    (void)what;
    if (!nat->paused)
        n = epoll_wait(nat->epoll, events, POLL_BATCH, 0);
    nat->quiet = n > 0 ? 0 : nat->quiet + 1;
    for (int i = 0; i < n; i++) {
        const struct nat_fd *f = nat_fd(nat, events[i].data.fd);

        if (f && f->events && f->turn == nat->turn)
            nat->ready[f->slot] = from_epoll(events[i].events);
    }
    slirp_pollfds_poll(nat->slirp, 0, nat_revents, nat);
    nat_fill(nat);
}

/* ---- the link ---- */

static void nat_close(struct link *link)
{
    struct nat *nat = nat_of(link);

    if (nat->slirp)
        slirp_cleanup(nat->slirp);
    if (nat->ready_event)
        event_free(nat->ready_event);
    if (nat->timer)
        event_free(nat->timer);
    for (unsigned int i = 0; i < nat->n_wanted; i++)
        nat_fd_leave(nat, nat->wanted[i]);
    if (nat->epoll >= 0)
        close(nat->epoll);
    free(nat->wanted);
    free(nat->ready);
    free(nat);
}

static int nat_forward(struct nat *nat, const struct link_forward *f, char *why,
                       size_t n)
{
    struct in_addr guest = { .s_addr = htonl(GUEST_ADDRESS) };
    char address[INET_ADDRSTRLEN];
    int err;

    errno = 0;
    if (slirp_add_hostfwd(nat->slirp, f->udp, f->host, f->host_port, guest,
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
            listens)
            listen(nat->wanted[i], BACKLOG);
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
    c->vdhcp_start.s_addr = htonl(GUEST_ADDRESS);
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
    nat->link.ops = &link_slirp;
    nat->link.user = *user;
    nat->base = base;
    nat->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (nat->epoll < 0) {
        err = -errno;
        goto out;
    }
    nat->ready_event =
        event_new(base, nat->epoll, EV_READ | EV_PERSIST, nat_turn, nat);
    nat->timer = evtimer_new(base, nat_turn, nat);
    nat_config(config, &c);
    nat->slirp = slirp_new(&c, &nat_callbacks, nat);
    if (!nat->ready_event || !nat->timer || !nat->slirp)
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

static void nat_send(struct link *link, const void *frame, size_t len)
{
    struct nat *nat = nat_of(link);

    nat->quiet = 0;
    slirp_input(nat->slirp, frame, (int)len);
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

const struct link_ops link_slirp = {
    .type = "nat",
    .trusted = true,
    .open = nat_open,
    .send = nat_send,
    .flush = nat_flush,
    .pause = nat_pause,
    .close = nat_close,
};
