/*
 * Counters, always on: per domain and hypercall how often it was made, how
 * often it failed, how long the hypervisor worked for it.
 *
 * Time is what passes between the call's arrival at hypercall_dispatch() and
 * its return (by mailbox: its answer); a preempted call is one call, and its
 * runs add up. An entry of a multicall is counted where it belongs and
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

/* The counters that a domain has: one per line of the hypercall table, and one
 * for the calls that the table lacks. */
#define STATS_LIST(slot)                                                    \
    slot(OTHER, "other") slot(MEMORY_OP, "memory_op")                       \
        slot(MULTICALL, "multicall") slot(SET_TIMER_OP, "set_timer_op")     \
            slot(XEN_VERSION, "xen_version") slot(CONSOLE_IO, "console_io") \
                slot(GRANT_TABLE_OP, "grant_table_op")                      \
                    slot(VCPU_OP, "vcpu_op") slot(SCHED_OP, "sched_op")     \
                        slot(EVENT_CHANNEL_OP, "event_channel_op")          \
                            slot(HVM_OP, "hvm_op") slot(SYSCTL, "sysctl")   \
                                slot(DOMCTL, "domctl")

enum stats_slot {
#define STATS_ENUM(id, name) STATS_##id,
    STATS_LIST(STATS_ENUM)
#undef STATS_ENUM
        STATS_SLOTS
};

struct call_stats {
    uint64_t calls, batched, failed, ns;
    uint64_t histogram[RS_HISTOGRAM];
    uint32_t since_sample,
        next_sample_at; /* calls since one was timed; how many may be */
};

struct stats {
    struct call_stats hypercall[STATS_SLOTS];
};
_Static_assert(sizeof(struct stats) < 2688, "every domain has one");

unsigned int stats_sample(struct call_stats *s);

/* Returns the sample weight of the call that begins: how many calls its time
 * stands for, itself among them; 0: it is not timed. */
static inline unsigned int stats_weight(struct call_stats *s)
{
    return ++s->since_sample <= s->next_sample_at ? 0 : stats_sample(s);
}

/*
 * A run of a call has ended: it took so many ticks of the TSC, for
 * v->sample_weight calls, and returned `ret`, which counts if it was the last
 * one (not v->continued). is_continuation: it was not the first.
 */
void stats_run(struct vcpu *v, enum stats_slot slot, uint64_t ticks,
               bool is_continuation, long ret);

/* An entry of a multicall has ended, or was preempted. */
void stats_entry(struct vcpu *v, enum stats_slot slot, long ret);

/* All hypercalls, entries of multicalls among them. */
uint64_t stats_total(const struct domain *d);

/* "event_channel_op"; STATS_OTHER: "other". */
const char *stats_name(enum stats_slot slot);

/* As rs_hypercall_stats() and rs_guest_counts() say. */
unsigned int stats_fill(const struct domain *d, struct rs_hypercall_stats *out,
                        unsigned int max);
void stats_guest_counts(struct domain *d, struct rs_guest_counts *out);

#endif
