/* CONTROL live-update: the command; see control.h and update.h. */
#include "request/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Whether another client has begun an update. One that has only named a program
 * does not count.
 */
static bool is_taken(const struct request *rq)
{
    const struct update *u = &rq->s->update;

    return u->phase > UPDATE_NAMED && u->conn != rq->c;
}

/* NULL, or what is wrong with the file, as far as this process can see. */
static const char *check_file(const char *file)
{
    struct stat st;

    if (file[0] != '/')
        return "not an absolute path";
    if (stat(file, &st))
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "not a regular file";
    return access(file, X_OK) ? strerror(errno) : NULL;
}

/* "-f FILE" */
static int name_file(struct request *rq, const char *file)
{
    struct update *u = &rq->s->update;
    const char *wrong = check_file(file);
    char text[XENSTORE_PAYLOAD_MAX];

    if (is_taken(rq))
        return reply_string(rq, "BUSY");
    if (wrong) {
        snprintf(text, sizeof(text), "%.3000s: %s", file, wrong);
        return reply_string(rq, text);
    }
    update_clear(rq->s);
    u->file = strdup(file);
    if (!u->file)
        return -ENOMEM;
    u->conn = rq->c;
    u->phase = UPDATE_NAMED;
    return reply_ack(rq);
}

/* "-c ARGUMENTS" */
static int name_arguments(struct request *rq, const char *arguments)
{
    struct update *u = &rq->s->update;

    if (u->phase != UPDATE_NAMED || u->conn != rq->c)
        return reply_string(rq, "no program was named");
    free(u->arguments);
    u->arguments = strdup(arguments);
    return u->arguments ? reply_ack(rq) : -ENOMEM;
}

/* "-a" */
static int abandon(struct request *rq)
{
    struct update *u = &rq->s->update;

    if (update_under_way(u) && u->conn != rq->c)
        update_failed(rq->s, "given up at a client's wish");
    else if (u->conn == rq->c)
        update_clear(rq->s);
    return reply_ack(rq);
}

/* The options of "-s": [-t SECONDS] [-F]. */
static int start_options(struct request *rq, int n, const char *arg[])
{
    struct update *u = &rq->s->update;
    uint64_t seconds = UPDATE_WAIT_S;
    bool force = false;

    for (int i = 1; i < n; i++) {
        if (!strcmp(arg[i], "-F"))
            force = true;
        else if (strcmp(arg[i], "-t") || ++i == n ||
                 wire_number(arg[i], 1000000, &seconds))
            return -EINVAL;
    }
    u->force = force;
    u->until_ms = rq->s->now_ms + seconds * 1000;
    return 0;
}

/* "-s": is served again until it can be answered. */
static int start(struct request *rq, int n, const char *arg[])
{
    struct update *u = &rq->s->update;
    char why[UPDATE_WHY_MAX];
    int err;

    if (is_taken(rq))
        return reply_string(rq, "BUSY");
    if (u->conn != rq->c)
        return reply_string(rq, "no program was named");
    switch (u->phase) {
    case UPDATE_NAMED:
        err = start_options(rq, n, arg);
        if (err)
            return err;
        u->phase = UPDATE_DUE;
        return REQUEST_LATER;
    case UPDATE_FAILED:
        strcpy(why, u->why);
        update_clear(rq->s);
        return reply_string(rq, why);
    case UPDATE_DONE:
        update_clear(rq->s);
        return reply_ack(rq);
    default:
        return REQUEST_LATER;
    }
}

int control_live_update(struct request *rq, int n, const char *arg[])
{
    if (!rq->s->update.possible)
        return -ENOSYS;
    if (n == 2 && !strcmp(arg[0], "-f"))
        return name_file(rq, arg[1]);
    if (n == 2 && !strcmp(arg[0], "-c"))
        return name_arguments(rq, arg[1]);
    if (n == 1 && !strcmp(arg[0], "-a"))
        return abandon(rq);
    if (n >= 1 && !strcmp(arg[0], "-s"))
        return start(rq, n, arg);
    return -EINVAL;
}
