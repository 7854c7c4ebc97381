/* Compares what came with what had to come; see xs_play.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xs_stage.h"

void stage_wrong(struct stage *s, const char *fmt, ...)
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
        stage_wrong(
            s, "generation %s of %s: it was %s before, and the node has %s",
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
        stage_wrong(s, "the reply is \"%s\" (%zu) and not \"%s\" (%zu)",
                    shown(data, len), len, shown(a->data, a->len), a->len);
}

static void check_reply(struct stage *s, const struct expected *e,
                        const struct message *got)
{
    const char *error = e->answer.error;

    if (got->hdr.req_id != e->req_id || got->hdr.tx_id != e->tx_id)
        stage_wrong(s, "the reply has ids %u and %u, and not %u and %u",
                    got->hdr.req_id, got->hdr.tx_id, e->req_id, e->tx_id);
    else if (got->hdr.type != (error ? XS_ERROR : e->type) ||
             (error &&
              (got->hdr.len != strlen(error) + 1 || strcmp(got->data, error))))
        stage_wrong(s, "the reply is %s%s, and not %s",
                    got->hdr.type == XS_ERROR ? "" : "a success: ",
                    shown(got->data, got->hdr.len),
                    error ? error : "a success");
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
        stage_wrong(s, "connection %d: an event too many, \"%s\"", who,
                    shown(got[i].payload, got[i].len));
    if (c->nr_events > i)
        stage_wrong(s, "connection %d: no event \"%s\"", who,
                    shown(c->event[i].payload, c->event[i].len));
    if (n)
        qsort(got, (size_t)n, sizeof(*got), event_order);
    qsort(c->event, (size_t)c->nr_events, sizeof(*got), event_order);
    for (i = 0; i < n && i < c->nr_events; i++)
        if (event_order(&got[i], &c->event[i]))
            stage_wrong(s, "connection %d: the event \"%s\" and not \"%s\"",
                        who, shown(got[i].payload, got[i].len),
                        shown(c->event[i].payload, c->event[i].len));
    c->nr_events = 0;
}

static void take_event(struct stage *s, struct m_event *e,
                       const struct message *m)
{
    if (m->hdr.req_id || m->hdr.tx_id)
        stage_wrong(s, "an event with an id");
    e->len = m->hdr.len < sizeof(e->payload) ? m->hdr.len : 0;
    memcpy(e->payload, m->data, e->len);
}

/* Everything that came to a client that reads. */
void check_client(struct stage *s, int who)
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
            stage_wrong(s, "connection %d: a reply too many", who);
        if (events && replies < p->nr_replies && !s->draining &&
            p->replies[replies].type == XS_WATCH)
            stage_wrong(s, "the first event came before the watch's reply");
    }
    if (replies < p->nr_replies)
        stage_wrong(s, "connection %d: no reply", who);
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
            stage_wrong(s, "domain %u is %sknown", d, dom ? "" : "not ");
        else if (dom && dom->used[QUOTA_NODES] != owned)
            stage_wrong(s, "domain %u: %lld nodes are accounted, it owns %d", d,
                        (long long)dom->used[QUOTA_NODES], owned);
        else if (dom && dom->introduced &&
                 dom->used[QUOTA_WATCHES] !=
                     s->m->conn[m_conn_of(d)].nr_watches)
            stage_wrong(s, "domain %u: %lld watches are accounted", d,
                        (long long)dom->used[QUOTA_WATCHES]);
    }
    if (session_check(&s->t))
        stage_wrong(s, "the accounts of domain %d differ from the tree",
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
        stage_wrong(s, "no reply to the observer");
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

void check_all(struct stage *s, bool tree)
{
    for (int i = 0; i < M_CONNS; i++)
        check_client(s, i);
    check_counts(s);
    if (tree)
        check_tree(s);
    if (s->m->broken[0])
        stage_wrong(s, "%s", s->m->broken);
}
