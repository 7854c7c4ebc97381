/*
 * Reading the hypervisor's counters: quantiles out of a histogram, short
 * figures for tables.
 */
#ifndef RINGSIDE_TOOLS_COUNTERS_H
#define RINGSIDE_TOOLS_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "ringside/client.h"

/*
 * The time below which so many thousandths of the calls stayed, in ns. Inside
 * an entry of the histogram times are taken for evenly spread, so the figure
 * is off by half of it at worst. 0 if there were no calls.
 */
uint64_t histogram_quantile(const uint64_t histogram[RS_HISTOGRAM],
                            unsigned int thousandths);

/* What entry i stays below, in ns; 0: the last one, which has no limit. */
uint64_t histogram_limit(unsigned int i);

/* "412 ns", "3.1 µs", "12 ms" in buf. */
const char *format_duration(uint64_t ns, char *buf, size_t n);

/* A number in five columns at most: "0", "7.5", "123", "12.3k", "4.56M". */
const char *format_short(double value, char *buf, size_t n);

#endif
