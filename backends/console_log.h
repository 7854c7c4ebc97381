/*
 * What a guest wrote to its console, byte by byte, in a bounded log
 * (log_file.h). Nothing is lost before as much as its limit has been written
 * since.
 */
#ifndef RINGSIDE_BACKENDS_CONSOLE_LOG_H
#define RINGSIDE_BACKENDS_CONSOLE_LOG_H

#include <stddef.h>

#define CONSOLE_LOG_LIMIT (16u << 20)

struct log_file;

/*
 * Opens DIR/NAME.log, to be written by log_file_write(); makes DIR. limit in
 * bytes. -errno.
 */
int console_log_open(const char *dir, const char *name, size_t limit,
                     struct log_file **out);

#endif
