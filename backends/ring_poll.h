/*
 * Serving rings: poll for a while, then sleep.
 *
 * A wake-up costs more than most requests, so after a ring ran empty its
 * backend looks at it again for an adaptive, bounded time before it asks the
 * frontend for an event and sleeps. The bound grows and shrinks as KVM's halt
 * polling does: a sleep that was shorter than the largest poll makes it grow,
 * a longer one ends polling until traffic returns. Idle rings cost nothing.
 *
 * Fairness: each turn gives every active ring one bounded service(), and the
 * loop looks at all other descriptors every few microseconds. A poll during
 * which this process was preempted (a gap between two looks at the clock) ends:
 * somebody else needs the CPU more.
 */
#ifndef RINGSIDE_BACKENDS_RING_POLL_H
#define RINGSIDE_BACKENDS_RING_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct event_base;
struct poll_room;

struct ring_poll {
    /*
     * Handles at most a batch (some 64) of requests and pushes responses;
     * returns how many it took. It may end in ring_poll_remove().
     */
    unsigned int (*service)(struct ring_poll *p);

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
};

int poll_room_new(struct event_base *base, struct poll_room **out);
void poll_room_free(struct poll_room *room);

/* p->service and p->arm are set; the ring sleeps until the first kick. */
void ring_poll_init(struct poll_room *room, struct ring_poll *p);

/*
 * From now on the event channel whose receiving descriptor is fd (see
 * evtchn_port_fds()) kicks the ring. A channel that fires again and again
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
