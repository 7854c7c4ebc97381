/* See ring_poll.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include <event2/event.h>

#include "barrier.h"
#include "driver.h"
#include "ring_poll.h"

#define POLL_START_NS    10000  /* the first bound of a ring that is worth it */
#define POLL_MAX_NS      200000 /* no ring is polled longer without traffic */
#define POLL_GAP_NS      20000  /* a longer gap means that we were preempted */
#define USELESS_FEW      4      /* may come of races with polling */
#define USELESS_MAX      64     /* wake-ups for nothing that we put up with */
#define USELESS_PAUSE_US 1000   /* then the channel is not listened to */
#define TURNS_PER_CLOCK  8      /* looks at a ring per look at the clock */
#define POLL_SLICE_NS    20000  /* other descriptors wait no longer than this */

struct poll_room {
    struct event_base *base;
    uint64_t max_ns; /* 0 on one CPU: the other side could not run meanwhile */
    struct list active;
    struct list *next; /* whom spin() serves next; kept right by removals */
    uint64_t round;
    bool open; /* in this pass somebody had credit left and used it */
    void (*worked)(void *arg); /* NULL: nobody waits for the first work */
    void *worked_arg;
};

int poll_room_new(struct event_base *base, struct poll_room **out)
{
    struct poll_room *room = calloc(1, sizeof(*room));
    cpu_set_t cpus;

    if (!room)
        return -ENOMEM;
    room->base = base;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) > 1)
        room->max_ns = POLL_MAX_NS;
    list_init(&room->active);
    room->next = &room->active;
    *out = room;
    return 0;
}

void poll_room_on_work(struct poll_room *room, void (*worked)(void *arg),
                       void *arg)
{
    room->worked = worked;
    room->worked_arg = arg;
}

void poll_room_free(struct poll_room *room)
{
    free(room);
}

void ring_poll_init(struct poll_room *room, struct ring_poll *p)
{
    list_init(&p->link);
    p->room = room;
    p->event = NULL;
    p->rearm = NULL;
    p->never_poll = false;
    p->active = false;
    p->served = false;
    p->useless = 0;
    p->idle_ns = 0;
    p->bound_ns = 0;
    p->round = room ? room->round : 0;
    p->credit = RING_POLL_QUANTUM;
    p->quick = false;
}

/* The bound for the next time, from how long the ring was idle this time. */
static void adapt(struct ring_poll *p, uint64_t idle, uint64_t max)
{
    if (idle > max)
        p->bound_ns = 0;
    else if (p->bound_ns == 0)
        p->bound_ns = POLL_START_NS;
    else if (idle > p->bound_ns)
        p->bound_ns *= 2;
    if (p->bound_ns > max)
        p->bound_ns = max;
}

void ring_poll_kick(struct ring_poll *p)
{
    if (p->active)
        return;
    if (p->useless > USELESS_FEW)
        p->bound_ns = 0; /* events without work are no reason to poll */
    else if (p->idle_ns && !p->never_poll)
        adapt(p, driver_now() - p->idle_ns, p->room->max_ns);
    p->idle_ns = 0;
    p->served = false;
    p->active = true;
    list_add_tail(p->room->next, &p->link); /* before it */
    p->room->next = &p->link;
}

/* Out of the list of active rings, also while spin() walks it. */
static void deactivate(struct ring_poll *p)
{
    if (p->room->next == &p->link)
        p->room->next = p->link.next;
    p->active = false;
    list_del(&p->link);
}

void ring_poll_remove(struct ring_poll *p)
{
    deactivate(p);
    if (p->event)
        event_free(p->event);
    if (p->rearm)
        event_free(p->rearm);
    p->event = NULL;
    p->rearm = NULL;
}

/*
 * The channel's eventfd is never read: edge-triggered, each send is an edge,
 * and a counter that is full stays readable when it is listened to again.
 */
static void port_fired(evutil_socket_t fd, short what, void *arg)
{
    struct ring_poll *p = arg;
    struct timeval pause = { .tv_usec = USELESS_PAUSE_US };

    (void)fd;
    (void)what;
    if (p->useless >= USELESS_MAX && !event_add(p->rearm, &pause)) {
        event_del(p->event);
        return;
    }
    ring_poll_kick(p);
}

static void pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct ring_poll *p = arg;

    (void)fd;
    (void)what;
    p->useless = USELESS_MAX - 1; /* until there is work again */
    event_add(p->event, NULL);    /* reports what came meanwhile */
}

