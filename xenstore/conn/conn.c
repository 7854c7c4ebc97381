/* Connections: state, accounts, events that wait; see conn.h. */
#include "conn/conn.h"

#include <assert.h>

#include "store/store.h"

/* A socket's client that leaves so many bytes of events unread is closed. */
#define OUT_MAX (32u * 1024 * 1024)
/*
 * Looking for expired events walks through all that a guest left unread, so it
 * is done at most this often, and for one guest at a time.
 */
#define EXPIRE_MS 5000

void conn_init(struct conn *c, struct store *s, struct domain *dom,
               const struct conn_ops *ops)
{
    *c = (struct conn){ .ops = ops, .store = s, .dom = dom };
    c->id = ++s->last_conn;
    c->next_txn = 1;
    credit_init(&s->fair.overruns, &c->share.overruns);
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

    assert(c->in_at + c->in_len <= c->in_cap);
    domain_charge(c->dom, QUOTA_MEMORY, (int64_t)now - (int64_t)c->charged);
    c->charged = now;
    domain_charge(c->dom, QUOTA_OUTSTANDING,
                  (int64_t)c->out.replies - (int64_t)c->charged_replies);
    c->charged_replies = c->out.replies;
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
