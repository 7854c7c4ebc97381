/*
 * What `ringside doctor` looks for: a table of checks, each a small function
 * that tries the thing itself instead of guessing from versions.
 */
#ifndef RINGSIDE_TOOLS_DOCTOR_H
#define RINGSIDE_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "rundir_check.h"

enum verdict {
    DOCTOR_OK,
    DOCTOR_WEAKER,  /* guests run, with the consequence that is told */
    DOCTOR_MISSING, /* guests do not run */
};

struct finding {
    char detail[RUNDIR_WHY_MAX]; /* what was seen */
    const char *consequence;     /* in place of the check's; NULL: that */
};

struct check {
    const char *name;
    enum verdict (*look)(struct finding *f);
    /* Told if the verdict is not DOCTOR_OK. */
    const char *consequence, *remedy;
    /* Environment variable that switches the thing off; NULL: none. */
    const char *off;
    bool installation; /* about Ringside's files, not about the machine */
};

/* What the machine lacks so that guests cannot run; NULL: nothing. */
const char *doctor_first_missing(void);

extern const struct check doctor_checks[];
extern const size_t doctor_nr_checks;

/* ---- for the checks themselves ---- */

#define DOCTOR_SAY(f, ...) \
    snprintf((f)->detail, sizeof((f)->detail), __VA_ARGS__)

/* DOCTOR_OK for err 0; else `failed`, with the error's name as the detail. */
enum verdict doctor_verdict(struct finding *f, int err, enum verdict failed);

/* doctor_kernel.c */
enum verdict doctor_check_kernel(struct finding *f);
enum verdict doctor_check_listener(struct finding *f);
enum verdict doctor_check_sync_wake_up(struct finding *f);
enum verdict doctor_check_userfaultfd(struct finding *f);
enum verdict doctor_check_namespaces(struct finding *f);
enum verdict doctor_check_io_uring(struct finding *f);
enum verdict doctor_check_memfd(struct finding *f);
enum verdict doctor_check_epoll_pwait2(struct finding *f);
enum verdict doctor_check_pidfd(struct finding *f);

#endif
