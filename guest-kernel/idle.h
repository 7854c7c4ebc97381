/*
 * Idle: what the vCPU does when no thread can run.
 *
 * A wake-up costs far more than most I/O, so a frontend registers a poller, and
 * the idle loop looks at its ring for a bounded time that adapts (it grows
 * while polling finds work in time, and shrinks to nothing while it does not)
 * before it sets the timer and blocks. Order before sleeping: arm() every
 * poller (set the ring's event index, barrier, look again), then block.
 *
 * poll() and arm() run with upcalls masked, on some thread's stack: they may
 * wake threads, touch rings and send events, and must not block or allocate.
 */
#ifndef RINGSIDE_GUEST_IDLE_H
#define RINGSIDE_GUEST_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct poller {
    /* Looks for work; true if it found some (and woke who waits for it). */
    bool (*poll)(void *arg);
    /*
     * Asks the other end for an event on its next message, then looks once
     * more; true if there is work after all. NULL: always armed.
     */
    bool (*arm)(void *arg);
    void *arg;
    struct list link;
};

void poller_add(struct poller *p);
void poller_remove(struct poller *p);

/* Looks at every poller once; true if one found work. Upcalls are masked. */
bool idle_poll(void);

/* For handlers of events that no poller can see: a wait that they ended does
 * not say that polling would have been quicker. */
void idle_unpolled_event(void);

/*
 * For the scheduler: returns when an event was delivered, a poller found work
 * or `deadline` came. Upcalls are masked before and after.
 */
void idle_wait(uint64_t deadline);

/* The timer of a vCPU. */
void idle_init(unsigned int vcpu);

/* The bound of polling in ns; 0 switches it off (cmdline ringside.poll_us=). */
void idle_set_poll_max(uint64_t ns);

#endif
