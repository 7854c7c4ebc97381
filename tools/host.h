/*
 * The host that a verb talks to: the user's, which runs until it is stopped,
 * or a private one, which lives as long as this process.
 *
 * A host is a runtime directory in which ringsided(8) serves. After one of the
 * host_open functions h->client is a connection to its hypervisor, as a tool,
 * and h->store one to its store. They return 0, or -EINVAL after a complaint.
 */
#ifndef RINGSIDE_TOOLS_HOST_H
#define RINGSIDE_TOOLS_HOST_H

#include <stdbool.h>
#include <sys/types.h>

#include "rundir_check.h"
#include "socket_name.h"

struct rs_client;
struct xs_handle;
struct xs_pipeline;

struct host {
    char rundir[RUNDIR_MAX];
    bool private;
    pid_t pid;    /* of a private host's ringsided */
    int lifeline; /* its end of life: closing this ends a private host */
    struct socket_name store_name;
    struct rs_client *client; /* to its hypervisor */
    struct xs_pipeline *store;
    struct xs_handle *news; /* for watches; NULL until host_watch_ends() */
};

/* The user's host, which must be running. */
int host_open(struct host *h);

/* The user's host, started in the background if it is not running. */
int host_open_or_start(struct host *h);

/* The user's host if it is running, else a private one. */
int host_open_or_private(struct host *h);

/* A private one in any case; engine: see ringsided(8), NULL: its default. */
int host_open_private(struct host *h, const char *engine);

/*
 * Whether it runs programs at all: a host of ringsided's engine `test` does
 * not, its guests are played by a test. 0, or -EINVAL after a complaint.
 */
int host_check_engine(const struct host *h);

/*
 * The name of one of the host's logs ("driverd.log") where it can be read when
 * this process has ended: a private host's gets another name, for the host's
 * directory goes. false: there is no such log.
 */
bool host_keep_log(const struct host *h, const char *log,
                   char path[RUNDIR_FILE_MAX]);

/* Opens h->news, and watches for the end of domains over it. */
int host_watch_ends(struct host *h);

/* Takes a private host down and removes its directory. */
void host_close(struct host *h);

/* The user's runtime directory, as ringsided(8) says; -EINVAL: too long. */
int host_rundir(char rundir[RUNDIR_MAX]);

#endif
