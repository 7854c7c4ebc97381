/*
 * The runtime directory of a host: which one is a user's, and whether it can be
 * trusted. A name in /tmp may have been taken by anybody.
 */
#ifndef RINGSIDE_RUNDIR_CHECK_H
#define RINGSIDE_RUNDIR_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUNDIR_MAX      512               /* of its name, with the final 0 */
#define RUNDIR_FILE_MAX (RUNDIR_MAX + 96) /* of a file's in it, or below */
#define RUNDIR_WHY_MAX  (RUNDIR_MAX + 256)

/*
 * Where a host of this user is by default: $RINGSIDE_RUNDIR, else /run/ringside
 * for root, else $XDG_RUNTIME_DIR/ringside (an absolute name), else
 * /tmp/ringside-UID. false: the name is longer than n - 1; it is cut.
 */
bool rundir_default(char *path, size_t n);

/*
 * Whether user `self` may trust what is in the directory: it is one, and no
 * symbolic link to one; it belongs to that user or to root, and nobody else
 * can write it or replace it. 0; -ENOENT: there is none; -EPERM (or another
 * error): `why`, of size n (RUNDIR_WHY_MAX is enough), says in a line what is
 * wrong and what would help.
 */
int rundir_check(const char *path, uid_t self, char *why, size_t n);

#endif
