/*
 * Reading a store's state; see state.h. Every number of the file is checked
 * before it is used; records may come in any combination.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "conn/transport.h"
#include "state/state.h"
#include "state/state_io.h"
#include "store/store.h"
#include "tree/tree.h"
#include "txn/txn.h"

struct loader {
    struct store *s;
    const struct state_ops *ops;
    void *ctx;
    char *why;
    uint32_t records;
    unsigned int rank; /* of the last record */
    bool ended;
    struct conn *conn;                     /* the last one; NULL: it is lost */
    int depth;                             /* of the last node; -1: none yet */
    struct node *node[PATH_DEPTH_MAX + 1]; /* the way to it */
    size_t path_len[PATH_DEPTH_MAX + 1];
};

/* ---- parts of records ---- */

static int in_fd(struct state_in *in)
{
    return (int)(int32_t)in_u32(in);
}

static bool in_bool(struct state_in *in)
{
    uint8_t n = in_u8(in);

    in->bad |= n > 1;
    return n == 1;
}

static void in_quota(struct state_in *in, struct quota *q)
{
    unsigned int n = in_u16(in);
    char name[64];
    int which;

    quota_defaults(q);
    while (n-- && !in->bad) {
        in_string(in, name, sizeof(name));
        which = quota_by_stored_name(name);
        if (which < 0)
            in->bad = true;
        else
            q->limit[which] = in_u32(in);
    }
}

static void in_switches(struct state_in *in, bool on[LOG_SWITCHES])
{
    unsigned int n = in_u16(in);
    char name[16];
    int which;

    for (int i = 0; i < LOG_SWITCHES; i++)
        on[i] = true;
    while (n-- && !in->bad) {
        in_string(in, name, sizeof(name));
        which = log_switch_by_name(name);
        if (which < 0)
            in->bad = true;
        else
            on[which] = in_bool(in);
    }
}

/* A list with a reference, or NULL: no memory, or `bad`. */
static struct perms *in_perms(struct state_in *in)
{
    struct perm e[PERMS_MAX];
    unsigned int n = in_u16(in);

    in->bad |= n == 0 || n > PERMS_MAX;
    if (in->bad)
        return NULL;
    for (unsigned int i = 0; i < n; i++) {
        e[i].domid = in_u16(in);
        e[i].bits = in_u16(in);
        in->bad |= e[i].bits > (PERM_READ | PERM_WRITE | PERM_INACTIVE);
    }
    return in->bad ? NULL : perms_get(e, n);
}

/* ---- the store and its domains ---- */

static int load_special(struct store *s, struct state_in *in)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        struct perms *p = in_perms(in);

        if (!p)
            return in->bad ? -EINVAL : -ENOMEM;
        perms_unref(s->special[i]);
        s->special[i] = p;
    }
    return 0;
}

static int load_store(struct loader *l, struct state_in *in)
{
    struct store *s = l->s;
    int err;

    tree_continue(in_u64(in));
    s->last_conn = in_u64(in);
    s->last_serial = in_u64(in);
    s->requests = in_u64(in);
    s->events = in_u64(in);
    s->commits = in_u64(in);
    s->conflicts = in_u64(in);
    in_quota(in, &s->quota);
    memset(s->dom0->used, 0, sizeof(s->dom0->used));
    err = load_special(s, in);
    return err;
}

static int load_daemon(struct loader *l, struct state_in *in)
{
    struct state_daemon d;

    in_string(in, d.socket, sizeof(d.socket));
    d.listener = in_fd(in);
    d.hv.fd = in_fd(in);
    d.hv.virq_rx = in_fd(in);
    d.hv.virq = in_u32(in);
    d.new_arguments = in_bool(in);
    d.trace = in_bool(in);
    in_switches(in, d.switches);
    in_string(in, d.log, sizeof(d.log));
    if (!in_done(in))
        return -EINVAL;
    return l->ops->daemon(l->ctx, &d, l->why);
}

/*
 * Nodes and connections are charged anew as they are loaded. While `loading` is
 * set that logs no warning, so a domain above a soft limit that was lowered is
 * warned at its next charge.
 */
static void in_domain(struct loader *l, struct state_in *in, struct domain *d)
{
    int32_t writes;

    d->loading = true;
    d->serial = in_u64(in);
    d->birth = in_u64(in);
    d->introduced = in_bool(in);
    d->shutdown = in_bool(in);
    d->warned = in_bool(in);
    d->target = (int)(int32_t)in_u32(in);
    d->features = in_u32(in);
    d->complaints = in_u32(in);
    writes = (int32_t)in_u32(in);
    (void)in_u64(in); /* a time that older programs wrote */
    in_quota(in, &d->quota);
    in->bad |= d->target < -1 || d->target >= XS_DOMIDS;
    in->bad |= d->features & ~(uint32_t)XS_FEATURES;
    in->bad |= writes > l->s->writes.full || writes < INT32_MIN / 2;
    if (!in->bad)
        credit_restore(&l->s->writes, &d->writes, writes, l->s->now_ms);
}

