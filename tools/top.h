/*
 * ringside top: samples of what domains do, and tables of their differences.
 *
 *   top.c         the verb: options, keys, the loop
 *   top_sample.c  asks the hypervisor and the driver domain
 *   top_rate.c    compares two samples
 *   top_table.c   rows, columns, the details of one domain
 *   terminal.c    the screen (terminal.h)
 */
#ifndef RINGSIDE_TOOLS_TOP_H
#define RINGSIDE_TOOLS_TOP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ringside/client.h"

/* What is counted of a domain; all but `sends` by those whom we trust. */
enum top_count {
    TOP_CPU_NS,
    TOP_HYPERCALLS,
    TOP_SENDS, /* as reported by the guest */
    TOP_READS,
    TOP_WRITES,
    TOP_READ_BYTES,
    TOP_WRITE_BYTES,
    TOP_TX_PACKETS, /* tx: from the guest */
    TOP_RX_PACKETS,
    TOP_TX_BYTES,
    TOP_RX_BYTES,
    TOP_TRAPS, /* of a native kernel */
    TOP_COUNTS
};

struct host;

struct top_domain {
    struct rs_domain_info info;
    uint64_t count[TOP_COUNTS];
    double rate[TOP_COUNTS]; /* per second since the sample before */
};

/* The details of one domain. */
struct top_details {
    unsigned int domid;
    bool valid;
    uint64_t at_ns;
    struct rs_client_stats stats;
};

struct top_sample {
    uint64_t at_ns;
    struct rs_host_info host;
    uint64_t host_cpu_ns;       /* of the hypervisor's process, 0: not known */
    double host_rate;           /* of it, per second */
    struct top_domain *domains; /* by domid */
    struct top_domain **rows;   /* the same as they are shown */
    unsigned int n;
    struct top_details details;
};

/* Which domains: names or ids, none: all. */
struct top_filter {
    char **names;
    int n;
};

/*
 * Fills a fresh sample; details of domain `details_of` if that is not negative.
 * 0, or -EINVAL after a complaint. Domains that vanish meanwhile are left out.
 */
int top_take(const struct host *h, const struct top_filter *filter,
             int details_of, struct top_sample *s);
void top_free(struct top_sample *s);

/* ---- top_rate.c ---- */

struct top_domain *top_find(const struct top_sample *s, unsigned int domid);

/*
 * Rates of `now` by what `before` had, and its rows by the processor time that
 * they used since then. What is new began at 0; what went backwards did
 * nothing.
 */
void top_compare(struct top_sample *now, const struct top_sample *before);

/* ---- top_table.c ---- */

/* Where lines go: at most `width` columns each (0: any number). */
struct top_page {
    FILE *out;
    unsigned int width;
};

/* Prints "what" in at most the page's width; each line ends with a newline. */
void top_line(const struct top_page *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* exact: for programs, in plain numbers; else short ones, for people. */
void top_heading(const struct top_page *p, bool exact);
void top_row(const struct top_page *p, const struct top_domain *d, bool exact);
void top_summary(const struct top_page *p, const struct top_sample *s);
/* What a domain did between two looks at it. */
void top_show_details(const struct top_page *p, const struct top_details *now,
                      const struct top_details *before);

/* What b has more than a, 0 if it has less. */
static inline uint64_t top_more(uint64_t a, uint64_t b)
{
    return b > a ? b - a : 0;
}

#endif
