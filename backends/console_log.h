/*
 * What a guest wrote to its console, in a file.
 *
 * A log of at most twice CONSOLE_LOG_LIMIT: when the file is full it becomes
 * NAME.log.1 (an older one goes) and a new one begins. So nothing is lost
 * before that much has been written since.
 */
#ifndef RINGSIDE_BACKENDS_CONSOLE_LOG_H
#define RINGSIDE_BACKENDS_CONSOLE_LOG_H

#include <stddef.h>

#define CONSOLE_LOG_LIMIT (16u << 20)

struct console_log;

/* Appends to DIR/NAME.log; makes DIR. limit in bytes. -errno. */
int console_log_open(const char *dir, const char *name, size_t limit,
                     struct console_log **out);
void console_log_close(struct console_log *log);

/* Writes all of it; a full disk loses output, silently. */
void console_log_write(struct console_log *log, const char *buf, size_t n);

#endif
