/*
 * The machine that is measured, as it is told beside its figures.
 */
#ifndef RINGSIDE_BENCH_MACHINE_H
#define RINGSIDE_BENCH_MACHINE_H

#include <stdio.h>

struct bench_options;

struct machine {
    char cpu[96];
    unsigned int cpus; /* online */
    double tsc_mhz;    /* measured */
    /* A word from the first processor we may use to the second and back, which
     * polled figures consist of; 0: there is one only. */
    double distance_ns;
    char kernel[200];
    char mitigated[320];  /* names of vulnerabilities, "" if none */
    char vulnerable[160]; /* of those nothing is done about */
    const char *version, *engine, *placement;
};

/* Looks once, and measures the time stamp counter; the same every time. */
const struct machine *machine(void);

/* A JSON object, comments of CSV, or lines of text, before all figures. */
void machine_print(const struct bench_options *o);

/* The same as lines that begin with `prefix`. */
void machine_print_lines(FILE *f, const char *prefix);

#endif
