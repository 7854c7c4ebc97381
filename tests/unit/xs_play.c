/* Does plays and compares; see xs_play.h. */
#include "xs_play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "xs_session.h"

#define REPLIES_MAX 12 /* that a client leaves unread */
#define LISTS_MAX   512
#define EVENTS_HOLD 400
#define CHECK_EVERY 50

/* What a reply has to be. */
struct expected {
    uint32_t type, req_id, tx_id;
    struct m_answer answer;
};

/* The generation that a version of a directory was listed with. */
struct listed {
    char path[M_PATH], gen[24];
    uint64_t version;
};

struct player {
    struct client *k; /* NULL: it has none yet */
    uint32_t txn[PLAY_SLOTS + 1];
    struct expected *replies; /* REPLIES_MAX */
    int nr_replies;
};

struct stage {
    struct session t;
    struct model *m;
    struct client *observer;
    struct player player[M_CONNS];
    struct listed listed[LISTS_MAX];
    int nr_listed;
    unsigned int steps;
    bool draining; /* what comes is of several steps */
    char wrong[1024];
};

/* Small, so that they are met. */
static const struct m_quota quota = {
    .nodes = 6, .watches = 6, .txns = 2, .perms = 3, .node_size = 90, .path = 24
};

static void set_quota(struct store *s)
{
    uint32_t *limit = s->quota.limit;

    memset(limit, 0, sizeof(s->quota.limit));
    limit[QUOTA_NODES] = (uint32_t)quota.nodes;
    limit[QUOTA_WATCHES] = (uint32_t)quota.watches;
    limit[QUOTA_TXNS] = (uint32_t)quota.txns;
    limit[QUOTA_PERMS] = (uint32_t)quota.perms;
    limit[QUOTA_NODE_SIZE] = (uint32_t)quota.node_size;
    limit[QUOTA_PATH] = (uint32_t)quota.path;
    s->dom0->quota = s->quota;
}

struct stage *stage_new(void)
{
    struct stage *s = calloc(1, sizeof(*s));

    if (!s || !session_new(&s->t))
        abort();
    set_quota(s->t.s);
    s->m = model_new(&quota);
    s->observer = client_new(&s->t);
    for (int i = 0; i < M_CONNS; i++) {
        s->player[i].replies = calloc(REPLIES_MAX, sizeof(struct expected));
        if (!s->player[i].replies)
            abort();
        if (i < M_SOCKETS)
            s->player[i].k = client_new(&s->t);
    }
    return s;
}

const struct model *stage_model(const struct stage *s)
{
    return s->m;
}

bool stage_open(const struct stage *s, int who, unsigned int slot)
{
    return m_txn_find(&s->m->conn[who], s->player[who].txn[slot]) != NULL;
}

__attribute__((format(printf, 2, 3))) static void wrong(struct stage *s,
                                                        const char *fmt, ...)
{
    va_list ap;

    if (s->wrong[0])
        return;
    va_start(ap, fmt);
    vsnprintf(s->wrong, sizeof(s->wrong), fmt, ap);
    va_end(ap);
}

/* Bytes as text; good for a few calls. */
static const char *shown(const void *data, size_t len)
{
    static char text[4][256];
    static int which;
    char *out = text[which = (which + 1) % 4];
    const unsigned char *s = data;
    size_t n = 0;

    for (size_t i = 0; i < len && n < sizeof(text[0]) - 8; i++)
        n += (size_t)sprintf(out + n, s[i] >= ' ' && s[i] < 127 ? "%c" : "\\%o",
                             s[i]);
    sprintf(out + n, "%s", n >= sizeof(text[0]) - 8 ? "..." : "");
    return out;
}

/* ---- replies ---- */

/* The same version has the same generation, another one another. */
static void check_gen(struct stage *s, const struct m_answer *a,
                      const char *gen)
{
    struct listed *l = s->listed, *end = l + s->nr_listed;

    if (!a->version)
        return;
    while (l < end && strcmp(l->path, a->path))
        l++;
    if (l < end && (l->version == a->version) != !strcmp(l->gen, gen))
        wrong(s, "generation %s of %s: it was %s before, and the node has %s",
              gen, a->path, l->gen,
              l->version == a->version ? "not changed" : "changed");
    if (l == end && ++s->nr_listed > LISTS_MAX)
        abort();
    strcpy(l->path, a->path);
    snprintf(l->gen, sizeof(l->gen), "%s", gen);
    l->version = a->version;
}

