/* A whole store in memory; see xs_session.h. */
#include "xs_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/transport.h"
#include "state/state.h"
#include "tree/tree.h"

struct mem_conn {
    struct conn c;
    struct client *k;
};

static struct mem_conn *mem_of(struct conn *c)
{
    return container_of(c, struct mem_conn, c);
}

static void mem_flush(struct conn *c)
{
    struct client *k = mem_of(c)->k;
    size_t n = outq_bytes(&c->out);

    if (!k || k->blocked || !n)
        return;
    if (k->got_cap - k->got_len < n) {
        k->got_cap = 2 * (k->got_len + n);
        k->got = realloc(k->got, k->got_cap);
        if (!k->got)
            abort();
    }
    memcpy(k->got + k->got_len, outq_data(&c->out), n);
    k->got_len += n;
    outq_sent(&c->out, n);
}

static void mem_reading(struct conn *c, bool on)
{
    (void)c;
    (void)on;
}

static void mem_violation(struct conn *c, uint32_t error)
{
    (void)error;
    if (mem_of(c)->k)
        mem_of(c)->k->violations++;
    conn_kill(c);
}

static void mem_free(struct conn *c)
{
    if (mem_of(c)->k)
        mem_of(c)->k->c = NULL;
    if (c->dom->ring == c)
        c->dom->ring = NULL;
    free(mem_of(c));
}

static void mem_restart(struct conn *c)
{
    (void)c;
}

/* The client itself survives; it is known by its place. */
static void mem_save(const struct conn *c, struct transport *t)
{
    t->fd = container_of(c, struct mem_conn, c)->k->number;
}

static const struct conn_ops mem_ops = {
    .kind = "memory",
    .flush = mem_flush,
    .reading = mem_reading,
    .violation = mem_violation,
    .restart = mem_restart,
    .free = mem_free,
    .save = mem_save,
};

/* A new connection at the client `k`, or at a new one. */
static struct client *client_of(struct session *t, struct domain *d,
                                struct client *k)
{
    struct mem_conn *m = calloc(1, sizeof(*m));

    if (!k)
        k = calloc(1, sizeof(*k));
    if (!k || !m)
        abort();
    conn_init(&m->c, t->s, d, &mem_ops);
    m->k = k;
    k->c = &m->c;
    return k;
}

struct client *client_new(struct session *t)
{
    return client_of(t, t->s->dom0, NULL);
}

void client_free(struct session *t, struct client *k)
{
    if (k->c) {
        mem_of(k->c)->k = NULL;
        conn_kill(k->c);
        session_run(t);
    }
    free(k->got);
    free(k->events);
    free(k);
}

/* ---- the hypervisor ---- */

static int fake_query(void *ctx, unsigned int domid, struct hv_domain *out)
{
    struct session *t = ctx;

    if (domid >= SESSION_DOMIDS || !t->dom[domid].exists)
        return -ESRCH;
    *out = t->dom[domid].info;
    return 0;
}

static void fake_notify(void *ctx)
{
    ((struct fake_domain *)ctx)->notified++;
}

static void fake_release(void *ctx)
{
    ((struct fake_domain *)ctx)->ring = NULL;
}

static void fake_save(void *ctx, struct transport *t)
{
    t->port = ((const struct fake_domain *)ctx)->bound;
}

static const struct ring_ops fake_ring_ops = { fake_notify, fake_release,
                                               fake_save };

static int fake_connect(void *ctx, struct store *s, unsigned int domid,
                        uint32_t port, struct conn **conn)
{
    struct session *t = ctx;
    struct fake_domain *f = &t->dom[domid];
    struct domain *d = domain_find(s, domid);

    f->bound = port;
    if (f->on_ring) {
        f->ring = conn_ring_new(s, d, &f->page, &fake_ring_ops, f);
        *conn = f->ring;
        return *conn ? 0 : -ENOMEM;
    }
    f->client = client_of(t, d, f->client); /* it was released before */
    *conn = f->client->c;
    return 0;
}

static int fake_rebind(void *ctx, struct conn *conn, uint32_t port)
{
    struct session *t = ctx;

    t->dom[conn->dom->domid].bound = port;
    return 0;
}

static const struct hv_ops fake_hv = { fake_query, fake_connect, fake_rebind };

void session_boot(struct session *t, unsigned int domid, bool on_ring)
{
    static uint64_t births;
    struct fake_domain *f = &t->dom[domid];

    *f = (struct fake_domain){ .exists = true, .on_ring = on_ring };
    f->info.birth = ++births;
}

