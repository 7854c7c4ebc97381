/* Does plays; see xs_play.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"
#include "xs_stage.h"

#define EVENTS_HOLD 400
#define CHECK_EVERY 50

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
            stage_wrong(s, "connection %d is %s", i, open ? "open" : "closed");
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
        stage_wrong(s, "live update: %s", why);
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
        stage_wrong(s, "watches or transactions are left");
}

const char *stage_end(struct stage *s)
{
    static char text[1024];

    if (!s->wrong[0]) {
        end_all(s);
        client_free(&s->t, s->observer);
        session_free(&s->t);
        if (node_stats.nodes || node_stats.bytes)
            stage_wrong(s, "%llu nodes are left",
                        (unsigned long long)node_stats.nodes);
    }
    strcpy(text, s->wrong);
    model_free(s->m);
    for (int i = 0; i < M_CONNS; i++)
        free(s->player[i].replies);
    free(s);
    return text[0] ? text : NULL;
}
