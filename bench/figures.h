/*
 * The figures of `ringside bench hypercall`: what there is, what was measured
 * of it, and the table.
 *
 * Of each round a figure has the median and the 99th percentile of SAMPLES
 * samples (samples.h); it is told as the medians of these over the rounds.
 * Times are kept in ticks of the time stamp counter and told in ns and cycles
 * of it.
 */
#ifndef RINGSIDE_BENCH_FIGURES_H
#define RINGSIDE_BENCH_FIGURES_H

#include <stdbool.h>

#include "bench.h"
#include "samples.h"

struct figure {
    const char *name;     /* "hypercall.trap"; NULL: a heading, `what` */
    const char *what;     /* is measured, in a few words */
    const char *baseline; /* the name of another figure, or NULL */
    double ratio;         /* to its baseline, which is aimed at; 0: none */
    double ns;            /* per operation, which is aimed at; 0: none */
    const char *unit;     /* of a rate, or a long time; NULL: a short time */
    double least;         /* of that rate, which is aimed at; 0: none */
};

/* What was measured of a figure. */
struct measured {
    struct bench_series median, p99;
    unsigned int batch;   /* of how many operations a sample is the mean */
    const char *left_out; /* why there is nothing, or NULL */
};

/* Forgets what was measured. */
void figures_begin(void);
/* NULL: there is no such figure. */
const struct figure *figure_find(const char *name);
/* All, headings too; in the table's order. */
const struct figure *figure_at(unsigned int i); /* NULL: behind the last */
struct measured *figure_measured(const struct figure *f);

/* One round's samples of a figure, ticks of one operation. */
void figure_add(const char *name, double median, double p99,
                unsigned int batch);
/* The same of samples that native code took. */
void figure_add_samples(const char *name, struct samples *s);
/* The same of a figure with a unit: one value a round. */
void figure_add_value(const char *name, double value);
void figure_leave_out(const char *name, const char *why);

/* What is printed and drawn: ns (or the unit) and ratios. */
double figure_value(const struct figure *f);
double figure_p99(const struct figure *f);

/* Prints those whose names begin with `prefix`, NULL: all. */
void figures_print(const struct bench_options *o, const char *prefix);

/* ---- native_*.c: one round; away: the other processor, -1: none ---- */

void native_calls(void);
void native_signals(void);
int native_peers(int away);
int native_notifications(void);

/* ---- programs.c: whole programs, one round of each ---- */

struct bench_session;
struct programs;

struct programs *programs_begin(struct bench_session *s,
                                const struct bench_options *o);
int programs_round(struct programs *p);
void programs_end(struct programs *p);

/* ---- plot.c ---- */

/* Can `option` draw into that file? 0, or -EINVAL after a complaint. */
int plot_check(const char *option, const char *file);
/* Is that the name of a chart? */
bool plot_is_svg(const char *file);
int plot_draw(const char *file);

#endif
