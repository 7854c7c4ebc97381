/* Writing a store's state; see state.h. */
#include "conn/transport.h"
#include "state/state.h"

#include <string.h>

#include "conn/conn.h"
#include "state/state_io.h"
#include "store/store.h"
#include "tree/tree.h"
#include "txn/txn.h"

/* ---- parts of records ---- */

static void out_string(struct state_out *o, const char *s)
{
    out_bytes(o, s, strlen(s));
}

static void out_fd(struct state_out *o, int fd)
{
    out_u32(o, (uint32_t)fd);
}

static void out_quota(struct state_out *o, const struct quota *q)
{
    out_u16(o, QUOTA_COUNT);
    for (int i = 0; i < QUOTA_COUNT; i++) {
        out_string(o, quota_info[i].name);
        out_u32(o, q->limit[i]);
    }
}

static void out_switches(struct state_out *o, const bool on[LOG_SWITCHES])
{
    out_u16(o, LOG_SWITCHES);
    for (int i = 0; i < LOG_SWITCHES; i++) {
        out_string(o, log_switch_info[i].name);
        out_u8(o, on[i]);
    }
}

static void out_perms(struct state_out *o, const struct perms *p)
{
    out_u16(o, (uint16_t)p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        out_u16(o, p->e[i].domid);
        out_u16(o, p->e[i].bits);
    }
}

/* ---- records ---- */

static void save_store(struct state_out *o, const struct store *s)
{
    out_record(o, STATE_STORE);
    out_u64(o, tree_last_generation());
    out_u64(o, s->last_conn);
    out_u64(o, s->last_serial);
    out_u64(o, s->requests);
    out_u64(o, s->events);
    out_u64(o, s->commits);
    out_u64(o, s->conflicts);
    out_quota(o, &s->quota);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        out_perms(o, s->special[i]);
    out_done(o);
}

static void save_daemon(struct state_out *o, const struct state_daemon *d)
{
    out_record(o, STATE_DAEMON);
    out_string(o, d->socket);
    out_fd(o, d->listener);
    out_fd(o, d->hv.fd);
    out_fd(o, d->hv.virq_rx);
    out_u32(o, d->hv.virq);
    out_u8(o, d->new_arguments);
    out_u8(o, d->trace);
    out_switches(o, d->switches);
    out_string(o, d->log);
    out_done(o);
}

static void save_domain(struct state_out *o, const struct domain *d)
{
    out_record(o, STATE_DOMAIN);
    out_u16(o, d->domid);
    out_u64(o, d->serial);
    out_u64(o, d->birth);
    out_u8(o, d->introduced);
    out_u8(o, d->shutdown);
    out_u8(o, d->warned);
    out_u32(o, (uint32_t)d->target);
    out_u32(o, d->features);
    out_u32(o, d->complaints);
    out_u32(o, (uint32_t)(int32_t)d->writes.left);
    out_u64(o, 0); /* was the time of that */
    out_quota(o, &d->quota);
    out_done(o);
}

static void save_tree(struct state_out *o, struct node *root)
{
    struct tree_walk w;
    struct node *n;

    tree_walk_begin(&w, root);
    while ((n = tree_walk_next(&w))) {
        out_record(o, STATE_NODE);
        out_u16(o, (uint16_t)w.depth);
        out_bytes(o, node_name(n), n->name_len);
        out_bytes(o, node_value(n), n->value_len);
        out_u64(o, n->gen);
        out_perms(o, n->perms);
        out_done(o);
    }
}

static void out_transport(struct state_out *o, const struct transport *t)
{
    out_u8(o, t->ring);
    out_fd(o, t->fd);
    out_u32(o, t->port);
    out_fd(o, t->rx);
    out_fd(o, t->tx);
    out_u32(o, t->req_cons);
    out_u32(o, t->rsp_prod);
    out_u8(o, t->ignored);
}

static void save_watch(struct state_out *o, const struct watch *w)
{
    char path[PATH_STR_MAX];
    size_t len = watch_path(w, path);

    out_record(o, STATE_WATCH);
    out_bytes(o, path, len);
    out_bytes(o, w->token, w->token_len);
    out_u32(o, w->depth);
    out_u16(o, w->prefix);
    out_done(o);
}

/* A transaction that is still open is carried only to conflict: see txn.h. */
static void save_txn(struct state_out *o, const struct txn *t)
{
    out_record(o, STATE_TRANSACTION);
    out_u32(o, t->id);
    out_done(o);
}

static void save_conn(struct state_out *o, const struct conn *c)
{
    struct transport t = { .fd = -1, .rx = -1, .tx = -1 };
    struct list *pos;

    c->ops->save(c, &t);
    out_record(o, STATE_CONN);
    out_u64(o, c->id);
    out_u16(o, c->dom->domid);
    out_u8(o, c->dom->ring == c);
    out_u8(o, c->held || c->more);
    out_u32(o, c->next_txn);
    out_u64(o, c->events_due_ms);
    out_bytes(o, c->in ? c->in + c->in_at : NULL, c->in_len);
    out_bytes(o, c->out.buf ? c->out.buf + c->out.start : NULL,
              c->out.end - c->out.start);
    out_u32(o, (uint32_t)c->out.part);
    out_transport(o, &t);
    out_done(o);
    list_for_each(pos, &c->watches)
        save_watch(o, container_of(pos, struct watch, in_conn));
    list_for_each(pos, &c->txns)
        save_txn(o, container_of(pos, struct txn, entry));
}

static void save_update(struct state_out *o, const struct store *s)
{
    if (!s->update.conn)
        return;
    out_record(o, STATE_UPDATE);
    out_u64(o, s->update.conn->id);
    out_done(o);
}

int state_save(const struct store *s, const struct state_daemon *d, FILE *f)
{
    struct state_out o;
    struct list *pos;

    state_out_begin(&o, f, STATE_VERSION);
    save_store(&o, s);
    save_daemon(&o, d);
    list_for_each(pos, &s->domain_list)
        save_domain(&o, domain_of(pos));
    save_tree(&o, s->root);
    list_for_each(pos, &s->conns) {
        const struct conn *c = container_of(pos, struct conn, entry);

        if (!c->dead)
            save_conn(&o, c);
    }
    save_update(&o, s);
    out_record(&o, STATE_END);
    out_u32(&o, o.records);
    out_done(&o);
    return state_out_end(&o);
}

void state_summary(const struct store *s, char *out, size_t size)
{
    unsigned long long nodes = 0;
    unsigned int conns = 0, domains = 0;
    struct tree_walk w;
    struct list *pos;

    tree_walk_begin(&w, s->root);
    while (tree_walk_next(&w))
        nodes++;
    list_for_each(pos, &s->conns)
        conns += !container_of(pos, struct conn, entry)->dead;
    list_for_each(pos, &s->domain_list)
        domains++;
    snprintf(out, size,
             "%llu nodes, %u domains, %u connections, %u watches, "
             "%u transactions",
             nodes, domains, conns, s->watches.count, s->open_txns);
}
