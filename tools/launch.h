/*
 * Starting ringsided(8) and ending a private one.
 *
 * The program is looked for next to this command's own file, then where
 * `make install` puts it. Functions return 0, or -EINVAL after a complaint.
 */
#ifndef RINGSIDE_TOOLS_LAUNCH_H
#define RINGSIDE_TOOLS_LAUNCH_H

#include <stddef.h>
#include <sys/types.h>

/* Starts the user's host in the background; returns when it serves. */
int launch_daemon(const char *rundir);

/*
 * Chooses a temporary runtime directory (its name goes to rundir), starts a
 * host in it that ends when *lifeline is closed; returns when it serves.
 * engine: NULL for the default.
 */
int launch_private(char *rundir, size_t size, const char *engine, pid_t *pid,
                   int *lifeline);

/*
 * Ends a private host, waits for its end and removes its directory, but not
 * the logs that a host which failed has left in it: complaints name them.
 */
void launch_end(const char *rundir, pid_t pid, int lifeline);

/* The full name of ringsided; -ENOENT without complaint. */
int launch_find(char *path, size_t size);

#endif
