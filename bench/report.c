/*
 * Medians, and how a figure is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

void bench_add(struct bench_series *s, double value)
{
    if (s->n < BENCH_MAX_RUNS)
        s->value[s->n++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_median(const struct bench_series *s)
{
    double sorted[BENCH_MAX_RUNS];

    if (s->n == 0)
        return 0;
    memcpy(sorted, s->value, s->n * sizeof(sorted[0]));
    qsort(sorted, s->n, sizeof(sorted[0]), by_value);
    return s->n % 2 ? sorted[s->n / 2]
                    : (sorted[s->n / 2 - 1] + sorted[s->n / 2]) / 2;
}

static void report_json(const char *name, const struct bench_series *s,
                        const char *unit, const struct bench_series *baseline)
{
    printf("{\"name\": \"%s\", \"median\": %.6g, \"unit\": \"%s\", ", name,
           bench_median(s), unit);
    if (baseline)
        printf("\"baseline\": %.6g, \"ratio\": %.4g, ", bench_median(baseline),
               bench_median(s) / bench_median(baseline));
    else
        printf("\"baseline\": null, \"ratio\": null, ");
    printf("\"runs\": %u}\n", s->n);
}

void bench_report(const struct bench_options *o, const char *name,
                  const struct bench_series *s, const char *unit,
                  const struct bench_series *baseline, const char *what)
{
    if (o->json) {
        report_json(name, s, unit, baseline);
    } else {
        printf("%-32s %10.4g %-7s", name, bench_median(s), unit);
        if (baseline)
            printf(" %10.4g  %6.2f x  %s", bench_median(baseline),
                   bench_median(s) / bench_median(baseline), what);
        putchar('\n');
    }
    fflush(stdout);
}
