/*
 * What the host says: its log, and the reason of the last failure.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "printable.h"

/* Of the last rs_host_new() that failed in this thread. */
static __thread char new_error[256];

uint64_t host_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void host_log(struct rs_host *h, enum rs_log_level level, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    if (!h->log)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    printable_line(line, sizeof(line)); /* names and consoles are in it */
    h->log(h->data, level, line);
}

int host_error(struct rs_host *h, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(h->error, sizeof(h->error), fmt, ap);
    va_end(ap);
    memcpy(new_error, h->error, sizeof(new_error));
    return err;
}

const char *rs_error(const struct rs_host *host)
{
    return host ? host->error : new_error;
}
