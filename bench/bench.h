/*
 * The measuring harness of `ringside bench`.
 *
 * A bench takes several runs of a figure and of its native baseline in turn,
 * in one process tree on the same processors, and reports the median of each
 * and their ratio. Figures drift on shared machines; ratios of one run do so
 * less. Programs read the names: they stay.
 */
#ifndef RINGSIDE_BENCH_H
#define RINGSIDE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_MAX_RUNS 201

enum bench_form { BENCH_TEXT, BENCH_JSON, BENCH_CSV };

struct bench_options {
    enum bench_form form;
    unsigned int runs;
    const char *guest;   /* the ELF of bench/guest.c */
    const char *plot;    /* a file for the chart, or NULL */
    unsigned int guests; /* scale: how many */
    const char *growth;  /* scale: a file for what each cost, or NULL */
};

/* The guest of that file name which is installed beside o->guest. */
void bench_guest_beside(const struct bench_options *o, const char *name,
                        char *path, size_t n);

/* Samples of one figure. */
struct bench_series {
    double value[BENCH_MAX_RUNS];
    unsigned int n;
};

void bench_add(struct bench_series *s, double value);
double bench_median(const struct bench_series *s);
/* The value that so many percent of the samples do not exceed. */
double bench_percentile(const struct bench_series *s, unsigned int percent);

/* ---- report.c: how figures are printed ---- */

/* What a group begins with: column headings, or nothing. */
void bench_begin(const struct bench_options *o);

/*
 * Prints one figure: a line of a table, or one JSON object with name, median,
 * unit, baseline, ratio, runs, baseline_name. `what` says what the baseline is;
 * baseline NULL: there is none (null in JSON). A figure that cannot be right,
 * below 0 or no number, or whose baseline is, is not printed but complained of.
 */
void bench_report(const struct bench_options *o, const char *name,
                  const struct bench_series *s, const char *unit,
                  const struct bench_series *baseline, const char *what);

/* Complains of one, for who knows more of it. */
void bench_impossible(const char *name, double value, const char *unit);

/* -EINVAL if there was such a figure since the last call, else 0. */
int bench_report_failed(void);

/* The groups; each returns 0, or -EINVAL after a complaint. */
int bench_boot(const struct bench_options *o);
int bench_hypercall(const struct bench_options *o);
int bench_event(const struct bench_options *o);
int bench_grant(const struct bench_options *o);
int bench_blk(const struct bench_options *o);
int bench_net(const struct bench_options *o);
int bench_scale(const struct bench_options *o);
int bench_vchan(const struct bench_options *o);
int bench_xenstore(const struct bench_options *o);
int bench_hostile(const struct bench_options *o);
int bench_xenstore_hostile(const struct bench_options *o);

/* ---- native.c: what the machine does without us ---- */

/* CLOCK_MONOTONIC in ns. */
uint64_t bench_now(void);

/* Keeps this process on one processor; -1: where it is. */
void native_pin(int cpu);

/* One stream over a UNIX socket from a child on `cpu`, Gbit/s; -1: it failed.
 */
double native_socket_stream(uint64_t bytes, int cpu);

/*
 * Reads of random 4 KiB blocks of an open file, per second: by pread(), or with
 * `depth` of them under way at a time (io_submit()); -1: it failed.
 */
double native_random_read(int fd, uint64_t bytes);
double native_random_read_deep(int fd, uint64_t bytes, unsigned int depth);

/* One TCP stream over loopback from a child on `cpu` (-1: where we are),
 * Gbit/s; -1: it failed. */
double native_tcp(uint64_t bytes, int cpu);

/* How far a processor is from ours: a word there and back that both watch, in
 * ns; 0: it cannot be told. */
double native_distance_ns(int cpu);

/* fork() of a child that ends at once, until it was waited for, in µs. */
double native_fork(void);

#endif