static void check_payload(struct stage *s, const struct m_answer *a,
                          const struct message *got)
{
    const char *data = got->data;
    size_t len = got->hdr.len, gen = strlen(data) + 1;

    if (a->has_gen) {
        if (gen > len)
            gen = len;
        check_gen(s, a, data);
        data += gen;
        len -= gen;
    }
    if (len != a->len || memcmp(data, a->data, len))
        wrong(s, "the reply is \"%s\" (%zu) and not \"%s\" (%zu)",
              shown(data, len), len, shown(a->data, a->len), a->len);
}

static void check_reply(struct stage *s, const struct expected *e,
                        const struct message *got)
{
    const char *error = e->answer.error;

    if (got->hdr.req_id != e->req_id || got->hdr.tx_id != e->tx_id)
        wrong(s, "the reply has ids %u and %u, and not %u and %u",
              got->hdr.req_id, got->hdr.tx_id, e->req_id, e->tx_id);
    else if (got->hdr.type != (error ? XS_ERROR : e->type) ||
             (error &&
              (got->hdr.len != strlen(error) + 1 || strcmp(got->data, error))))
        wrong(s, "the reply is %s%s, and not %s",
              got->hdr.type == XS_ERROR ? "" : "a success: ",
              shown(got->data, got->hdr.len), error ? error : "a success");
    else if (!error)
        check_payload(s, &e->answer, got);
}

/* ---- events ---- */

static int event_order(const void *a, const void *b)
{
    const struct m_event *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->payload, y->payload, x->len);
}

/* What came, with the groups that it should belong to, sorted like those. */
static void check_events(struct stage *s, int who, struct m_event *got, int n)
{
    struct m_conn *c = &s->m->conn[who];
    int i = 0;

    for (i = 0; i < n && i < c->nr_events; i++)
        got[i].group = c->event[i].group;
    if (n > i)
        wrong(s, "connection %d: an event too many, \"%s\"", who,
              shown(got[i].payload, got[i].len));
    if (c->nr_events > i)
        wrong(s, "connection %d: no event \"%s\"", who,
              shown(c->event[i].payload, c->event[i].len));
    if (n)
        qsort(got, (size_t)n, sizeof(*got), event_order);
    qsort(c->event, (size_t)c->nr_events, sizeof(*got), event_order);
    for (i = 0; i < n && i < c->nr_events; i++)
        if (event_order(&got[i], &c->event[i]))
            wrong(s, "connection %d: the event \"%s\" and not \"%s\"", who,
                  shown(got[i].payload, got[i].len),
                  shown(c->event[i].payload, c->event[i].len));
    c->nr_events = 0;
}

static void take_event(struct stage *s, struct m_event *e,
                       const struct message *m)
{
    if (m->hdr.req_id || m->hdr.tx_id)
        wrong(s, "an event with an id");
    e->len = m->hdr.len < sizeof(e->payload) ? m->hdr.len : 0;
    memcpy(e->payload, m->data, e->len);
}

/* Everything that came to a client that reads. */
static void check_client(struct stage *s, int who)
{
    static struct m_event got[M_EVENTS];
    struct player *p = &s->player[who];
    int replies = 0, events = 0;
    struct message m;

    if (!p->k || p->k->blocked)
        return;
    while (client_next(p->k, &m)) {
        if (m.hdr.type == XS_WATCH_EVENT && events < M_EVENTS)
            take_event(s, &got[events++], &m);
        else if (replies < p->nr_replies)
            check_reply(s, &p->replies[replies++], &m);
        else
            wrong(s, "connection %d: a reply too many", who);
        if (events && replies < p->nr_replies && !s->draining &&
            p->replies[replies].type == XS_WATCH)
            wrong(s, "the first event came before the watch's reply");
    }
    if (replies < p->nr_replies)
        wrong(s, "connection %d: no reply", who);
    p->nr_replies = 0;
    check_events(s, who, got, events);
}

/* ---- invariants ---- */

static void check_counts(struct stage *s)
{
    for (unsigned int d = 1; d < M_DOMIDS; d++) {
        const struct domain *dom = s->t.s->domains[d];
        int owned = m_count(&s->m->tree, d);

        if (!!dom != s->m->dom[d].known)
            wrong(s, "domain %u is %sknown", d, dom ? "" : "not ");
        else if (dom && dom->used[QUOTA_NODES] != owned)
            wrong(s, "domain %u: %lld nodes are booked, it owns %d", d,
                  (long long)dom->used[QUOTA_NODES], owned);
        else if (dom && dom->introduced &&
                 dom->used[QUOTA_WATCHES] !=
                     s->m->conn[m_conn_of(d)].nr_watches)
            wrong(s, "domain %u: %lld watches are booked", d,
                  (long long)dom->used[QUOTA_WATCHES]);
    }
    if (session_check(&s->t))
        wrong(s, "the accounts of domain %d differ from the tree",
              session_check(&s->t));
}

