/*
 * Counters of a domain as text and JSON. See counters.h.
 */
#include "counters.h"

#include <stdio.h>

uint64_t histogram_limit(unsigned int i)
{
    return i < RS_HISTOGRAM - 1 ? (uint64_t)RS_HISTOGRAM_MIN_NS << i : 0;
}

/* The lower end of an entry, and how wide it is; the last one is taken for as
 * wide as its lower end. */
static double entry_start(unsigned int i)
{
    return i == 0 ? 0 : (double)histogram_limit(i - 1);
}

static double entry_width(unsigned int i)
{
    return i == 0 ? RS_HISTOGRAM_MIN_NS : entry_start(i);
}

uint64_t histogram_quantile(const uint64_t histogram[RS_HISTOGRAM],
                            unsigned int thousandths)
{
    double all = 0, before = 0, end = 0, rank;

    for (unsigned int i = 0; i < RS_HISTOGRAM; i++)
        all += (double)histogram[i];
    rank = all * thousandths / 1000;
    for (unsigned int i = 0; i < RS_HISTOGRAM; i++) {
        double here = (double)histogram[i];

        if (here > 0 && before + here >= rank)
            return (uint64_t)(entry_start(i) +
                              entry_width(i) * (rank - before) / here);
        before += here;
        if (here > 0)
            end = entry_start(i) + entry_width(i);
    }
    return (uint64_t)end; /* or what was lost by rounding */
}

const char *format_duration(uint64_t ns, char *buf, size_t n)
{
    if (ns < 1000)
        snprintf(buf, n, "%u ns", (unsigned int)ns);
    else if (ns < 100000)
        snprintf(buf, n, "%.1f µs", (double)ns / 1e3);
    else if (ns < 1000000)
        snprintf(buf, n, "%.0f µs", (double)ns / 1e3);
    else
        snprintf(buf, n, "%.1f ms", (double)ns / 1e6);
    return buf;
}

const char *format_short(double value, char *buf, size_t n)
{
    static const char units[] = " kMGTPE";
    unsigned int u = 0;

    while (value >= 999.5 && u < 6) {
        value /= 1000;
        u++;
    }
    if (u == 0 && (value < 0.05 || value >= 99.95 ||
                   value == (double)(unsigned int)value))
        snprintf(buf, n, "%.0f", value);
    else if (u == 0)
        snprintf(buf, n, "%.1f", value);
    else
        snprintf(buf, n, "%.*f%c",
                 value < 9.995   ? 2
                 : value < 99.95 ? 1
                                 : 0,
                 value, units[u]);
    return buf;
}
