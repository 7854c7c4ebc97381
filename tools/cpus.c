/* Sets of processors; see cpus.h. */
#include "cpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 64

/* A number below CPUS_MAX; moves *s behind it. -1: there is none. */
static int take_number(const char **s)
{
    char *end;
    unsigned long n;

    if (**s < '0' || **s > '9')
        return -1;
    n = strtoul(*s, &end, 10);
    *s = end;
    return n < CPUS_MAX ? (int)n : -1;
}

static int take_range(const char **s, uint64_t *cpus)
{
    int first = take_number(s), last = first;

    if (first >= 0 && **s == '-') {
        (*s)++;
        last = take_number(s);
    }
    if (first < 0 || last < first)
        return -EINVAL;
    for (int i = first; i <= last; i++)
        *cpus |= 1ull << i;
    return 0;
}

int cpus_parse(const char *s, uint64_t *cpus)
{
    *cpus = 0;
    if (strcmp(s, "all") == 0) {
        *cpus = ~0ull;
        return 0;
    }
    for (;;) {
        if (take_range(&s, cpus) != 0)
            return -EINVAL;
        if (*s == '\0')
            return 0;
        if (*s++ != ',')
            return -EINVAL;
    }
}

void cpus_format(uint64_t cpus, char *buf, size_t n)
{
    size_t at = 0;

    snprintf(buf, n, "%s", ~cpus ? "" : "all");
    for (int i = 0; ~cpus && i < CPUS_MAX && at < n; i++) {
        int last = i;

        if (!(cpus >> i & 1))
            continue;
        while (last + 1 < CPUS_MAX && cpus >> (last + 1) & 1)
            last++;
        if (last > i)
            at += (size_t)snprintf(buf + at, n - at, "%s%d-%d", at ? "," : "",
                                   i, last);
        else
            at += (size_t)snprintf(buf + at, n - at, "%s%d", at ? "," : "", i);
        i = last;
    }
}