/* One request of the observer, and what the model says to it. */
static void observe(struct stage *s, uint32_t type, const char *path)
{
    static struct expected e;
    struct m_hint hint = { false, 0 };
    struct message m;

    e.type = type;
    e.tx_id = 0;
    e.req_id = client_post(&s->t, s->observer, type, 0, path, strlen(path) + 1);
    session_run(&s->t);
    model_message(s->m, 0, type, 0, path, strlen(path) + 1, &hint, &e.answer);
    if (!client_reply(s->observer, &m))
        wrong(s, "no reply to the observer");
    else
        check_reply(s, &e, &m);
    if (s->wrong[0] && !strstr(s->wrong, " [of "))
        snprintf(s->wrong + strlen(s->wrong), M_PATH, " [of %.200s]", path);
}

/* The whole tree is the model's. */
static void check_tree(struct stage *s)
{
    for (int i = 0; i < s->m->tree.n && !s->wrong[0]; i++) {
        const char *path = s->m->tree.node[i].path;

        observe(s, XS_DIRECTORY, path);
        observe(s, XS_READ, path);
        observe(s, XS_GET_PERMS, path);
    }
}

static void check_all(struct stage *s, bool tree)
{
    for (int i = 0; i < M_CONNS; i++)
        check_client(s, i);
    check_counts(s);
    if (tree)
        check_tree(s);
    if (s->m->broken[0])
        wrong(s, "%s", s->m->broken);
}

/* ---- steps ---- */

static void drain(struct stage *s, int who)
{
    struct client *k = s->player[who].k;

    if (!k || !k->blocked)
        return;
    k->blocked = false;
    if (k->c)
        conn_dirty(k->c);
    session_run(&s->t);
    s->draining = true;
    check_client(s, who);
    s->draining = false;
}

/* What the documents leave open, from the reply that has come. */
static struct m_hint hint_of(const struct client *k, size_t from)
{
    struct m_hint hint = { false, 0 };
    struct xsd_sockmsg hdr;
    const char *data;

    while (!k->blocked && from + sizeof(hdr) <= k->got_len) {
        memcpy(&hdr, k->got + from, sizeof(hdr));
        data = (const char *)k->got + from + sizeof(hdr);
        from += sizeof(hdr) + hdr.len;
        if (hdr.type == XS_WATCH_EVENT || from > k->got_len)
            continue;
        hint.again = hdr.type == XS_ERROR && !strcmp(data, "EAGAIN");
        hint.gen_len = strnlen(data, hdr.len) + 1;
    }
    return hint;
}

/* Its transactions may have ended with a reset: then ids are unknown. */
static void message(struct stage *s, const struct step *step)
{
    struct player *p = &s->player[step->who];
    bool start = step->type == XS_TRANSACTION_START;
    struct expected *e;
    struct m_hint hint;
    size_t from;

    if (step->type == XS_TRANSACTION_END || step->type == XS_DIRECTORY_PART ||
        start || p->nr_replies == REPLIES_MAX)
        drain(s, step->who);
    e = &p->replies[p->nr_replies++];
    e->type = step->type;
    e->tx_id = start ? 0 : p->txn[step->slot];
    from = p->k->got_len;
    e->req_id =
        client_post(&s->t, p->k, e->type, e->tx_id, step->payload, step->len);
    session_run(&s->t);
    hint = hint_of(p->k, from);
    model_message(s->m, step->who, e->type, e->tx_id, step->payload, step->len,
                  &hint, &e->answer);
    if (start && !e->answer.error && step->slot)
        p->txn[step->slot] = (uint32_t)atoi(e->answer.data);
}

/* Connections appear and disappear with introductions and deaths. */
static void follow(struct stage *s)
{
    for (int i = M_SOCKETS; i < M_CONNS; i++) {
        struct fake_domain *f = &s->t.dom[M_DOMID + i - M_SOCKETS];
        struct player *p = &s->player[i];
        bool open = f->client && f->client->c;

        if (open != s->m->conn[i].open)
            wrong(s, "connection %d is %s", i, open ? "open" : "closed");
        p->k = open ? f->client : NULL;
        if (!open)
            p->nr_replies = 0;
    }
}

