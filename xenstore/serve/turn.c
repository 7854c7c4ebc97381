/* The end of a turn, and time; see turn.h. */
#include "serve/turn.h"

#include <time.h>

#include "conn/conn.h"
#include "conn/throttle.h"
#include "serve/serve.h"
#include "session/session.h"
#include "store/store.h"

/* Removed nodes that are freed in one turn; takes no longer than a slice. */
#define REAP_MAX 512

static void send_queue(struct conn *c)
{
    c->ops->flush(c);
    conn_account(c);
}

/*
 * While more requests of a batch wait, replies are sent only when there are so
 * many bytes of them.
 */
#define BATCH_BYTES 16384

static void flush_conn(struct conn *c)
{
    bool batch = !list_empty(&c->ready) && outq_bytes(&c->out) < BATCH_BYTES;

    if (!c->dead && !batch)
        send_queue(c);
    if (c->dead)
        conn_end(c);
    else
        conn_resume(c);
}

void store_answer(struct conn *c)
{
    struct store *s = c->store;

    if (s->saver || c->dead || c->held || c->more ||
        s->dirty.next != &c->dirty || s->dirty.prev != &c->dirty)
        return;
    list_del(&c->dirty);
    send_queue(c);
}

void store_save(struct store *s)
{
    if (s->saver)
        s->saver->save(s->saver, s);
}

/* A connection that becomes dirty meanwhile waits for the next pass. */
static void flush_dirty(struct store *s)
{
    struct list now = LIST_INIT(now);

    store_save(s); /* sending changes nothing in the tree */
    list_take(&now, &s->dirty);
    while (!list_empty(&now)) {
        struct conn *c = container_of(now.next, struct conn, dirty);

        list_del(&c->dirty);
        flush_conn(c);
    }
}

static void serve_ready(struct store *s)
{
    struct list now = LIST_INIT(now);

    list_take(&now, &s->ready);
    while (!list_empty(&now)) {
        fair_slice(&s->fair);
        conn_serve_more(container_of(now.next, struct conn, ready));
    }
}

/*
 * Sends the replies to the input of this turn before serving what waits. No
 * connection is served twice in a turn, so that a busy client delays nobody.
 */
bool store_flush(struct store *s)
{
    bool more;

    update_turn(s);
    flush_dirty(s);
    serve_ready(s);
    more = fair_run(s);
    flush_dirty(s);
    if (node_reap(REAP_MAX))
        more = true;
    return more || !list_empty(&s->ready) || !list_empty(&s->dirty);
}

void store_clock(struct store *s)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    s->now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void tick_conn(struct conn *c)
{
    conn_expire_events(c);
    conn_resume(c);
}

void store_tick(struct store *s)
{
    struct list *pos;
    uint64_t at;

    s->tick_ms = UINT64_MAX;
    list_for_each(pos, &s->conns)
        tick_conn(container_of(pos, struct conn, entry));
    fair_tick(s);
    at = throttle_deadline(s);
    if (at != UINT64_MAX)
        store_want_tick(s, at > s->now_ms ? at - s->now_ms : 1);
}
