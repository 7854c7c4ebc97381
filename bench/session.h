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
};

struct bench_guest {
    struct guest guest;
    struct guest_config config;
    uint64_t began_ns; /* CLOCK_MONOTONIC: the toolstack's first step */
    int console;       /* our end of the pipe that it writes to */
    char text[4096];
    size_t len, taken;
};

/*
 * How the processes of a session, and the native baselines beside it, are
 * placed: all on one processor (wake-ups across processors cost more than what
 * they wake, and vary), or free, where both sides of a ring are to run.
 */
enum bench_placement { BENCH_ONE_CPU, BENCH_FREE };

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

void session_end(struct bench_guest *g);

/* start, one value, end. */
int session_measure(struct bench_session *s, const struct bench_options *o,
                    const char *job, const char *disk, const char *key,
                    double *value);

/*
 * Two guests: `first` says "ready V"; then `second` is started with the words
 * DOMID (the first's) V ARGS, and says what it measured. The first may count
 * on the second having the next domid, and finds it in data/peer once it is
 * there.
 */
int session_measure_pair(struct bench_session *s, const struct bench_options *o,
                         const char *first, const char *second,
                         const char *args, const char *key, double *value);

#endif
