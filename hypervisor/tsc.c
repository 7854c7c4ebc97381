/*
 * A clock made of the TSC that follows another. See tsc.h.
 */
#include "tsc.h"

uint64_t tsc_ticks_ns(const struct tsc_clock *c, uint64_t ticks)
{
    ticks = c->shift >= 0 ? ticks << c->shift : ticks >> -c->shift;
    return (uint64_t)((unsigned __int128)ticks * c->mul >> 32);
}

/* So that mul has its top bit set: all precision that 32 bits can hold. */
static void set_scale(struct tsc_clock *c, double per_tick)
{
    c->shift = 0;
    while (per_tick >= 1.0) {
        per_tick /= 2;
        c->shift++;
    }
    while (per_tick < 0.5) {
        per_tick *= 2;
        c->shift--;
    }
    c->mul = (uint32_t)(per_tick * 4294967296.0);
}

/* ns for a tick of the line as it is. */
static double steepness(const struct tsc_clock *c)
{
    double per_tick = (double)c->mul / 4294967296.0;

    for (int i = c->shift; i > 0; i--)
        per_tick *= 2;
    for (int i = c->shift; i < 0; i++)
        per_tick /= 2;
    return per_tick;
}

static double rate(const struct tsc_clock *c, struct tsc_moment now)
{
    return (double)(now.ns - c->start.ns) / (double)(now.tsc - c->start.tsc);
}

void tsc_begin(struct tsc_clock *c, struct tsc_moment start,
               struct tsc_moment now)
{
    c->start = start;
    c->base = now;
    set_scale(c, rate(c, now));
}

void tsc_follow(struct tsc_clock *c, struct tsc_moment now, uint64_t next_ns)
{
    uint64_t shown = c->base.ns + tsc_ticks_ns(c, now.tsc - c->base.tsc);
    uint64_t ahead = shown > now.ns ? shown - now.ns : 0;
    double before = steepness(c), true_rate = rate(c, now), after = true_rate;

    /* At most a tenth slower: a clock that stands still is no clock. */
    if (ahead < next_ns / 10)
        after -= after * (double)ahead / (double)next_ns;
    else
        after -= after / 10;
    set_scale(c, after);
    after = steepness(c);
    /* Both are rounded; and the rate may be off, too: a quarter more. */
    c->base = (struct tsc_moment){ now.tsc, now.ns + ahead + 2 };
    if (after < before)
        c->base.ns +=
            (uint64_t)((before - after) / true_rate * 1.25 * TSC_LATE_NS);
}
