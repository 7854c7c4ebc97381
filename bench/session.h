/*
 * A private host for measuring, and guests of bench/guest.c in it. What such
 * a guest says by CONSOLEIO_write are lines "KEY VALUE".
 */
#ifndef RINGSIDE_BENCH_SESSION_H
#define RINGSIDE_BENCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/guest.h"

#include "bench.h"

struct bench_session {
    struct host host;
    uint64_t boot_ns; /* CLOCK_MONOTONIC at system time 0 */
    /* Of the guests to come: */
    int guest_cpu; /* where they are pinned; -1: placed as all */
    enum guest_mode guest_mode;
    bool guest_polled;                   /* hypercalls by mailbox */
    unsigned int guest_vcpus, guest_mib; /* 0: as configured by default */
};

struct bench_guest {
    struct guest guest;
    struct guest_config config;
    uint64_t began_ns; /* CLOCK_MONOTONIC: the toolstack's first step */
    int console;       /* our end of the pipe that it writes to */
    char text[8192];
    size_t len, taken;
};

/*
 * How the processes of a session, and the native baselines beside it, are
 * placed: all on one processor (wake-ups across processors cost more than what
 * they wake, and vary), or free, where both sides of a ring are to run.
 */
enum bench_placement { BENCH_ONE_CPU, BENCH_FREE };

/* The n-th processor that we may use, -1: there are fewer (or it is none of
 * the first 64, which guests can be pinned to). */
int session_cpu(unsigned int n);

/* Places this process and starts a host: -EINVAL after a complaint. */
int session_open(struct bench_session *s, enum bench_placement placement);
void session_close(struct bench_session *s);

/*
 * Creates (paused) and starts a guest that does `job`, words as in
 * bench/guest.c. disk, vif: specs as on ringside's command line, or NULL.
 */
int session_start(struct bench_session *s, const struct bench_options *o,
                  struct bench_guest *g, const char *job, const char *disk,
                  const char *vif);

/* Waits for line "KEY …" and takes its value; -EINVAL after a complaint. */
int session_take(struct bench_guest *g, const char *key, double *value);

/* Takes all lines up to "done"; what take() returns, not 0, ends it. */
int session_lines(struct bench_guest *g, int (*take)(const char *line));
/* What it says from here on is lost. */
void session_hang_up(struct bench_guest *g);

void session_end(struct bench_guest *g);
/* It ends with its host: frees only what we know of it. */
void session_forget(struct bench_guest *g);

/* start, one value, end. */
int session_measure(struct bench_session *s, const struct bench_options *o,
                    const char *job, const char *disk, const char *key,
                    double *value);

/*
 * Two guests: `a` does `first` and says "ready V"; then `b` is started with the
 * words of `second` behind DOMID (a's) and V: "ping" and "N" make "ping D V N".
 * The first may count on the second having the next domid, and finds it in
 * data/peer once it is there. a_cpu, b_cpu: as guest_cpu.
 */
struct bench_pair {
    const char *first, *second, *args;
    int a_cpu, b_cpu;
    struct bench_guest a, b;
};
int session_start_pair(struct bench_session *s, const struct bench_options *o,
                       struct bench_pair *p);
void session_end_pair(struct bench_pair *p);

#endif
