/*
 * Fair shares of the daemon's time: a scheduler of connections.
 *
 * What clients ask for is served in slices. Between two slices the loop looks
 * at all sockets and events, so a client waits at most for one slice of
 * others, or for one request that went beyond its slice.
 *
 * Sockets (domain 0) are served first, a slice each, round robin. The rings of
 * guests share the slice after that: the ring that has used least of the
 * daemon's time is next. A ring that was idle keeps LEAD_NS of the time that it
 * did not use: a guest that asks for little is served at once, and one that
 * comes back after a pause does not shut out the others.
 *
 * A request cannot be interrupted. To bound requests that are longer than a
 * slice, each guest has a credit of OVERRUN_BURST_NS for what goes beyond its
 * slices, refilled by one OVERRUN_SHARE-th of the time, which all guests share.
 * A ring without credit is suspended. Overruns are counted in processor time,
 * for a guest does not pay for what else the machine does.
 */
#ifndef XS_FAIR_H
#define XS_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"

struct conn;
struct store;

#define SLICE_NS         20000 /* of all rings together */
#define SLICE_RINGS      16    /* rings in one slice, for sending takes time */
#define LEAD_NS          40000
#define SOCKET_SLICE_NS  50000 /* of each socket */
#define OVERRUN_NS       40000 /* a ring that takes longer at once overruns */
#define OVERRUN_BURST_NS 2000000
#define OVERRUN_SHARE    200

/* The clock of slices in ns: of the wall, or the processor time used. */
uint64_t fair_clock(bool cpu);

/* Of a ring's connection. */
struct fair_share {
    uint32_t place;         /* 1 + index in the heap; 0: nothing to do */
    bool suspended;         /* it has something to do, but no credit */
    bool cpu_timed;         /* it overran once: measure its processor time */
    uint64_t used_ns;       /* rings are served by this, least first */
    struct credit overruns; /* ns */
};

struct fair {
    struct conn **heap; /* of rings with something to do, by used_ns */
    uint32_t n, cap;
    uint32_t rings; /* that the heap has room for */
    struct budget overruns;
    uint64_t level_ns;  /* used_ns of the ring that was last served */
    uint64_t slice_end; /* of the slice that is being served; 0: not set */
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

/* Resumes suspended rings that have credit; asks for the next tick. */
void fair_tick(struct store *s);

void fair_free(struct fair *f);

#endif
