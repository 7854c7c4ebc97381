/* Live update as its client sees it; see update.h. */
#include "update.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"

/* How often it is looked whether the client still waits. */
#define LOOK_MS 1000

/* ---- phases ---- */

/* Whoever waited goes on. */
static void wake_all(struct store *s)
{
    struct list *pos;

    list_for_each(pos, &s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (c->held)
            conn_dirty(c);
    }
}

static void update_clear(struct store *s)
{
    struct update *u = &s->update;
    bool possible = u->possible;

    if (u->closing)
        wake_all(s);
    free(u->file);
    free(u->arguments);
    *u = (struct update){ .possible = possible };
}

static bool is_under_way(const struct update *u)
{
    return u->phase >= UPDATE_DUE && u->phase <= UPDATE_READY;
}

/* A client that has only named a program may be overtaken by another. */
static bool is_taken(const struct request *rq)
{
    const struct update *u = &rq->s->update;

    return u->phase > UPDATE_NAMED && u->conn != rq->c;
}

void update_failed(struct store *s, const char *fmt, ...)
{
    struct update *u = &s->update;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(u->why, sizeof(u->why), fmt, ap);
    va_end(ap);
    log_line("live update: %s", u->why);
    u->phase = UPDATE_FAILED;
    if (u->closing)
        wake_all(s);
    u->closing = false;
    if (u->conn)
        conn_dirty(u->conn);
    else
        update_clear(s);
}

void update_done(struct store *s, struct conn *c)
{
    s->update.conn = c;
    s->update.phase = UPDATE_DONE;
}

void update_conn_ends(struct conn *c)
{
    if (c->store->update.conn == c)
        update_clear(c->store);
}

/* ---- transactions ---- */

/*
 * One with a transaction open may begin more: its requests are served in
 * order, and the end of the first may come behind the start of the second.
 */
bool update_holds(const struct conn *c)
{
    return c->store->update.closing && !c->nr_txns;
}

static bool is_late(const struct store *s)
{
    return s->now_ms >= s->update.until_ms;
}

/* The client waits unread: that it has gone is not noticed otherwise. */
static bool is_alone(const struct update *u)
{
    return u->conn->ops->gone && u->conn->ops->gone(u->conn);
}

/* Whether no transaction is in the way. */
static bool is_clear(const struct store *s)
{
    return !s->open_txns || (s->update.force && is_late(s));
}

static void give_up(struct store *s)
{
    struct text t = { .len = 0 };
    unsigned int domains = 0;
    struct list *pos;

    list_for_each(pos, &s->domain_list) {
        const struct domain *d = domain_of(pos);

        if (d->used[QUOTA_TXNS] > 0 && domains++ < 10)
            text_add(&t, "%s %u", domains > 1 ? "," : "", d->domid);
    }
    update_failed(s, "%u transactions are still open, of domains%s%s",
                  s->open_txns, t.s, domains > 10 ? ", ..." : "");
}

void update_turn(struct store *s)
{
    struct update *u = &s->update;
    uint64_t left;

    if (u->phase == UPDATE_READY && !is_clear(s)) {
        log_line("live update: waiting for %u transactions", s->open_txns);
        u->phase = UPDATE_WAITING;
    }
    if (u->phase != UPDATE_WAITING)
        return;
    if (is_clear(s)) {
        u->phase = UPDATE_DUE; /* much may have changed since the proof */
    } else if (is_late(s)) {
        give_up(s);
    } else if (is_alone(u)) {
        update_failed(s, "given up, as its client has gone");
    } else {
        left = u->until_ms - s->now_ms;
        store_want_tick(s, left < LOOK_MS ? left : LOOK_MS);
    }
}

void update_proved(struct store *s)
{
    struct update *u = &s->update;

    if (u->phase != UPDATE_PROVING)
        return;
    u->closing = true;
    u->phase = UPDATE_READY;
    update_turn(s);
}

/* ---- the command ---- */

/* NULL, or what is wrong with the file; said of what can be seen from here. */
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

    if (is_under_way(u) && u->conn != rq->c)
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

/* "-s": is served again and again, until it can be answered. */
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
