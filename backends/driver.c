/* What driver.h promises that is not a room of its own: log and clock. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "driver.h"
#include "log_file.h"
#include "printable.h"

static struct log_file *log_file; /* NULL: standard error */

void driver_log_to(struct log_file *log)
{
    log_file = log;
}

/* One write per line, so that lines of several processes do not mix. */
void driver_vlog(const char *prefix, const char *fmt, va_list ap)
{
    char line[512];
    int n;

    n = snprintf(line, sizeof(line), "driverd: %s%s", prefix ? prefix : "",
                 prefix ? ": " : "");
    vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, fmt, ap);
    printable_line(line, sizeof(line) - 1); /* text of guests is in it */
    strcat(line, "\n");
    if (log_file)
        log_file_write(log_file, line, strlen(line));
    else
        fputs(line, stderr);
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