/* Domain 0 exists from the beginning. */
static int load_domain(struct loader *l, struct state_in *in)
{
    unsigned int domid = in_u16(in);
    uint64_t last = l->s->last_serial;
    int err = 0;

    if (domid >= XS_DOMIDS)
        return -EINVAL;
    if (domid)
        err = domain_remember(l->s, domid, 0);
    l->s->last_serial = last;
    if (!err)
        in_domain(l, in, domain_find(l->s, domid));
    return err;
}

/* ---- nodes ---- */

static int load_root(struct loader *l, struct node *n)
{
    if (n->name_len) {
        node_unref(n);
        return -EINVAL;
    }
    node_unref(l->s->root);
    l->s->root = n;
    return 0;
}

/* Adds a node under the last node of the depth above. Takes it. */
static int load_child(struct loader *l, struct node *n, int depth)
{
    struct path *p = &l->s->path;
    char str[XENSTORE_ABS_PATH_MAX];
    size_t len = l->path_len[depth - 1] + 1 + n->name_len;
    struct node *parent = l->node[depth - 1];
    struct name name;
    int err = -EINVAL;

    if (len > sizeof(str))
        goto bad;
    str[0] = '/';
    memcpy(str + 1, node_name(n), n->name_len);
    if (path_parse(p, str, n->name_len + 1u, 0, false) || p->depth != 1)
        goto bad;
    name = path_name(p, 0);
    if (children_find(parent->children, &name))
        goto bad;
    err = children_add(&parent->children, n, name.hash);
    if (err)
        goto bad;
    l->path_len[depth] = len;
    return 0;
bad:
    node_unref(n);
    return err;
}

static int in_node(struct state_in *in, struct node **out)
{
    size_t name_len, value_len;
    struct name name = { .s = in_bytes(in, &name_len) };
    const void *value = in_bytes(in, &value_len);
    uint64_t gen = in_u64(in);
    struct perms *perms = in_perms(in);

    name.len = (uint32_t)name_len;
    if (!in_done(in) || name_len > XENSTORE_ABS_PATH_MAX ||
        value_len > XENSTORE_PAYLOAD_MAX) {
        perms_unref(perms);
        return -EINVAL;
    }
    *out = perms ? node_new(&name, value, value_len, perms) : NULL;
    perms_unref(perms);
    if (!*out)
        return -ENOMEM;
    (*out)->gen = gen;
    return 0;
}

static int load_node(struct loader *l, struct state_in *in)
{
    int depth = in_u16(in), err;
    struct node *n;

    if (in->bad || depth > l->depth + 1 || (depth == 0) != (l->depth < 0))
        return -EINVAL;
    err = in_node(in, &n);
    if (!err)
        err = depth ? load_child(l, n, depth) : load_root(l, n);
    if (err)
        return err;
    l->node[depth] = n;
    l->depth = depth;
    store_account(l->s, perms_owner(n->perms), 1, node_cost(n));
    return 0;
}

/* ---- connections ---- */

static void in_transport(struct state_in *in, struct transport *t)
{
    t->ring = in_bool(in);
    t->fd = in_fd(in);
    t->port = in_u32(in);
    t->rx = in_fd(in);
    t->tx = in_fd(in);
    t->req_cons = in_u32(in);
    t->rsp_prod = in_u32(in);
    t->ignored = in_bool(in);
}

static int load_input(struct conn *c, const void *data, size_t len)
{
    if (!len)
        return 0;
    c->in = malloc(len);
    if (!c->in)
        return -ENOMEM;
    memcpy(c->in, data, len);
    c->in_len = c->in_cap = len;
    return 0;
}

struct conn_record {
    uint64_t id, events_due_ms;
    unsigned int domid;
    bool is_ring, held;
    uint32_t next_txn, part;
    const void *in, *out;
    size_t in_len, out_len;
    struct transport t;
};

static void in_conn(struct state_in *in, struct conn_record *r)
{
    r->id = in_u64(in);
    r->domid = in_u16(in);
    r->is_ring = in_bool(in);
    r->held = in_bool(in);
    r->next_txn = in_u32(in);
    r->events_due_ms = in_u64(in);
    r->in = in_bytes(in, &r->in_len);
    r->out = in_bytes(in, &r->out_len);
    r->part = in_u32(in);
    in_transport(in, &r->t);
}

static int fill_conn(struct conn *c, const struct conn_record *r)
{
    int err = load_input(c, r->in, r->in_len);

    if (!err)
        err = outq_restore(&c->out, r->out, r->out_len, r->part,
                           c->store->now_ms);
    conn_account(c);
    c->id = r->id;
    c->next_txn = r->next_txn;
    c->events_due_ms = r->events_due_ms;
    c->held = r->held;
    if (c->held)
        c->ops->reading(c, false);
    conn_dirty(c);
    return err;
}

static int load_conn(struct loader *l, struct state_in *in)
{
    struct conn_record r;
    struct domain *d;
    struct store *s = l->s;
    uint64_t last = s->last_conn;

    in_conn(in, &r);
    d = in_done(in) ? domain_find(s, r.domid) : NULL;
    if (!d || (r.is_ring && d->ring))
        return -EINVAL;
    l->conn = l->ops->adopt(l->ctx, s, d, &r.t);
    s->last_conn = last;
    if (!l->conn) {
        log_line("domain %u: connection %llu is lost", r.domid,
                 (unsigned long long)r.id);
        return 0;
    }
    if (r.is_ring)
        d->ring = l->conn;
    return fill_conn(l->conn, &r);
}

