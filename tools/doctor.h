/*
 * What `ringside doctor` looks for: a table of checks, each a small function
 * that tries the thing itself instead of guessing from versions.
 */
#ifndef RINGSIDE_TOOLS_DOCTOR_H
#define RINGSIDE_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
    DOCTOR_OK,
    DOCTOR_WEAKER,  /* guests run, with the consequence that is told */
    DOCTOR_MISSING, /* guests do not run */
};

struct finding {
    char detail[160]; /* what was seen */
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

#endif
