/* The daemon's log; see log.h. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct log_switch_info log_switch_info[LOG_SWITCHES] = {
    [LOG_OBJ] = { "obj", "connections, domains, watches, transactions" },
    [LOG_IO] = { "io", "requests and their outcome" },
    [LOG_WRL] = { "wrl", "guests held back by the write limit" },
    [LOG_ACC] = { "acc", "requests refused by a quota" },
    [LOG_DB] = { "db", "what is written to the database" },
};

unsigned int log_active;

static FILE *log_file;
static char *log_name; /* NULL: stderr */
static bool tracing;
static unsigned int switches = (1u << LOG_SWITCHES) - 1;
static time_t trace_second; /* in which `traces` were written */
static unsigned int traces, left_out;

static void log_use(FILE *f)
{
    if (log_file && log_file != stderr)
        fclose(log_file);
    log_file = f;
}

FILE *log_append(const char *file)
{
    int fd = open(
        file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "a");

    if (fd >= 0 && !f)
        close(fd);
    return f;
}

int log_open(const char *file)
{
    char *name = file ? strdup(file) : NULL;
    FILE *f;
    int err;

    if (file && !name)
        return -ENOMEM;
    f = file ? log_append(file) : stderr;
    if (!f) {
        err = -errno;
        free(name);
        return err;
    }
    if (file)
        setvbuf(f, NULL, _IOLBF, 0);
    log_use(f);
    free(log_name);
    log_name = name;
    return 0;
}

const char *log_path(void)
{
    return log_name;
}

void log_reopen(void)
{
    FILE *f = log_name ? log_append(log_name) : NULL;

    if (!log_name)
        return;
    if (!f) {
        log_line("%s cannot be opened again: %s", log_name, strerror(errno));
        return;
    }
    setvbuf(f, NULL, _IOLBF, 0);
    log_use(f);
}

void log_set_trace(bool on)
{
    tracing = on;
    log_active = tracing ? switches : 0;
}

bool log_tracing(void)
{
    return tracing;
}

void log_set_switch(enum log_switch which, bool on)
{
    switches &= ~(1u << which);
    switches |= (unsigned int)on << which;
    log_set_trace(tracing);
}

bool log_switched(enum log_switch which)
{
    return switches & 1u << which;
}

int log_switch_by_name(const char *name)
{
    for (int i = 0; i < LOG_SWITCHES; i++)
        if (!strcmp(log_switch_info[i].name, name))
            return i;
    return -ENOENT;
}

/* UTC, to the millisecond: "2026-11-21T04:17:49.123Z ". */
static void log_stamp(const struct timespec *now)
{
    char stamp[32];
    struct tm tm;

    strftime(stamp, sizeof(stamp), "%FT%T", gmtime_r(&now->tv_sec, &tm));
    fprintf(log_file, "%s.%03ldZ ", stamp, now->tv_nsec / 1000000);
}

static void log_write(const char *prefix, const char *fmt, va_list ap)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    log_stamp(&now);
    fputs(prefix, log_file);
    vfprintf(log_file, fmt, ap);
    fputc('\n', log_file);
}

void log_line(const char *fmt, ...)
{
    va_list ap;

    if (!log_file)
        return;
    va_start(ap, fmt);
    log_write("", fmt, ap);
    va_end(ap);
}

/* Whether this second has room for one more trace. */
static bool trace_fits(void)
{
    time_t now = time(NULL);

    if (now != trace_second) {
        trace_second = now;
        traces = 0;
        if (left_out)
            log_line("%u traces were left out", left_out);
        left_out = 0;
    }
    if (traces == LOG_TRACES_MAX) {
        left_out++;
        return false;
    }
    traces++;
    return true;
}

void log_trace(enum log_switch which, const char *fmt, ...)
{
    char prefix[8];
    va_list ap;

    if (!log_file || !log_wants(which) || !trace_fits())
        return;
    snprintf(prefix, sizeof(prefix), "%s: ", log_switch_info[which].name);
    va_start(ap, fmt);
    log_write(prefix, fmt, ap);
    va_end(ap);
}

const char *log_text(char *out, size_t size, const char *data, size_t len)
{
    size_t n;

    if (len && !data[len - 1])
        len--;
    n = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < n; i++) {
        if (data[i] >= ' ' && data[i] <= '~')
            out[i] = data[i];
        else
            out[i] = data[i] ? '?' : ' ';
    }
    out[n] = '\0';
    return out;
}
