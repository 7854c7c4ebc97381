/*
 * Samples of one figure, in ticks of the time stamp counter: taken in the same
 * way by guests and by native code, which both include this.
 *
 * What takes more than about a microsecond is timed one by one (batch 1). Of
 * what is shorter, `batch` in a row are timed and the sample is their mean.
 * What is told of a figure is the median and the 99th percentile of its
 * samples; the first ones warm up and are forgotten.
 */
#ifndef RINGSIDE_BENCH_SAMPLES_H
#define RINGSIDE_BENCH_SAMPLES_H

#include <stdint.h>
#include <stdlib.h>

#define SAMPLES 400

struct samples {
    uint64_t ticks[SAMPLES];
    unsigned int n, batch;
};

static inline uint64_t tsc_now(void)
{
    uint32_t lo, hi;

    __asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* n of them, which may be fewer than SAMPLES. Inlined, with `op`, so that an
 * operation of one instruction is seen. */
static inline __attribute__((always_inline)) void
samples_take_some(struct samples *s, void (*op)(void *arg), void *arg,
                  unsigned int batch, unsigned int n)
{
    s->batch = batch;
    s->n = n;
    for (int i = -(int)n / 10; i < (int)n; i++) {
        uint64_t start = tsc_now();

        for (unsigned int k = 0; k < batch; k++)
            op(arg);
        if (i >= 0)
            s->ticks[i] = tsc_now() - start;
    }
}

static inline __attribute__((always_inline)) void
samples_take(struct samples *s, void (*op)(void *arg), void *arg,
             unsigned int batch)
{
    samples_take_some(s, op, arg, batch, SAMPLES);
}

/* For what is not the time that `op` takes, but a time that it returns. */
static inline void samples_take_told(struct samples *s,
                                     uint64_t (*op)(void *arg), void *arg)
{
    s->batch = 1;
    s->n = SAMPLES;
    for (int i = -SAMPLES / 10; i < SAMPLES; i++) {
        uint64_t told = op(arg);

        if (i >= 0)
            s->ticks[i] = told;
    }
}

static inline int samples_compare_(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Ticks of one operation: the median, and the 99th percentile. */
static inline void samples_sum_up(struct samples *s, double *median,
                                  double *p99)
{
    qsort(s->ticks, s->n, sizeof(s->ticks[0]), samples_compare_);
    *median = (double)s->ticks[s->n / 2] / s->batch;
    *p99 = (double)s->ticks[s->n * 99 / 100] / s->batch;
}

#endif