int ring_poll_bind(struct ring_poll *p, int fd)
{
    struct event_base *base = p->room->base;

    p->event = event_new(base, fd, EV_READ | EV_PERSIST | EV_ET, port_fired, p);
    p->rearm = event_new(base, -1, 0, pause_over, p);
    return p->event && p->rearm && !event_add(p->event, NULL) ? 0 : -ENOMEM;
}

/* What p may still do in this round. */
static int credit(struct ring_poll *p)
{
    uint64_t rounds = p->room->round - p->round;

    p->round = p->room->round;
    while (rounds-- && p->credit < RING_POLL_QUANTUM)
        p->credit += RING_POLL_QUANTUM;
    if (p->credit > RING_POLL_QUANTUM)
        p->credit = RING_POLL_QUANTUM;
    return p->credit;
}

/*
 * One turn of one ring. Returns how much it did. A ring without traffic for
 * longer than its bound is armed and put to sleep.
 */
static unsigned int turn(struct ring_poll *p, uint64_t now, bool preempted)
{
    unsigned int n = p->service(p, (unsigned int)p->credit);

    p->credit -= (int)n;
    if (!p->active)
        return n; /* removed by its service */
    if (n) {
        if (p->idle_ns)
            p->quick = now - p->idle_ns < RING_POLL_AWAIT_NS;
        p->idle_ns = 0;
        p->served = true;
        return n;
    }
    if (!p->idle_ns)
        p->idle_ns = now;
    if (preempted)
        p->bound_ns = 0;
    if (now - p->idle_ns < p->bound_ns)
        return 0;
    if (p->arm(p)) {
        p->idle_ns = 0;
        return 1;
    }
    if (!p->active)
        return 0; /* removed by its arm */
    p->quick = false;
    deactivate(p);
    p->useless = p->served ? 0 : p->useless + 1;
    return 0;
}

/* It is empty, but will probably have work before the others are done. */
static bool is_awaited(const struct ring_poll *p, uint64_t now)
{
    return p->quick && p->idle_ns && now - p->idle_ns < RING_POLL_AWAIT_NS;
}

/*
 * Gives each active ring a turn, from where the last pass stopped; ends with
 * the pass, or when the time until `end` is over. Returns how much was done.
 */
static unsigned int turn_all(struct poll_room *room, uint64_t *now,
                             uint64_t end, bool preempted)
{
    unsigned int done = 0, n;

    while (room->next != &room->active) {
        struct ring_poll *p = container_of(room->next, struct ring_poll, link);

        room->next = room->next->next;
        if (credit(p) <= 0)
            continue;
        n = turn(p, *now, preempted);
        if (p->active && p->credit > 0 && (n || is_awaited(p, *now)))
            room->open = true;
        done += n;
        if (n)
            *now = driver_now();
        if (n && *now >= end)
            return done;
    }
    if (!room->open)
        room->round++;
    room->open = false;
    room->next = room->active.next;
    return done;
}

static void tell_worked(struct poll_room *room)
{
    void (*worked)(void *arg) = room->worked;

    room->worked = NULL;
    worked(room->worked_arg);
}

/*
 * Serves the active rings, until the slice ends or all sleep. The clock is
 * read now and then only: it takes longer than a look at a ring.
 */
static void spin(struct poll_room *room)
{
    uint64_t now = driver_now(), end = now + POLL_SLICE_NS;
    bool preempted = false;

    while (!list_empty(&room->active) && now < end) {
        unsigned int done = 0;
        uint64_t before = now;

        for (int i = 0; i < TURNS_PER_CLOCK && !done; i++) {
            cpu_relax();
            done = turn_all(room, &now, end, preempted);
        }
        if (!done)
            now = driver_now();
        else if (room->worked)
            tell_worked(room);
        preempted = !done && now - before > POLL_GAP_NS;
    }
}

void poll_room_run(struct poll_room *room)
{
    int flags;

    /* The loop forgets an older break when it starts: look afterwards. */
    do {
        flags = EVLOOP_ONCE;
        if (!list_empty(&room->active))
            flags |= EVLOOP_NONBLOCK;
        if (event_base_loop(room->base, flags) < 0)
            break;
        spin(room);
    } while (!event_base_got_break(room->base) &&
             !event_base_got_exit(room->base));
}
