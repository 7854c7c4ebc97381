/*
 * The daemon's log: one line per message, to stderr or to a file of bounded
 * size (log_file.h) that can be reopened (logrotate).
 *
 * log_line() always writes. log_trace() writes only while tracing is on
 * (--trace, CONTROL log) and the trace's switch is set. Clients cannot fill the
 * log: each guest has a few complaints (domain_may_complain()), there are at
 * most LOG_TRACES_MAX traces a second, and at most LOG_TRACES_OF_GUEST for the
 * requests of one guest. Traces that are left out are counted.
 */
#ifndef XS_LOG_H
#define XS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define LOG_TRACES_MAX      1000
#define LOG_TRACES_OF_GUEST 250
#define LOG_LINE_MAX        8192u /* the rest of a longer line is lost */

enum log_switch {
    LOG_OBJ, /* connections, domains, watches, transactions come and go */
    LOG_IO,  /* requests and their outcome */
    LOG_WRL, /* guests held back by the write limit */
    LOG_ACC, /* requests refused by a quota */
    LOG_DB,  /* what is written to the database */
    LOG_SWITCHES
};

struct log_switch_info {
    const char *name, *what;
};
extern const struct log_switch_info log_switch_info[LOG_SWITCHES];

/*
 * Opens a file to append to, under a name that a client chose: it never blocks
 * on a FIFO (ENXIO). NULL and errno.
 */
FILE *log_append(const char *file);

/* Opens the log file (NULL: stderr). 0, or -errno, and the old file stays. */
int log_open(const char *file);
/* The file that was opened last; NULL: stderr. */
const char *log_path(void);
/* Opens the file of that path again, which logrotate may have replaced. */
void log_reopen(void);

/* Tracing as a whole, and one switch; a switch matters while tracing is on. */
void log_set_trace(bool on);
bool log_tracing(void);
void log_set_switch(enum log_switch which, bool on);
bool log_switched(enum log_switch which);
/* The switch of that name, or -ENOENT. */
int log_switch_by_name(const char *name);

/* Whether log_trace() with this switch writes anything. */
extern unsigned int log_active;
static inline bool log_wants(enum log_switch which)
{
    return log_active & 1u << which;
}

/* Sets the guest whose request is served from now on; 0: domain 0, or none. */
void log_set_source(unsigned int domid);

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_trace(enum log_switch which, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Makes a client's bytes printable for a line: drops a NUL at the end, writes
 * other NULs as spaces and the rest as printable.h says, at most `size` - 1
 * characters.
 */
const char *log_text(char *out, size_t size, const char *data, size_t len);

#endif