struct client *session_guest(struct session *t, struct client *admin,
                             unsigned int domid)
{
    char payload[64];
    int n;

    session_boot(t, domid, false);
    n = snprintf(payload, sizeof(payload), "%u%c1%c7", domid, 0, 0);
    if (strcmp(ask(t, admin, XS_INTRODUCE, 0, payload, (size_t)n + 1), "OK|"))
        return NULL;
    return t->dom[domid].client;
}

void session_kill(struct session *t, unsigned int domid)
{
    t->dom[domid].exists = false;
    domain_check_all(t->s);
    session_run(t);
}

/* ---- live update ---- */

struct survivors {
    struct session *t;
    struct client *k[64];
    int n;
};

/* Numbers the clients that have a connection. */
static void survivors_find(struct survivors *v)
{
    struct list *pos;

    list_for_each(pos, &v->t->s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (c->ops != &mem_ops || c->dead || v->n == 64)
            continue;
        mem_of(c)->k->number = v->n;
        v->k[v->n++] = mem_of(c)->k;
    }
}

static int survivors_daemon(void *ctx, const struct state_daemon *d, char *why)
{
    (void)ctx;
    (void)d;
    (void)why;
    return 0;
}

static struct conn *survivors_adopt(void *ctx, struct store *s,
                                    struct domain *d, const struct transport *t)
{
    struct survivors *v = ctx;
    struct fake_domain *f = &v->t->dom[d->domid];

    (void)s;
    if (!t->ring)
        return t->fd < v->n ? client_of(v->t, d, v->k[t->fd])->c : NULL;
    if (!f->on_ring) /* its grant is revoked */
        return NULL;
    f->bound = t->port;
    f->ring = conn_ring_adopt(s, d, &f->page, t, &fake_ring_ops, f);
    return f->ring;
}

struct saved {
    char *data;
    size_t len;
};

static bool session_save(struct session *t, struct saved *out)
{
    static const struct state_daemon d = { .socket = "/s" };
    FILE *f = open_memstream(&out->data, &out->len);
    int err = f ? state_save(t->s, &d, f) : -1;

    if (f)
        fclose(f);
    return !err;
}

static const char *session_load(struct session *t, struct survivors *v,
                                const struct saved *saved)
{
    static const struct state_ops ops = { survivors_daemon, survivors_adopt };
    static char why[STATE_WHY_MAX];
    struct store *s = t->s;

    t->s = store_new(s->hv, s->hv_ctx);
    if (!t->s)
        abort();
    t->s->now_ms = s->now_ms;
    t->s->fair.clock = s->fair.clock;
    t->s->may_open_files = s->may_open_files;
    t->s->update.possible = s->update.possible;
    store_free(s);
    return state_load(t->s, saved->data, saved->len, &ops, v, why) ? why : NULL;
}

const char *session_update(struct session *t)
{
    struct survivors v = { .t = t };
    struct saved before = { NULL, 0 }, after = { NULL, 0 };
    const char *wrong = NULL;

    survivors_find(&v);
    if (!session_save(t, &before))
        return "cannot save";
    wrong = session_load(t, &v, &before);
    if (!wrong && !session_save(t, &after))
        wrong = "cannot save again";
    if (!wrong &&
        (before.len != after.len || memcmp(before.data, after.data, after.len)))
        wrong = "what was loaded saves otherwise";
    free(before.data);
    free(after.data);
    return wrong;
}

/* ---- the loop ---- */

uint64_t session_clock_step = 1000;

/* The same in every run. */
static uint64_t session_clock(bool cpu)
{
    static uint64_t now;

    (void)cpu;
    return now += session_clock_step;
}

bool session_new(struct session *t)
{
    memset(t, 0, sizeof(*t));
    t->s = store_new(&fake_hv, t);
    if (!t->s)
        return false;
    t->s->now_ms = 1000;
    t->s->fair.clock = session_clock;
    return true;
}

void session_free(struct session *t)
{
    store_free(t->s);
}

void session_run(struct session *t)
{
    for (int i = 0; i < 500 && store_flush(t->s); i++)
        ;
}

void session_sleep(struct session *t, uint64_t ms)
{
    t->s->now_ms += ms;
    if (t->s->tick_ms <= t->s->now_ms)
        store_tick(t->s);
    session_run(t);
}

/* ---- clients ---- */

void client_send(struct session *t, struct client *k, const void *data,
                 size_t len)
{
    if (k->c)
        conn_input(k->c, data, len);
    session_run(t);
}

uint32_t client_post(struct session *t, struct client *k, uint32_t type,
                     uint32_t tx, const void *data, size_t len)
{
    struct xsd_sockmsg hdr = { type, ++k->req_id, tx, (uint32_t)len };
    unsigned char buf[sizeof(hdr) + XENSTORE_PAYLOAD_MAX];

    (void)t;
    memcpy(buf, &hdr, sizeof(hdr));
    if (len)
        memcpy(buf + sizeof(hdr), data, len);
    if (k->c)
        conn_input(k->c, buf, sizeof(hdr) + len);
    return hdr.req_id;
}

