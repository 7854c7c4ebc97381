/* The daemon's log; see log.h. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_file.h"
#include "printable.h"

const struct log_switch_info log_switch_info[LOG_SWITCHES] = {
    [LOG_OBJ] = { "obj", "connections, domains, watches, transactions" },
    [LOG_IO] = { "io", "requests and their outcome" },
    [LOG_WRL] = { "wrl", "guests held back by the write limit" },
    [LOG_ACC] = { "acc", "requests refused by a quota" },
    [LOG_DB] = { "db", "what is written to the database" },
};

unsigned int log_active;

#define SOURCES 256u /* guests with equal numbers modulo this share one */

static bool is_open;
static struct log_file *log_file; /* NULL: stderr */
static bool tracing;
static unsigned int switches = (1u << LOG_SWITCHES) - 1;
static time_t trace_second; /* in which `traces` were written */
static unsigned int traces, left_out;
static unsigned int source; /* the guest whose request is traced; 0: none */
static unsigned int traces_of[SOURCES]; /* by source, in this second */

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
    struct log_file *log = NULL;
    int err =
        file ? log_file_open(file, 0666, LOG_FILE_LIMIT, LOG_FILE_TELLS, &log)
             : 0;

    if (err)
        return err;
    log_file_close(log_file);
    log_file = log;
    is_open = true;
    return 0;
}

const char *log_path(void)
{
    return log_file ? log_file_path(log_file) : NULL;
}

void log_reopen(void)
{
    int err = log_file ? log_file_reopen(log_file) : 0;

    if (err)
        log_line("%s cannot be opened again: %s", log_path(), strerror(-err));
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
static int log_stamp(char *out, size_t size)
{
    struct timespec now;
    char stamp[32];
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(stamp, sizeof(stamp), "%FT%T", gmtime_r(&now.tv_sec, &tm));
    return snprintf(out, size, "%s.%03ldZ ", stamp, now.tv_nsec / 1000000);
}

static void log_write(const char *prefix, const char *fmt, va_list ap)
{
    char line[LOG_LINE_MAX];
    int n = log_stamp(line, sizeof(line));

    n += snprintf(line + n, sizeof(line) - (size_t)n, "%s", prefix);
    vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, fmt, ap);
    printable_line(line, sizeof(line) - 1);
    strcat(line, "\n");
    if (log_file)
        log_file_write(log_file, line, strlen(line));
    else
        fputs(line, stderr);
}

void log_line(const char *fmt, ...)
{
    va_list ap;

    if (!is_open)
        return;
    va_start(ap, fmt);
    log_write("", fmt, ap);
    va_end(ap);
}

void log_set_source(unsigned int domid)
{
    source = domid;
}

/* One guest's requests may use a part of the traces of a second. */
static bool source_fits(void)
{
    return !source || traces_of[source % SOURCES]++ < LOG_TRACES_OF_GUEST;
}

/* Whether this second has room for one more trace. */
static bool trace_fits(void)
{
    time_t now = time(NULL);

    if (now != trace_second) {
        trace_second = now;
        traces = 0;
        memset(traces_of, 0, sizeof(traces_of));
        if (left_out)
            log_line("%u traces were left out", left_out);
        left_out = 0;
    }
    if (traces == LOG_TRACES_MAX || !source_fits()) {
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

    if (!is_open || !log_wants(which) || !trace_fits())
        return;
    snprintf(prefix, sizeof(prefix), "%s: ", log_switch_info[which].name);
    va_start(ap, fmt);
    log_write(prefix, fmt, ap);
    va_end(ap);
}

const char *log_text(char *out, size_t size, const char *data, size_t len)
{
    size_t at = 0;

    if (len && !data[len - 1])
        len--;
    while (len) {
        size_t n = strnlen(data, len);

        at += printable(out + at, size - at, data, n);
        data += n;
        len -= n;
        if (!len || at + 1 >= size)
            break;
        out[at++] = ' '; /* the end of one of the request's strings */
        data++;
        len--;
    }
    out[at] = '\0';
    return out;
}
