/* The daemon's log: one line per message, to stderr or to a file. */
#ifndef XS_LOG_H
#define XS_LOG_H

/* Opens the log file (NULL: stderr). 0, or -errno. */
int log_open(const char *file);
/* The file that was opened last; NULL: stderr. */
const char *log_path(void);
/* Whether log_trace() writes anything. */
void log_set_trace(int on);
int log_tracing(void);

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Only while tracing is on (CONTROL log on). */
void log_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
