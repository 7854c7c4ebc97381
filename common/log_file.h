/*
 * A log file of bounded size, for every program that keeps one.
 *
 * PATH holds the newest lines. When it would grow beyond its limit it becomes
 * PATH.1 (an older one goes) and a new PATH begins, so both together are at
 * most twice the limit. A program's own standard output and error can be bound
 * to it and then follow to the new file. What could not be written, as on a
 * full disk, is counted, and the count is the next line that can be written.
 *
 * One process writes to a file. A program whose standard error was made one by
 * its parent opens it by name and binds it, and is then the one that writes.
 */
#ifndef RINGSIDE_LOG_FILE_H
#define RINGSIDE_LOG_FILE_H

#include <stddef.h>

/* For the logs of daemons and toolstack. */
#define LOG_FILE_LIMIT (4u << 20)

struct log_file;

/* Whether a new file begins with a line that tells how much went with PATH.1;
 * not in the log of a guest's console, which has the guest's bytes alone. */
#define LOG_FILE_TELLS 1u

/*
 * Appends to the file, which is made with that mode; what is not a regular file
 * is written to without a limit, and never waited for (a FIFO without a reader:
 * -ENXIO). -errno.
 */
int log_file_open(const char *path, unsigned int mode, size_t limit,
                  unsigned int flags, struct log_file **out);
void log_file_close(struct log_file *log); /* NULL: nothing */

/*
 * Makes the file standard output and error, now and after each change of files:
 * what libraries and runtimes print there belongs to the log. This is done
 * without asking if standard error is the file already, because a parent opened
 * it for us. -errno.
 */
int log_file_bind(struct log_file *log);

/*
 * Appends n bytes, which should be whole lines; a new file begins first if they
 * do not fit.
 */
void log_file_write(struct log_file *log, const char *bytes, size_t n);

/*
 * Begins a new file if the file is full, for programs whose own lines go to the
 * bound descriptors.
 */
void log_file_check(struct log_file *log);

/* Opens PATH anew: somebody may have moved the file. -errno: the old stays. */
int log_file_reopen(struct log_file *log);

const char *log_file_path(const struct log_file *log);

#endif
