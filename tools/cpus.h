/*
 * Sets of processors as users write them: "all", or numbers and ranges,
 * "0-3,5"; as bits, ~0 for all.
 */
#ifndef RINGSIDE_TOOLS_CPUS_H
#define RINGSIDE_TOOLS_CPUS_H

#include <stddef.h>
#include <stdint.h>

/* 0, or -EINVAL if it is no such set of numbers below 64. */
int cpus_parse(const char *s, uint64_t *cpus);

void cpus_format(uint64_t cpus, char *buf, size_t n);

#endif
