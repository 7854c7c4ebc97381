/* What driver.h promises that is not a room of its own: log and clock. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "driver.h"

/* One write per line, so that lines of several processes do not mix. */
void driver_vlog(const char *prefix, const char *fmt, va_list ap)
{
    char line[512];
    int n;

    n = snprintf(line, sizeof(line), "driverd: %s%s", prefix ? prefix : "",
                 prefix ? ": " : "");
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; /* text of guests may hold terminal sequences */
    }
    fprintf(stderr, "%s\n", line);
}

void driver_log(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    driver_vlog(NULL, fmt, ap);
    va_end(ap);
}

uint64_t driver_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
