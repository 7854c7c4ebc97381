/*
 * The log of a guest's console for those who show it: where in it a guest's
 * life begins, and its last part.
 *
 * The console backend writes RUNDIR/console/NAME.log (log_file.h of common):
 * guests of one name follow each other there, and a full file becomes
 * NAME.log.1.
 */
#ifndef RINGSIDE_TOOLS_LOG_TAIL_H
#define RINGSIDE_TOOLS_LOG_TAIL_H

#include <stdbool.h>
#include <stddef.h>

/* A place in the log; inode 0: before all that is in it. */
struct log_mark {
    unsigned long long inode, offset;
};

/* The log's name; the second is that of a console beside the primary one. */
void log_tail_path(char *path, size_t n, const char *rundir, const char *name);
void log_tail_path_of(char *path, size_t n, const char *rundir,
                      unsigned int console, const char *name);

/* The log's present end. */
void log_tail_mark(const char *path, struct log_mark *mark);

/*
 * Opens the log at the mark, or if there are more than `most` bytes behind it
 * at the first line of these: then *cut. That may be in PATH.1; relay_follow()
 * goes on from there. Returns a descriptor, or -errno.
 */
int log_tail_open(const char *path, const struct log_mark *mark, size_t most,
                  bool *cut);

#endif
