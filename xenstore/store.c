/* The store: life, the end of a turn, time; see store.h. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conn.h"
#include "hv.h"
#include "kept.h"
#include "throttle.h"
#include "tree.h"

/* Removed nodes that are freed in one turn: no longer than a slice. */
#define REAP_MAX 512

static int store_mkdir(struct store *s, const char *name)
{
    struct perm owner = { 0, 0 };
    struct perms *perms = perms_get(&owner, 1);
    int err =
        perms ? path_parse(&s->path, name, strlen(name), 0, false) : -ENOMEM;

    if (!err)
        err = tree_add(&s->root, &s->path, s->path.depth, NULL, 0, perms);
    perms_unref(perms);
    return err;
}

/* Every domain may know that one has ended: it may have lent it something. */
static int store_open_special(struct store *s)
{
    static const struct perm all[] = { { 0, 0 },
                                       { PERM_ANY_DOMID, PERM_READ } };

    s->special[SPECIAL_INTRODUCE] = perms_get(all, 1);
    s->special[SPECIAL_RELEASE] = perms_get(all, 2);
    return s->special[SPECIAL_INTRODUCE] && s->special[SPECIAL_RELEASE]
               ? 0
               : -ENOMEM;
}

static int store_fill(struct store *s)
{
    static const char *const dirs[] = { "/tool", "/tool/xenstored", "/local",
                                        "/local/domain", "/vm" };
    int err = store_open_special(s);

    if (err)
        return err;
    s->root = tree_new(s->special[SPECIAL_INTRODUCE]);
    if (!s->root)
        return -ENOMEM;
    for (size_t i = 0; !err && i < sizeof(dirs) / sizeof(dirs[0]); i++)
        err = store_mkdir(s, dirs[i]);
    return err;
}

struct store *store_new(const struct hv_ops *hv, void *hv_ctx)
{
    struct store *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->hv = hv;
    s->hv_ctx = hv_ctx;
    list_init(&s->conns);
    list_init(&s->domain_list);
    list_init(&s->dirty);
    list_init(&s->ready);
    s->tick_ms = UINT64_MAX;
    quota_defaults(&s->quota);
    throttle_init(s);
    fair_init(&s->fair);
    if (watches_init(&s->watches) || store_fill(s) ||
        domain_get(s, 0, &s->dom0)) {
        store_free(s);
        return NULL;
    }
    s->dom0->introduced = true;
    return s;
}

void store_free(struct store *s)
{
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &s->conns)
        conn_end(container_of(pos, struct conn, entry));
    domains_free(s);
    watches_free(&s->watches);
    fair_free(&s->fair);
    node_unref(s->root);
    while (node_reap(UINT32_MAX))
        ;
    for (int i = 0; i < SPECIAL_COUNT; i++)
        perms_unref(s->special[i]);
    free(s);
}

static void send_queue(struct conn *c)
{
    c->ops->flush(c);
    conn_account(c);
}

/* A batch of requests is answered with one send, or for so much each. */
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

/* What becomes dirty meanwhile waits for the next pass. */
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
 * Replies to what came just now go out before anything else is begun. Nobody
 * is served twice in one turn, so that a client that keeps itself busy delays
 * nobody.
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