bool client_next(struct client *k, struct message *m)
{
    size_t left = k->got_len - k->got_at;

    if (left < sizeof(m->hdr))
        return false;
    memcpy(&m->hdr, k->got + k->got_at, sizeof(m->hdr));
    if (m->hdr.len > XENSTORE_PAYLOAD_MAX)
        abort();
    if (left < sizeof(m->hdr) + m->hdr.len)
        return false;
    memcpy(m->data, k->got + k->got_at + sizeof(m->hdr), m->hdr.len);
    m->data[m->hdr.len] = '\0';
    k->got_at += sizeof(m->hdr) + m->hdr.len;
    return true;
}

static void put_aside(struct client *k, const struct message *m)
{
    if (k->events_at == k->nr_events) /* all were taken */
        k->events_at = k->nr_events = 0;
    k->events = realloc(k->events, (k->nr_events + 1) * sizeof(*m));
    if (!k->events)
        abort();
    k->events[k->nr_events++] = *m;
}

bool client_reply(struct client *k, struct message *m)
{
    while (client_next(k, m)) {
        if (m->hdr.type != XS_WATCH_EVENT)
            return true;
        put_aside(k, m);
    }
    return false;
}

bool client_event(struct client *k, struct message *m)
{
    struct message none;

    while (k->events_at == k->nr_events) {
        if (!client_next(k, &none))
            return false;
        if (none.hdr.type == XS_WATCH_EVENT)
            put_aside(k, &none);
    }
    *m = k->events[k->events_at++];
    return true;
}

/* NULs become visible. */
static const char *shown(const struct message *m)
{
    static char text[4][XENSTORE_PAYLOAD_MAX + 1];
    static int which;
    char *s = text[which = (which + 1) % 4];

    for (uint32_t i = 0; i < m->hdr.len; i++)
        s[i] = m->data[i] ? m->data[i] : '|';
    s[m->hdr.len] = '\0';
    if (m->hdr.type == XS_ERROR && m->hdr.len)
        s[m->hdr.len - 1] = '\0';
    return s;
}

/*
 * RINGSIDE_TEST_UPDATE=1: any test is also one of live update. (Transactions
 * would conflict, and so keep it away.)
 */
static void update_often(struct session *t)
{
    const char *wrong;

    if (!getenv("RINGSIDE_TEST_UPDATE") || t->s->open_txns)
        return;
    wrong = session_update(t);
    if (wrong) {
        fprintf(stderr, "live update: %s\n", wrong);
        abort();
    }
}

const char *ask(struct session *t, struct client *k, uint32_t type, uint32_t tx,
                const char *data, size_t len)
{
    static struct message m;
    uint32_t id;

    update_often(t);
    id = client_post(t, k, type, tx, data, len);
    session_run(t);
    if (!client_reply(k, &m))
        return k->c ? "(none)" : "(closed)";
    if (m.hdr.req_id != id || m.hdr.tx_id != tx ||
        (m.hdr.type != type && m.hdr.type != XS_ERROR))
        return "(not its reply)";
    return shown(&m);
}

const char *events(struct client *k)
{
    static char text[65536];
    struct message m;
    size_t len = 0;

    text[0] = '\0';
    while (client_event(k, &m)) {
        const char *token = m.data + strlen(m.data) + 1;

        if (m.hdr.req_id || m.hdr.tx_id)
            return "(event with an id)";
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%s",
                                len ? " " : "", m.data, token);
        if (len >= sizeof(text))
            return "(too many)";
    }
    return text;
}

int session_check(const struct session *t)
{
    static int64_t count[SESSION_DOMIDS], bytes[SESSION_DOMIDS];
    static struct tree_walk w;
    struct node *n;

    memset(count, 0, sizeof(count));
    memset(bytes, 0, sizeof(bytes));
    tree_walk_begin(&w, t->s->root);
    while ((n = tree_walk_next(&w))) {
        unsigned int owner = perms_owner(n->perms);

        if (owner >= SESSION_DOMIDS || (owner && !t->s->domains[owner]))
            return owner ? (int)owner : -1;
        count[owner]++;
        bytes[owner] += node_cost(n);
    }
    for (int i = 1; i < SESSION_DOMIDS; i++) {
        const struct domain *d = t->s->domains[i];

        if (d && d->used[QUOTA_NODES] != count[i])
            return i;
        if (d && d->used[QUOTA_MEMORY] < bytes[i])
            return i;
    }
    return 0;
}
