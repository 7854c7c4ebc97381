/* Live update: its phases, and what it waits for; see update.h. */
#include "update/update.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "conn/conn.h"
#include "store/store.h"

/* How often update_turn() checks whether the client is still connected. */
#define CLIENT_CHECK_MS 1000

/* ---- phases ---- */

/* Resumes the connections that were held back. */
static void wake_all(struct store *s)
{
    struct list *pos;

    list_for_each(pos, &s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (c->held)
            conn_dirty(c);
    }
}

void update_clear(struct store *s)
{
    struct update *u = &s->update;
    bool possible = u->possible;

    if (u->closing)
        wake_all(s);
    free(u->file);
    free(u->arguments);
    *u = (struct update){ .possible = possible };
}

bool update_under_way(const struct update *u)
{
    return u->phase >= UPDATE_DUE && u->phase <= UPDATE_READY;
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
 * A connection with an open transaction may begin more: its requests are served
 * in order, and the end of the first may come after the start of the second.
 */
bool update_holds(const struct conn *c)
{
    return c->store->update.closing && !c->nr_txns;
}

static bool is_late(const struct store *s)
{
    return s->now_ms >= s->update.until_ms;
}

/*
 * Whether the client has disconnected: its connection is not read while it
 * waits, so nothing else notices.
 */
static bool is_alone(const struct update *u)
{
    return u->conn->ops->gone && u->conn->ops->gone(u->conn);
}

/* Whether open transactions no longer delay the update. */
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
    assert(u->conn && u->file); /* the end of either ends the update */
    if (is_clear(s)) {
        u->phase = UPDATE_DUE; /* the state has changed since the check */
    } else if (is_late(s)) {
        give_up(s);
    } else if (is_alone(u)) {
        update_failed(s, "given up, as its client has gone");
    } else {
        left = u->until_ms - s->now_ms;
        store_want_tick(s, left < CLIENT_CHECK_MS ? left : CLIENT_CHECK_MS);
    }
}

void update_checked(struct store *s)
{
    struct update *u = &s->update;

    if (u->phase != UPDATE_CHECKING)
        return;
    u->closing = true;
    u->phase = UPDATE_READY;
    update_turn(s);
}
