/* Connections: input, output, life and death; see conn.h. */
#include "conn.h"

#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "throttle.h"

/*
 * Replies and events that a socket's client leaves unread: over the first it
 * is not read from; over the second it is closed, for events come from others
 * and cannot be held back.
 */
#define OUT_HOLD (256u * 1024)
#define OUT_MAX  (32u * 1024 * 1024)
/* A guest that was held back is looked at again so soon. */
#define HELD_MS 5
/*
 * To look for expired events goes through all that a guest left unread: so
 * often at most, and of one guest at a time.
 */
#define EXPIRE_MS 5000
/* An empty input buffer larger than this is given back. */
#define IN_KEEP 8192

void conn_init(struct conn *c, struct store *s, struct domain *dom,
               const struct conn_ops *ops)
{
    *c = (struct conn){ .ops = ops, .store = s, .dom = dom };
    c->id = ++s->last_conn;
    c->next_txn = 1;
    credit_init(&s->fair.longs, &c->share.longs);
    list_add_tail(&s->conns, &c->entry);
    list_init(&c->dirty);
    list_init(&c->ready);
    list_init(&c->watches);
    list_init(&c->txns);
    log_trace(LOG_OBJ, "connection %llu, domain %u: begins (%s)",
              (unsigned long long)c->id, dom->domid, ops->kind);
}

void conn_account(struct conn *c)
{
    size_t now = c->in_cap + outq_memory(&c->out);

    domain_charge(c->dom, QUOTA_MEMORY, (int64_t)now - (int64_t)c->charged);
    c->charged = now;
    domain_charge(c->dom, QUOTA_OUTSTANDING,
                  (int64_t)c->out.replies - (int64_t)c->charged_replies);
    c->charged_replies = c->out.replies;
}

void conn_reset_watches(struct conn *c)
{
    struct list *pos, *tmp;

    watch_del_all(c->store, c);
    list_for_each_safe(pos, tmp, &c->txns)
        txn_end(container_of(pos, struct txn, entry));
}

void conn_reset(struct conn *c)
{
    conn_reset_watches(c);
    free(c->in);
    c->in = NULL;
    c->in_at = c->in_len = c->in_cap = 0;
    outq_free(&c->out);
    c->held = c->more = false;
    list_del(&c->ready);
    conn_account(c);
}

void conn_end(struct conn *c)
{
    update_conn_ends(c);
    log_trace(LOG_OBJ, "connection %llu ends", (unsigned long long)c->id);
    conn_reset(c);
    if (c->ops->serve)
        fair_leave(c->store, c);
    list_del(&c->entry);
    list_del(&c->dirty);
    c->ops->free(c);
}

void conn_dirty(struct conn *c)
{
    if (c->ops->serve)
        fair_ready(c->store, c);
    else if (list_empty(&c->dirty))
        list_add_tail(&c->store->dirty, &c->dirty);
}

void conn_kill(struct conn *c)
{
    c->dead = true;
    conn_dirty(c);
}

unsigned int conn_rights(const struct conn *c, const struct node *n)
{
    if (conn_privileged(c))
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    return perms_rights(n->perms, c->dom->domid, c->dom->target);
}

/*
 * Whether the next request may be served now. Over its memory, a domain that
 * has nothing to read is served all the same: how else could it free some?
 */
static bool conn_may_serve(struct conn *c)
{
    if (outq_bytes(&c->out) > OUT_HOLD ||
        !domain_fits(c->dom, QUOTA_OUTSTANDING, 1))
        return false;
    if (outq_bytes(&c->out) && !domain_fits(c->dom, QUOTA_MEMORY, 1))
        return false;
    return throttle_ready(c);
}

static void conn_hold(struct conn *c)
{
    if (!throttle_ready(c))
        log_trace(LOG_WRL, "domain %u waits for its turn to write",
                  c->dom->domid);
    c->held = true;
    c->ops->reading(c, false);
    if (!conn_privileged(c))
        store_want_tick(c->store, HELD_MS);
}

/* Whole requests wait for a slice. */
static void conn_ready(struct conn *c)
{
    c->more = true;
    c->ops->reading(c, false);
    if (c->ops->serve)
        fair_ready(c->store, c);
    else if (list_empty(&c->ready))
        list_add_tail(&c->store->ready, &c->ready);
}