static int load_watch(struct loader *l, struct state_in *in)
{
    struct path *p = &l->s->path;
    size_t path_len, token_len;
    const char *path = in_bytes(in, &path_len);
    const char *token = in_bytes(in, &token_len);
    uint32_t depth = in_u32(in);
    uint16_t prefix = in_u16(in);

    if (!in_done(in) || token_len > XENSTORE_PAYLOAD_MAX || path_len == 0 ||
        (path[0] != '/' && path[0] != '@') ||
        path_parse(p, path, path_len, 0, true) ||
        (prefix && prefix != path_domain_prefix(p->str, p->len)) ||
        memchr(token, '\0', token_len))
        return -EINVAL;
    p->prefix = prefix;
    return l->conn ? watch_restore(l->s, l->conn, p, token, token_len, depth)
                   : 0;
}

static int load_txn(struct loader *l, struct state_in *in)
{
    uint32_t id = in_u32(in);

    if (in->bad || id == 0)
        return -EINVAL;
    return l->conn ? txn_restore(l->conn, id) : 0;
}

static int load_update(struct loader *l, struct state_in *in)
{
    uint64_t id = in_u64(in);
    struct list *pos;

    list_for_each(pos, &l->s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (c->id == id)
            update_done(l->s, c);
    }
    return 0;
}

static int load_end(struct loader *l, struct state_in *in)
{
    struct list *pos;

    list_for_each(pos, &l->s->domain_list)
        domain_of(pos)->loading = false;
    store_want_tick(l->s, 0);
    return in_u32(in) == l->records ? 0 : -EINVAL;
}

/* ---- records ---- */

/*
 * Records come by rising rank; records of equal rank come in any order. No rank
 * up to that of nodes is left out, so that later records find what they refer
 * to.
 */
#define RANK_NODE 4

static const struct {
    const char *name;
    int (*load)(struct loader *l, struct state_in *in);
    unsigned int rank;
    bool once;
} kinds[STATE_RECORDS] = {
    [STATE_STORE] = { "store", load_store, 1, true },
    [STATE_DAEMON] = { "daemon", load_daemon, 2, true },
    [STATE_DOMAIN] = { "domain", load_domain, 3, false },
    [STATE_NODE] = { "node", load_node, RANK_NODE, false },
    [STATE_CONN] = { "connection", load_conn, 5, false },
    [STATE_WATCH] = { "watch", load_watch, 5, false },
    [STATE_TRANSACTION] = { "transaction", load_txn, 5, false },
    [STATE_UPDATE] = { "update", load_update, 6, true },
    [STATE_END] = { "end", load_end, 7, true },
};

static bool in_order(const struct loader *l, uint32_t type)
{
    unsigned int rank = kinds[type].rank;

    if (rank > l->rank + 1)
        return l->rank >= RANK_NODE;
    return rank > l->rank || (rank == l->rank && !kinds[type].once);
}

static int say(struct loader *l, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A reason that a record's handler has given is kept. */
static int say(struct loader *l, int err, const char *fmt, ...)
{
    va_list ap;

    if (l->why[0])
        return err;
    va_start(ap, fmt);
    vsnprintf(l->why, STATE_WHY_MAX, fmt, ap);
    va_end(ap);
    return err;
}

static int load_record(struct loader *l, uint32_t type, struct state_in *in)
{
    int err;

    if (type == 0 || type >= STATE_RECORDS)
        return say(l, -EINVAL, "record %u is of unknown type %u", l->records,
                   type);
    if (!in_order(l, type))
        return say(l, -EINVAL, "record %u (%s) is out of order", l->records,
                   kinds[type].name);
    err = kinds[type].load(l, in);
    if (!err && !in_done(in))
        err = -EINVAL;
    l->rank = kinds[type].rank;
    l->ended = type == STATE_END;
    return err ? say(l, err, "record %u (%s): %s", l->records, kinds[type].name,
                     strerror(-err))
               : 0;
}

int state_load(struct store *s, const void *data, size_t len,
               const struct state_ops *ops, void *ctx, char why[STATE_WHY_MAX])
{
    struct loader l = {
        .s = s, .ops = ops, .ctx = ctx, .why = why, .depth = -1
    };
    struct state_file f;
    struct state_in in;
    uint32_t type;
    int err = 0;

    why[0] = '\0';
    if (!state_file_begin(&f, data, len))
        return say(&l, -EINVAL, "this is not the state of a store");
    if (f.version != STATE_VERSION)
        return say(&l, -EPROTO, "state of version %u, this program reads %u",
                   f.version, STATE_VERSION);
    for (; !err && !l.ended && state_file_next(&f, &type, &in); l.records++)
        err = load_record(&l, type, &in);
    if (!err && (!l.ended || !in_done(&f.in)))
        err = say(&l, -EINVAL, "the file does not end with its last record");
    return err;
}
