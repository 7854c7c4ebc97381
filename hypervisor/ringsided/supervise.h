/*
 * The processes that make a host complete: the store, then the driver domain.
 *
 * They are started in this order, each when the one before says that it serves
 * (a newline on its --ready-fd). The store's death, or either's death before it
 * ever served, ends the host; a driver domain that served is started again,
 * with growing pauses. All calls are from the thread that dispatches the host.
 */
#ifndef RINGSIDE_SUPERVISE_H
#define RINGSIDE_SUPERVISE_H

#include <stdbool.h>

#include "ringside/ringside.h"

struct supervisor;

struct supervise_config {
    const char *rundir;
    bool store, driver;         /* which are wanted */
    const char *driver_program; /* its full name; NULL: ringside-driverd */
    void (*log)(void *data, enum rs_log_level level, const char *line);
    void (*ready)(void *data);                   /* all serve, once */
    void (*failed)(void *data, const char *why); /* the host must end */
    void *data;
};

/* Starts the first; NULL: no memory. `ready` may come before the return. */
struct supervisor *supervise_start(struct rs_host *h,
                                   const struct supervise_config *c);

/* Asks all to end, lets the host serve them meanwhile, kills what stays. */
void supervise_stop(struct supervisor *s);

#endif