/* Serves whole messages; returns how many bytes it took. */
static size_t conn_serve(struct conn *c, const unsigned char *buf, size_t len)
{
    struct xsd_sockmsg hdr;
    size_t at = 0;

    while (!c->dead) {
        enum wire_state state = wire_peek(buf + at, len - at, &hdr);

        if (state == WIRE_INCOMPLETE)
            break;
        if (state == WIRE_TOO_LONG) {
            c->ops->violation(c, XENSTORE_ERROR_PROTO);
            return len;
        }
        if (at && fair_slice_over(&c->store->fair)) {
            conn_ready(c);
            break;
        }
        if (!conn_may_serve(c) ||
            !request_serve(c, &hdr, buf + at + sizeof(hdr))) {
            conn_hold(c);
            break;
        }
        at += sizeof(hdr) + hdr.len;
    }
    return at;
}

static bool conn_store_input(struct conn *c, const void *data, size_t len)
{
    if (c->in_at && c->in_cap - c->in_at - c->in_len < len) {
        memmove(c->in, c->in + c->in_at, c->in_len);
        c->in_at = 0;
    }
    if (c->in_cap - c->in_at - c->in_len < len) {
        size_t cap = c->in_len + len;
        void *in = realloc(c->in, cap);

        if (!in)
            return false;
        c->in = in;
        c->in_cap = cap;
    }
    memcpy(c->in + c->in_at + c->in_len, data, len);
    c->in_len += len;
    return true;
}

/* Serves from the input buffer what can be served. */
static void conn_drain(struct conn *c)
{
    size_t done = c->in_len ? conn_serve(c, c->in + c->in_at, c->in_len) : 0;

    /* A reset or a violation inside has dropped the buffer. */
    if (done > c->in_len)
        return;
    c->in_len -= done;
    c->in_at = c->in_len ? c->in_at + done : 0;
    if (!c->in_len && c->in_cap > IN_KEEP) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

void conn_input(struct conn *c, const void *data, size_t len)
{
    size_t done = 0;

    if (c->dead)
        return;
    if (c->in_len == 0 && !c->held && !c->more)
        done = conn_serve(c, data, len);
    if (done < len) {
        if (!conn_store_input(c, (const char *)data + done, len - done)) {
            conn_kill(c);
            return;
        }
        if (!c->held && !c->more && done == 0)
            conn_drain(c);
    }
    conn_account(c);
}

void conn_serve_more(struct conn *c)
{
    c->more = false;
    list_del(&c->ready);
    conn_drain(c);
    conn_account(c);
    if (c->dead || c->held || c->more)
        return;
    c->ops->reading(c, true);
    conn_dirty(c);
}

void conn_resume(struct conn *c)
{
    if (!c->held || c->dead || !conn_may_serve(c))
        return;
    c->held = false;
    conn_ready(c);
}

void conn_event(struct conn *c, const char *path, size_t path_len,
                const char *token, size_t token_len)
{
    if (c->dead ||
        !domain_fits(c->dom, QUOTA_MEMORY, 1 + (int64_t)outq_growth(&c->out)))
        return;
    if (outq_bytes(&c->out) > OUT_MAX) {
        log_line("closing connection %llu: it does not read its events",
                 (unsigned long long)c->id);
        conn_kill(c);
        return;
    }
    if (outq_event(&c->out, path, path_len, token, token_len, c->store->now_ms))
        return;
    if (c->out.events == 1)
        c->events_due_ms = c->store->now_ms + EVENT_TIMEOUT_MS;
    if (!conn_privileged(c))
        store_want_tick(c->store, EVENT_TIMEOUT_MS);
    c->store->events++;
    conn_account(c);
    conn_dirty(c);
}

static void drop_expired(struct conn *c)
{
    struct store *s = c->store;
    uint32_t gone = outq_expire(&c->out, s->now_ms, EVENT_TIMEOUT_MS);

    if (gone && domain_may_complain(c->dom))
        log_line("domain %u left %u events unread for %u s: dropped",
                 c->dom->domid, gone, EVENT_TIMEOUT_MS / 1000);
    c->events_due_ms = s->now_ms + EXPIRE_MS;
    s->expired_ms = s->now_ms;
    conn_account(c);
}

void conn_expire_events(struct conn *c)
{
    struct store *s = c->store;

    if (conn_privileged(c) || !c->out.events)
        return;
    if (s->now_ms >= c->events_due_ms) {
        if (s->expired_ms == s->now_ms)
            c->events_due_ms = s->now_ms + 1;
        else
            drop_expired(c);
    }
    if (c->out.events)
        store_want_tick(s, c->events_due_ms - s->now_ms);
}
