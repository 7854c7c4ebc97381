/*
 * Medians, and how a figure is printed.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tools/say.h"

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

static unsigned int sort(const struct bench_series *s, double *sorted)
{
    memcpy(sorted, s->value, s->n * sizeof(sorted[0]));
    qsort(sorted, s->n, sizeof(sorted[0]), by_value);
    return s->n;
}

double bench_median(const struct bench_series *s)
{
    double sorted[BENCH_MAX_RUNS];
    unsigned int n = sort(s, sorted);

    if (n == 0)
        return 0;
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double bench_percentile(const struct bench_series *s, unsigned int percent)
{
    double sorted[BENCH_MAX_RUNS];
    unsigned int n = sort(s, sorted);

    return n ? sorted[(n * percent + 99) / 100 - 1] : 0;
}

void bench_begin(const struct bench_options *o)
{
    if (o->form == BENCH_TEXT)
        printf("\n%-32s %10s %-7s %10s  %8s  baseline is\n", "figure", "median",
               "", "baseline", "ratio");
}

/* A ratio to nothing is none. */
static bool has_ratio(const struct bench_series *baseline)
{
    return baseline && bench_median(baseline) > 0;
}

static void report_json(const char *name, const struct bench_series *s,
                        const char *unit, const struct bench_series *baseline,
                        const char *what)
{
    printf("{\"name\": \"%s\", \"median\": %.6g, \"unit\": \"%s\", ", name,
           bench_median(s), unit);
    if (baseline)
        printf("\"baseline\": %.6g, ", bench_median(baseline));
    else
        printf("\"baseline\": null, ");
    if (has_ratio(baseline))
        printf("\"ratio\": %.4g, ", bench_median(s) / bench_median(baseline));
    else
        printf("\"ratio\": null, ");
    printf("\"runs\": %u, \"baseline_name\": ", s->n);
    if (baseline)
        print_json_string(what);
    else
        printf("null");
    printf("}\n");
}

static void report_csv(const char *name, const struct bench_series *s,
                       const char *unit, const struct bench_series *baseline,
                       const char *what)
{
    printf("%s,%.6g,%s,", name, bench_median(s), unit);
    if (has_ratio(baseline))
        printf("%.6g,%.4g,", bench_median(baseline),
               bench_median(s) / bench_median(baseline));
    else
        printf(",,");
    printf("%u,\"%s\",,,,,\n", s->n, baseline ? what : "");
}

static void report_text(const char *name, const struct bench_series *s,
                        const char *unit, const struct bench_series *baseline,
                        const char *what)
{
    printf("%-32s %10.4g %-7s", name, bench_median(s), unit);
    if (has_ratio(baseline))
        printf(" %10.4g  %6.2f x  %s", bench_median(baseline),
               bench_median(s) / bench_median(baseline), what);
    putchar('\n');
}

static bool failed;

static bool is_possible(const struct bench_series *s)
{
    return s->n > 0 && isfinite(bench_median(s)) && bench_median(s) >= 0;
}

void bench_impossible(const char *name, double value, const char *unit)
{
    failed = true;
    complain("%s came out as %.4g %s, which cannot be right; measure again "
             "when nothing else runs",
             name, value, unit);
}

int bench_report_failed(void)
{
    bool was = failed;

    failed = false;
    return was ? -EINVAL : 0;
}

void bench_report(const struct bench_options *o, const char *name,
                  const struct bench_series *s, const char *unit,
                  const struct bench_series *baseline, const char *what)
{
    char base[128];

    if (!is_possible(s)) {
        bench_impossible(name, bench_median(s), unit);
        return;
    }
    if (baseline && !is_possible(baseline)) {
        snprintf(base, sizeof(base), "the baseline of %s (%s)", name, what);
        bench_impossible(base, bench_median(baseline), unit);
        return;
    }
    if (o->form == BENCH_JSON)
        report_json(name, s, unit, baseline, what);
    else if (o->form == BENCH_CSV)
        report_csv(name, s, unit, baseline, what);
    else
        report_text(name, s, unit, baseline, what);
    fflush(stdout);
}
