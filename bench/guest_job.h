/*
 * What the guests of `ringside bench hypercall` have in common: how times are
 * said, and how a job is found. Included by one C file of each ELF.
 *
 * A figure is a line "NAME MEDIAN P99 BATCH" with times in ticks (samples.h),
 * or "NAME VALUE" for a rate. "done" ends the list.
 */
#ifndef RINGSIDE_BENCH_GUEST_JOB_H
#define RINGSIDE_BENCH_GUEST_JOB_H

#include <ringside/guest.h>
#include <stdio.h>
#include <string.h>

#include "bench/guest_say.h"
#include "bench/samples.h"

/* Until those who started this guest have done what is left. */
#define SETTLE_NS 20000000ull

static struct samples samples;

/* What is in `samples`, each the time of `parts` operations more. */
static void say_samples(const char *name, unsigned int parts)
{
    double median, p99;

    samples_sum_up(&samples, &median, &p99);
    say("%s %.2f %.2f %u\n", name, median / parts, p99 / parts, samples.batch);
}

/* Each takes the words behind its own name. */
struct job {
    const char *name;
    int words;
    int (*run)(char **argv);
};

static int job_run(const struct job *jobs, size_t n, int argc, char **argv)
{
    rs_sleep(SETTLE_NS);
    for (size_t i = 0; argc > 1 && i < n; i++)
        if (!strcmp(jobs[i].name, argv[1]) && argc == jobs[i].words + 2)
            return jobs[i].run(argv + 2);
    printf("this guest is for `ringside bench hypercall`\n");
    return 1;
}

#endif
