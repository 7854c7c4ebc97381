/*
 * Fair shares of the daemon's time.
 *
 * What a client asks for is served in slices. Between two slices the loop
 * looks at everybody's sockets and events, so nobody waits for longer than
 * what others are in the middle of: a slice, or the one request that went
 * beyond it.
 *
 * Sockets (domain 0) are served first, a slice each, in turns. The rings of
 * guests share the slice after that: the ring that has used least of the
 * daemon's time is next. Of the time that a ring did not use while it had
 * nothing to do, it keeps LEAD_NS: who asks for little is served at once, and
 * who comes back after a pause is not served alone.
 *
 * A request cannot be interrupted. So that requests that are longer than a
 * slice are no way around this, guests have LONG_BURST_NS each for what goes
 * beyond their slices, and a LONG_SHARE-th of the time together; a ring
 * that has used it up rests. That is counted in processor time, for what
 * the machine does elsewhere is not a guest's fault.
 */
#ifndef XS_FAIR_H
#define XS_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"

struct conn;
struct store;

#define SLICE_NS        20000 /* of all rings together */
#define SLICE_RINGS     16 /* at most so many in one, for sending takes time */
#define LEAD_NS         40000
#define SOCKET_SLICE_NS 50000 /* of each socket */
#define LONG_NS         40000 /* so much of one ring at once is too long */
#define LONG_BURST_NS   2000000
#define LONG_SHARE      200

/* The clock of slices in ns: of the wall, or the processor time used. */
uint64_t fair_clock(bool cpu);

/* Of a ring's connection. */
struct fair_share {
    uint32_t place;      /* 1 + index in the heap; 0: it has nothing to do */
    bool resting;        /* it has something to do, and must wait */
    bool watched;        /* it had a slice that was too long */
    uint64_t used_ns;    /* rings are served by this, least first */
    struct credit longs; /* ns, for what goes beyond slices */
};

struct fair {
    struct conn **heap;
    uint32_t n, cap;
    uint32_t rings;      /* that heap has room for */
    struct budget longs; /* of what goes beyond slices */
    uint64_t level_ns;   /* used_ns of the ring that was last served */
    uint64_t slice_end;  /* of the slice that is being served; 0: not set */
    uint64_t (*clock)(bool cpu);
};

void fair_init(struct fair *f);

/* A ring is about to begin (-ENOMEM), or ends. */
int fair_join(struct fair *f);
void fair_leave(struct store *s, struct conn *c);

/* A ring has something to do. */
void fair_ready(struct store *s, struct conn *c);

/* A socket's slice begins; it lasts at least one request. */
static inline void fair_slice(struct fair *f)
{
    f->slice_end = 0;
}
/* Whether the current slice is over. */
bool fair_slice_over(struct fair *f);

/*
 * One slice for the rings; those that were served are dirty then. Returns
 * whether any has more to do.
 */
bool fair_run(struct store *s);

/* Rings have rested enough; asks for the next tick that they need. */
void fair_tick(struct store *s);

void fair_free(struct fair *f);

#endif
