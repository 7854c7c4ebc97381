/*
 * Serving rings: poll for a while, then sleep.
 *
 * A wake-up costs more than most requests, so after a ring ran empty its
 * backend looks at it again for an adaptive, bounded time before it asks the
 * frontend for an event and sleeps. The bound grows and shrinks as KVM's halt
 * polling does: a sleep that was shorter than the largest poll makes it grow,
 * a longer one ends polling until traffic returns. Idle rings cost nothing.
 *
 * Fairness is deficit round robin. In a round each active ring may do
 * RING_POLL_QUANTUM units of work: a request is a unit, and each page of data
 * that the loop itself copies. What one request takes beyond that is owed in
 * the next rounds. A ring that wakes up is served next, but with what it had
 * left of this round; sleeping earns nothing. While rings have work, those that
 * used up their part of the round wait for the others, also for a ring that is
 * empty this moment and has been quick with its next request (RING_POLL_AWAIT):
 * else one request at a time would get one turn for each of a neighbour's
 * quanta, although it is ready long before. The loop looks at all other
 * descriptors every few microseconds, in the middle of a round as well. A poll
 * during which this process was preempted (a gap between two looks at the
 * clock) ends: somebody else needs the CPU more.
 */
#ifndef RINGSIDE_BACKENDS_RING_POLL_H
#define RINGSIDE_BACKENDS_RING_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

#define RING_POLL_QUANTUM  64
#define RING_POLL_AWAIT_NS 20000

struct event_base;
struct poll_room;

struct ring_poll {
    /*
     * Handles requests until `budget` units of work are done, the last one
     * to its end, and pushes responses. Returns how many units it did, 0 if
     * there was nothing to do. It may end in ring_poll_remove().
     */
    unsigned int (*service)(struct ring_poll *p, unsigned int budget);

    /*
     * Asks for an event at the next request (sets the ring's event index,
     * barrier, looks again). true: there is work already, do not sleep. It
     * may end in ring_poll_remove(), too.
     */
    bool (*arm)(struct ring_poll *p);

    bool never_poll; /* sleep as soon as it is empty (slow devices) */

    /* For this room. */
    struct list link;
    struct poll_room *room;
    struct event *event;  /* ring_poll_bind() */
    struct event *rearm;  /* ends a pause of `event` */
    bool active;          /* served by the loop, not asleep */
    bool served;          /* something, since it woke up */
    unsigned int useless; /* wake-ups in a row that found nothing */
    uint64_t idle_ns;     /* when the ring was first seen empty */
    uint64_t bound_ns;    /* how long to poll an empty ring */
    uint64_t round;       /* that `credit` belongs to */
    int credit;           /* units left of this round; below 0: owed */
    bool quick;           /* its last request came within RING_POLL_AWAIT_NS */
};

int poll_room_new(struct event_base *base, struct poll_room **out);
void poll_room_free(struct poll_room *room);

/* Calls worked(arg) once, when a ring has been served for the first time. */
void poll_room_on_work(struct poll_room *room, void (*worked)(void *arg),
                       void *arg);

/* p->service and p->arm are set; the ring sleeps until the first kick. */
void ring_poll_init(struct poll_room *room, struct ring_poll *p);

/*
 * From now on the event channel whose receiving descriptor is fd (see
 * rs_client_port_fds()) kicks the ring. A channel that fires again and again
 * without any work on the ring is not listened to for a while. -ENOMEM.
 */
int ring_poll_bind(struct ring_poll *p, int fd);

/* There may be work: the loop serves the ring. */
void ring_poll_kick(struct ring_poll *p);

/*
 * Takes the ring out: it is not served again, its event channel is not listened
 * to. Safe inside service(), and to be repeated.
 */
void ring_poll_remove(struct ring_poll *p);

/*
 * Runs the event loop with ring polling until event_base_loopbreak() or
 * _loopexit(). The driver domain's main loop.
 */
void poll_room_run(struct poll_room *room);

#endif
