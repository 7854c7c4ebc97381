/* The daemon's log; see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static FILE *log_file;
static char *log_name;
static int tracing;

int log_open(const char *file)
{
    FILE *f = file ? fopen(file, "ae") : stderr;
    char *name = file ? strdup(file) : NULL;

    if (!f || (file && !name)) {
        free(name);
        return -errno;
    }
    free(log_name);
    log_name = name;
    if (file)
        setvbuf(f, NULL, _IOLBF, 0);
    if (log_file && log_file != stderr)
        fclose(log_file);
    log_file = f;
    return 0;
}

const char *log_path(void)
{
    return log_name;
}

void log_set_trace(int on)
{
    tracing = on;
}

int log_tracing(void)
{
    return tracing;
}

static void log_write(const char *fmt, va_list ap)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm tm;

    strftime(stamp, sizeof(stamp), "%F %T", gmtime_r(&now, &tm));
    fprintf(log_file, "%s ", stamp);
    vfprintf(log_file, fmt, ap);
    fputc('\n', log_file);
}

void log_line(const char *fmt, ...)
{
    va_list ap;

    if (!log_file)
        return;
    va_start(ap, fmt);
    log_write(fmt, ap);
    va_end(ap);
}

void log_trace(const char *fmt, ...)
{
    va_list ap;

    if (!log_file || !tracing)
        return;
    va_start(ap, fmt);
    log_write(fmt, ap);
    va_end(ap);
}
