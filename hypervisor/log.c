/*
 * What the host says: its log, and the reason of the last failure.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "host.h"
#include "printable.h"

/* Why this thread's last call of the API failed; "" if it did not. */
static __thread char error[256];

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

    (void)h;
    va_start(ap, fmt);
    vsnprintf(error, sizeof(error), fmt, ap);
    va_end(ap);
    return err;
}

void host_clear_error(void)
{
    error[0] = '\0';
}

const char *rs_error(void)
{
    return error;
}
