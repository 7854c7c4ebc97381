/*
 * The runtime directory of a host: everything that a running host leaves in
 * the file system, and the lock that makes it the only one there.
 *
 *   lock  ringsided.pid  hypervisor.sock  xenstored.sock  driverd.stats
 *   log/  console/
 */
#ifndef RINGSIDE_RUNDIR_H
#define RINGSIDE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "rundir_check.h"

struct rundir {
    char path[RUNDIR_MAX];
    int lock;
    bool made; /* by us: goes with us */
};

/* "path/name" into out. */
void rundir_file(const struct rundir *r, const char *name, char *out, size_t n);

/*
 * Makes it if needed, locks it, removes what a host that was killed left
 * there. false: why has been written to `why`.
 */
bool rundir_open(struct rundir *r, const char *path, char *why, size_t n);

/* Removes what a host makes, and the directory itself if it was `made`. */
void rundir_remove(struct rundir *r);

#endif