static void kill_domain(struct stage *s, unsigned int domid)
{
    struct fake_domain *f = &s->t.dom[domid];

    session_kill(&s->t, domid);
    model_kill(s->m, domid);
    if (f->client)
        client_free(&s->t, f->client);
    f->client = NULL;
}

static void boot(struct stage *s, unsigned int domid)
{
    struct client *k = s->t.dom[domid].client;

    if (k)
        client_free(&s->t, k);
    session_boot(&s->t, domid, false);
    model_boot(s->m, domid);
}

static void reuse(struct stage *s, unsigned int domid)
{
    s->t.dom[domid].info.birth += 1000000;
    s->t.dom[domid].info.state = HV_RUNNING;
    model_reuse(s->m, domid);
}

static void shut(struct stage *s, unsigned int domid, bool down)
{
    s->t.dom[domid].info.state = down ? HV_SHUTDOWN : HV_RUNNING;
    domain_check_all(s->t.s);
    session_run(&s->t);
    model_shutdown(s->m, domid, down);
}

static void update(struct stage *s)
{
    const char *why = session_update(&s->t);

    if (why)
        wrong(s, "live update: %s", why);
    model_update(s->m);
}

static void world(struct stage *s, const struct step *step)
{
    unsigned int domid = M_DOMID + step->who - M_SOCKETS;
    bool guest = step->who >= M_SOCKETS, exists = s->m->dom[domid].exists;
    struct player *p = &s->player[step->who];

    if (step->type == PLAY_HANGUP && !guest) {
        client_free(&s->t, p->k);
        p->k = client_new(&s->t);
        p->nr_replies = 0;
        model_hangup(s->m, step->who);
    } else if (step->type == PLAY_BLOCK && p->k) {
        p->k->blocked = true;
    } else if (step->type == PLAY_DRAIN) {
        drain(s, step->who);
    } else if (step->type == PLAY_UPDATE) {
        update(s);
    } else if (guest && step->type == PLAY_BOOT && !exists) {
        boot(s, domid);
    } else if (guest && step->type == PLAY_KILL && exists) {
        kill_domain(s, domid);
    } else if (guest && step->type == PLAY_REUSE && exists) {
        reuse(s, domid);
    } else if (guest && step->type == PLAY_SHUTDOWN && exists) {
        shut(s, domid, true);
    } else if (guest && step->type == PLAY_RUN && exists) {
        shut(s, domid, false);
    }
}

/* A guest that is introduced again begins with nothing to read. */
static void forget_reset(struct stage *s, const struct step *step)
{
    for (int i = M_SOCKETS; i < M_CONNS && step->type == XS_INTRODUCE; i++)
        if (i != step->who && s->player[i].k && s->player[i].k->c &&
            !s->player[i].k->c->out.replies)
            s->player[i].nr_replies = 0;
}

const char *stage_step(struct stage *s, const struct step *step)
{
    struct player *p = &s->player[step->who];

    s->t.s->now_ms += 60000; /* full credit for writes; no tick is made */
    if (step->type >= PLAY_BOOT) {
        world(s, step);
    } else if (p->k && model_has_room(s->m, step->who, step->type, step->len)) {
        message(s, step);
        forget_reset(s, step);
    }
    follow(s);
    for (int i = 0; i < M_CONNS; i++)
        if (s->m->conn[i].nr_events > EVENTS_HOLD)
            drain(s, i);
    check_all(s, ++s->steps % CHECK_EVERY == 0);
    return s->wrong[0] ? s->wrong : NULL;
}

static void end_all(struct stage *s)
{
    for (int i = 0; i < M_CONNS; i++)
        drain(s, i);
    check_all(s, true);
    for (unsigned int d = M_DOMID; d < M_DOMID + M_GUESTS; d++)
        kill_domain(s, d);
    follow(s);
    check_all(s, true);
    for (int i = 0; i < M_SOCKETS; i++)
        client_free(&s->t, s->player[i].k);
    if (s->t.s->watches.count || s->t.s->open_txns || s->t.s->watches.nodes)
        wrong(s, "watches or transactions are left");
}

const char *stage_end(struct stage *s)
{
    static char text[1024];

    if (!s->wrong[0]) {
        end_all(s);
        client_free(&s->t, s->observer);
        session_free(&s->t);
        if (node_stats.nodes || node_stats.bytes)
            wrong(s, "%llu nodes are left",
                  (unsigned long long)node_stats.nodes);
    }
    strcpy(text, s->wrong);
    model_free(s->m);
    for (int i = 0; i < M_CONNS; i++)
        free(s->player[i].replies);
    free(s);
    return text[0] ? text : NULL;
}
