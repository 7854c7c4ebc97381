/*
 * A xenstore in memory behind the functions of xs_pipeline.h: a flat list of
 * nodes with permissions, in which missing parents are made and inherit, and
 * transactions that work in place. Requests are served as they are added.
 */
#ifndef RINGSIDE_TESTS_FAKE_XS_H
#define RINGSIDE_TESTS_FAKE_XS_H

#include <stdbool.h>

struct xs_pipeline;

/* An empty store. */
struct xs_pipeline *fake_xs_new(void);
void fake_xs_free(struct xs_pipeline *xs);

/* The value of a node, NULL if there is none; "n0 r3" as its permissions. */
void fake_xs_write(struct xs_pipeline *xs, const char *path, const char *value);
const char *fake_xs_value(struct xs_pipeline *xs, const char *path);
const char *fake_xs_perms(struct xs_pipeline *xs, const char *path);
unsigned int fake_xs_count(struct xs_pipeline *xs);

/* How many coming commits fail with EAGAIN; which write (1…) fails at all. */
extern int fake_xs_conflicts, fake_xs_failing_write;

/* What was introduced and not released: a domid, 0: nobody. */
extern unsigned int fake_xs_introduced;
extern bool fake_xs_refuse_introduction;

#endif
