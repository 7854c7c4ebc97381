/*
 * Counters, always on: per domain and hypercall how often it was made, how
 * often it failed, how long the hypervisor worked for it.
 *
 * Time is what passes between the call's arrival at hypercall_dispatch() and
 * its return (by mailbox: its answer); a call in several turns is one call, and
 * its turns add up. An entry of a multicall is counted where it belongs and
 * timed with its batch, and of calls by mailbox some are timed, for those
 * before them: in the end one in 256, for a reading of the TSC is a good part
 * of what such a call costs. Which one is not regular, so that no regular guest
 * can hide its dear calls.
 *
 * What never reaches the hypervisor (sends, sleeps, upcalls) is counted by the
 * engine's half in the guest's process, and only the guest's word for it
 * (engine.h, guest_counts).
 */
#ifndef RINGSIDE_STATS_H
#define RINGSIDE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/ringside.h"

struct domain;
struct vcpu;

/* The counters that a domain has: one per line of the hypercall table. */
enum stats_slot {
    STATS_OTHER, /* what the table lacks */
    STATS_MEMORY_OP,
    STATS_MULTICALL,
    STATS_SET_TIMER_OP,
    STATS_XEN_VERSION,
    STATS_CONSOLE_IO,
    STATS_GRANT_TABLE_OP,
    STATS_VCPU_OP,
    STATS_SCHED_OP,
    STATS_EVENT_CHANNEL_OP,
    STATS_HVM_OP,
    STATS_SYSCTL,
    STATS_DOMCTL,
    STATS_SLOTS
};

struct call_stats {
    uint64_t calls, batched, failed, ns;
    uint64_t histogram[RS_HISTOGRAM];
    uint32_t untimed, bearable; /* calls since one was timed; how many may be */
};

struct stats {
    struct call_stats hypercall[STATS_SLOTS];
};
_Static_assert(sizeof(struct stats) < 2688, "every domain has one");

unsigned int stats_sample(struct call_stats *s);

/* A call begins that need not be timed: for how many it is to be, itself among
 * them; 0: it is not. */
static inline unsigned int stats_weight(struct call_stats *s)
{
    return ++s->untimed <= s->bearable ? 0 : stats_sample(s);
}

/*
 * A turn of a call has ended: it took so many ticks of the TSC, for
 * v->stands_for calls, and returned `ret`, which counts if it was the last one
 * (not v->again). goes_on: it was not the first.
 */
void stats_turn(struct vcpu *v, enum stats_slot slot, uint64_t ticks,
                bool goes_on, long ret);

/* An entry of a multicall has ended, or its first turn. */
void stats_entry(struct vcpu *v, enum stats_slot slot, long ret);

/* All hypercalls, entries of multicalls among them. */
uint64_t stats_total(const struct domain *d);

/* As rs_hypercall_stats() and rs_guest_counts() say. */
unsigned int stats_fill(const struct domain *d, struct rs_hypercall_stats *out,
                        unsigned int max);
void stats_guest_counts(struct domain *d, struct rs_guest_counts *out);

#endif
