/*
 * Counters of hypercalls: what is counted, and what is reported. See stats.h.
 */
#include "stats.h"

#include <string.h>
#include <x86intrin.h>

#include "clock.h"
#include "domain.h"

/* ---- counting ---- */

/* The first holds what took less than RS_HISTOGRAM_MIN_NS, each further one
 * up to twice as much as the one before, the last all the rest. */
static unsigned int bucket_of(uint64_t ns)
{
    unsigned int i;

    if (ns < RS_HISTOGRAM_MIN_NS)
        return 0;
    i = 64u - (unsigned int)__builtin_clzll(ns / RS_HISTOGRAM_MIN_NS);
    return i < RS_HISTOGRAM ? i : RS_HISTOGRAM - 1;
}

/* The more calls there were, the more may pass before one is timed: what is
 * missing in the sums stays less than a tenth of them. */
#define SAMPLE_PART 16
#define SAMPLE_MAX  256

unsigned int stats_sample(struct call_stats *s)
{
    uint64_t mean = s->calls / SAMPLE_PART;
    unsigned int n = s->since_sample;

    if (mean > SAMPLE_MAX)
        mean = SAMPLE_MAX;
    s->since_sample = 0;
    s->next_sample_at = (uint32_t)(mean / 2 + (__rdtsc() >> 3) % (mean + 1));
    return n;
}

void stats_run(struct vcpu *v, enum stats_slot slot, uint64_t ticks,
               bool is_continuation, long ret)
{
    struct call_stats *s = &v->domain->stats.hypercall[slot];
    uint64_t ns = 0;

    /* On a machine whose processors' TSCs differ it may go backwards. */
    if ((int64_t)ticks > 0)
        ns = time_from_ticks(v->domain->host, ticks);
    v->call_ns = is_continuation ? v->call_ns + ns : ns;
    s->ns += ns * v->sample_weight;
    s->calls += !is_continuation;
    if (v->continued)
        return;
    s->failed += ret < 0;
    s->histogram[bucket_of(v->call_ns)] += v->sample_weight;
}

void stats_entry(struct vcpu *v, enum stats_slot slot, long ret)
{
    struct call_stats *s = &v->domain->stats.hypercall[slot];

    if (v->continued)
        return; /* its last run counts */
    s->batched++;
    s->failed += ret < 0;
}

/* ---- telling ---- */

const char *stats_name(enum stats_slot slot)
{
#define STATS_NAME(id, name) name,
    static const char *const names[] = { STATS_LIST(STATS_NAME) };
#undef STATS_NAME

    return names[slot];
}

uint64_t stats_total(const struct domain *d)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < STATS_SLOTS; i++)
        n += d->stats.hypercall[i].calls + d->stats.hypercall[i].batched;
    return n;
}

unsigned int stats_fill(const struct domain *d, struct rs_hypercall_stats *out,
                        unsigned int max)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < STATS_SLOTS && n < max; i++) {
        const struct call_stats *s = &d->stats.hypercall[i];
        struct rs_hypercall_stats *o = &out[n];

        if (!s->calls && !s->batched)
            continue;
        *o = (struct rs_hypercall_stats){ .calls = s->calls };
        strncpy(o->name, stats_name((enum stats_slot)i), sizeof(o->name) - 1);
        o->batched = s->batched;
        o->failed = s->failed;
        o->total_ns = s->ns;
        memcpy(o->histogram, s->histogram, sizeof(o->histogram));
        n++;
    }
    return n;
}

void stats_guest_counts(struct domain *d, struct rs_guest_counts *out)
{
    memset(out, 0, sizeof(*out));
    if (d->ops->guest_counts && !d->dying)
        d->ops->guest_counts(d, out);
}
