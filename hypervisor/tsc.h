/*
 * The time stamp counter as a clock: a line, ns = base + ticks * scale, that is
 * measured again and again against another clock, and never goes back.
 *
 * Readers extrapolate by themselves (<xen/xen.h>, struct vcpu_time_info), and
 * go on with the old line until they see the new one. So a new line begins
 * where the old one was, if that was ahead, and a little higher if it is less
 * steep: for TSC_LATE_NS nobody who changes over sees time go back. What it is
 * ahead then it loses until the next measurement.
 */
#ifndef RINGSIDE_TSC_H
#define RINGSIDE_TSC_H

#include <stdint.h>

#define TSC_LATE_NS 1000000u

struct tsc_moment {
    uint64_t tsc, ns;
};

struct tsc_clock {
    struct tsc_moment start; /* the rate is taken from here on */
    struct tsc_moment base;  /* the line begins here */
    uint32_t mul;            /* ns = ((ticks << shift) * mul) >> 32 */
    int8_t shift;
};

/* The first line, through two moments some milliseconds apart. */
void tsc_begin(struct tsc_clock *c, struct tsc_moment start,
               struct tsc_moment now);

/* The next one: `now` was measured, and will be again in next_ns. */
void tsc_follow(struct tsc_clock *c, struct tsc_moment now, uint64_t next_ns);

/* How long so many ticks are, in ns; as readers calculate it. */
uint64_t tsc_ticks_ns(const struct tsc_clock *c, uint64_t ticks);

#endif
