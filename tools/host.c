/* Finding a host and talking to it; see host.h. */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "ringside/client.h"
#include "xs_pipeline.h"

#include "launch.h"
#include "rundir_check.h"
#include "say.h"

#define TRIES 100 /* 20 ms each: hosts start, and end, in less */

int host_rundir(char rundir[RUNDIR_MAX])
{
    if (!rundir_default(rundir, RUNDIR_MAX))
        return complain("the runtime directory's name is too long, %d bytes "
                        "fit: %s…",
                        RUNDIR_MAX - 1, rundir);
    return 0;
}

static void wait_a_moment(void)
{
    const struct timespec moment = { .tv_nsec = 20000000 };

    nanosleep(&moment, NULL);
}

/* The store of a host that is just starting is not there at once. */
static int try_store(struct host *h)
{
    struct rs_host_info info;
    int err = -ENOENT;

    for (int i = 0; i < TRIES; i++) {
        err = xs_pipeline_open(&h->store);
        if (err == 0 || rs_client_host_info(h->client, &info) != 0)
            break;
        wait_a_moment();
    }
    return err;
}

/* libxenstore takes the socket's name from the environment, now and later. */
static int open_store(struct host *h)
{
    char path[RUNDIR_FILE_MAX];
    int err;

    snprintf(path, sizeof(path), "%s/xenstored.sock", h->rundir);
    err = socket_name_open(&h->store_name, path);
    if (err == 0) {
        setenv("XENSTORED_PATH", h->store_name.address.sun_path, 1);
        err = try_store(h);
    }
    if (err == 0)
        return 0;
    socket_name_close(&h->store_name);
    return complain("the host in %s has no store: %s", h->rundir,
                    strerror(-err));
}

/* A host that is about to end accepts a connection and then drops it. */
static int connect_patiently(const char *path, struct rs_client **client)
{
    int err = -EPIPE;

    for (int i = 0; i < TRIES && err == -EPIPE; i++) {
        if (i > 0)
            wait_a_moment();
        err = rs_client_connect(path, client);
        if (err == -ECONNRESET)
            err = -EPIPE;
    }
    return err;
}

static void disconnect(struct host *h)
{
    rs_client_disconnect(h->client);
    h->client = NULL;
}

/* Connects to what serves in h->rundir, which must be the user's or root's;
 * -ENOENT without complaint: nobody. */
static int connect_host(struct host *h)
{
    char path[RUNDIR_FILE_MAX], why[RUNDIR_WHY_MAX];
    int err;

    err = rundir_check(h->rundir, geteuid(), why, sizeof(why));
    if (err != 0)
        return err == -ENOENT ? err : complain("%s", why);
    snprintf(path, sizeof(path), "%s/hypervisor.sock", h->rundir);
    err = connect_patiently(path, &h->client);
    if (err == -ENOENT || err == -ECONNREFUSED)
        return -ENOENT;
    if (err == -EPERM)
        return complain("the host in %s runs as another user, neither as you "
                        "nor as root; remove %s, or set RINGSIDE_RUNDIR to a "
                        "directory of your own",
                        h->rundir, path);
    if (err != 0)
        return complain("cannot talk to the host in %s: %s", h->rundir,
                        strerror(-err));
    err = open_store(h);
    if (err != 0)
        disconnect(h);
    return err;
}

static int host_init(struct host *h)
{
    *h = (struct host){ .lifeline = -1, .store_name.dir = -1 };
    return host_rundir(h->rundir);
}

int host_open(struct host *h)
{
    int err = host_init(h);

    if (err == 0)
        err = connect_host(h);
    if (err == -ENOENT)
        return complain("no host is running in %s; 'ringside create' starts "
                        "one",
                        h->rundir);
    return err;
}

/* Somebody else may have been starting the same host: then that one serves. */
static int start_host(struct host *h)
{
    char lock[RUNDIR_FILE_MAX];
    int err, try_again;

    complain_silently(true);
    err = launch_daemon(h->rundir);
    complain_silently(false);
    if (err == 0)
        return connect_host(h);
    snprintf(lock, sizeof(lock), "%s/lock", h->rundir);
    for (int i = 0; i < TRIES && access(lock, F_OK) == 0; i++) {
        try_again = connect_host(h);
        if (try_again != -ENOENT)
            return try_again;
        wait_a_moment();
    }
    return complain_again();
}

int host_open_or_start(struct host *h)
{
    char log[RUNDIR_FILE_MAX];
    int err = host_init(h);

    if (err == 0)
        err = connect_host(h);
    if (err != -ENOENT)
        return err;
    err = start_host(h);
    if (err != -ENOENT)
        return err;
    if (host_keep_log(h, "ringsided.log", log))
        return complain("the host in %s ended as soon as it had started; its "
                        "log is %s",
                        h->rundir, log);
    return complain("the host in %s was ended as soon as it had started",
                    h->rundir);
}

int host_open_private(struct host *h, const char *engine)
{
    int err;

    *h = (struct host){ .lifeline = -1, .store_name.dir = -1 };
    err = launch_private(h->rundir, sizeof(h->rundir), engine, &h->pid,
                         &h->lifeline);
    if (err != 0)
        return err;
    h->private = true;
    err = connect_host(h);
    if (err == -ENOENT)
        complain("the private host ended as soon as it had started");
    if (err != 0)
        host_close(h);
    return err != 0 ? -EINVAL : 0;
}

int host_open_or_private(struct host *h)
{
    int err = host_init(h);

    if (err == 0)
        err = connect_host(h);
    return err == -ENOENT ? host_open_private(h, NULL) : err;
}

int host_check_engine(const struct host *h)
{
    struct rs_host_info info;

    if (rs_client_host_info(h->client, &info) != 0 ||
        strcmp(info.engine, "test") != 0)
        return 0;
    return complain("the host in %s was started with --engine test, which "
                    "runs no programs; end it with 'ringside stop-host', or "
                    "set RINGSIDE_RUNDIR to another directory",
                    h->rundir);
}

bool host_keep_log(const struct host *h, const char *log,
                   char path[RUNDIR_FILE_MAX])
{
    char kept[RUNDIR_FILE_MAX];

    snprintf(path, RUNDIR_FILE_MAX, "%s/log/%s", h->rundir, log);
    if (!h->private)
        return access(path, R_OK) == 0;
    snprintf(kept, sizeof(kept), "%s.%s", h->rundir, log);
    if (link(path, kept) != 0)
        return false;
    snprintf(path, RUNDIR_FILE_MAX, "%s", kept);
    return true;
}

int host_watch_ends(struct host *h)
{
    if (h->news != NULL)
        return 0;
    h->news = xs_open(0);
    if (h->news != NULL && xs_watch(h->news, "@releaseDomain", "end"))
        return 0;
    return complain("cannot watch the store: %s", strerror(errno));
}

void host_close(struct host *h)
{
    if (h->news != NULL)
        xs_close(h->news);
    h->news = NULL;
    xs_pipeline_close(h->store);
    h->store = NULL;
    socket_name_close(&h->store_name);
    disconnect(h);
    if (h->private)
        launch_end(h->rundir, h->pid, h->lifeline);
    h->private = false;
}
