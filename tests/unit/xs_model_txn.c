/*
 * The model's transactions: two copies of the tree, what was touched, and the
 * requests, which a commit does again on the tree as it is then. See
 * xs_model.h.
 */
#include "xs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

struct m_txn *m_txn_find(const struct m_conn *c, uint32_t id)
{
    for (int i = 0; i < M_TXNS; i++)
        if (c->txn[i] && c->txn[i]->id == id)
            return c->txn[i];
    return NULL;
}

static void txn_drop(struct m_conn *c, struct m_txn *t)
{
    for (int i = 0; i < M_TXNS; i++)
        if (c->txn[i] == t)
            c->txn[i] = NULL;
    free(t);
}

void m_txn_drop_all(struct m_conn *c)
{
    for (int i = 0; i < M_TXNS; i++)
        if (c->txn[i])
            txn_drop(c, c->txn[i]);
}

/* They go on from how it is now, and cannot be committed. */
void m_txn_doom_all(struct m_conn *c, const struct m_tree *now)
{
    for (int i = 0; i < M_TXNS; i++) {
        struct m_txn *t = c->txn[i];

        if (!t)
            continue;
        t->base = t->work = *now;
        t->nr_touched = t->nr_log = 0;
        t->doomed = true;
    }
}

const char *m_txn_start(struct m_request *q)
{
    int open = 0, place = 0;
    struct m_txn *t;

    if (q->t)
        return "EBUSY";
    for (int i = 0; i < M_TXNS; i++) {
        open += q->c->txn[i] != NULL;
        if (!q->c->txn[i])
            place = i;
    }
    if (!m_privileged(q->c) && open >= q->m->quota.txns)
        return "ENOSPC";
    t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    t->id = q->c->next_txn++;
    t->base = t->work = q->m->tree;
    q->c->txn[place] = t;
    q->a->len = 1 + (size_t)sprintf(q->a->data, "%u", t->id);
    return NULL;
}

/* In the order of first touch. */
void m_txn_touch(struct m_txn *t, const char *path, unsigned int flags)
{
    int i = 0;

    while (i < t->nr_touched && strcmp(t->touched[i].path, path))
        i++;
    if (i == t->nr_touched) {
        strcpy(t->touched[i].path, path);
        t->touched[i].flags = 0;
        t->nr_touched++;
    }
    t->touched[i].flags |= flags;
}

/* An owner that gains or loses nodes is that domain, not a later one. */
static void meet_owners(struct m_request *q)
{
    struct m_txn *t = q->t;

    for (unsigned int d = 1; d < M_DOMIDS; d++) {
        if (t->met[d] || m_count(&t->work, d) == m_count(&t->base, d))
            continue;
        t->met[d] = true;
        t->serial[d] = q->m->dom[d].known ? q->m->dom[d].serial : 0;
    }
}

/* Special permissions are no part of the tree, and change at once. */
void m_txn_log(struct m_request *q, const char *error)
{
    struct m_logged *l = &q->t->log[q->t->nr_log];

    if (q->data[0] == '@')
        return;
    q->t->nr_log++;
    l->type = q->type;
    l->len = q->len;
    memcpy(l->payload, q->data, q->len);
    l->answer = *q->a;
    l->answer.error = error;
    l->perms = *q->given;
    l->compare = true;
    meet_owners(q);
}

/* ---- what conflicts ---- */

enum verdict { PASSES, MAY_CONFLICT, CONFLICTS };

static bool subtree_same(struct m_tree *a, struct m_tree *b, const char *top,
                         bool exactly)
{
    for (int i = 0; i < a->n; i++) {
        const struct m_node *n = &a->node[i], *o;

        if (m_below(n->path, top) < 0)
            continue;
        o = m_find(b, n->path);
        if (!o || !m_same(n, o) ||
            (exactly && (!n->version || n->version != o->version)))
            return false;
    }
    return true;
}

static bool list_same(struct m_tree *a, struct m_tree *b, const char *path)
{
    static char one[M_NODES * M_PATH], two[M_NODES * M_PATH];
    size_t len = m_list(a, path, one);

    return len == m_list(b, path, two) && !memcmp(one, two, len);
}

/* A removed subtree must be as it was. */
static enum verdict judge_removed(struct m_tree *base, struct m_tree *now,
                                  const char *path)
{
    if (!subtree_same(base, now, path, false) ||
        !subtree_same(now, base, path, false))
        return CONFLICTS;
    return subtree_same(base, now, path, true) ? PASSES : MAY_CONFLICT;
}

/*
 * Somebody changed the node, or gave it what it had. The first conflicts as
 * the documents say; they leave open what the second does.
 */
static enum verdict judge_node(struct m_tree *base_tree, struct m_tree *now,
                               const struct m_touched *e,
                               const struct m_node *mine)
{
    const struct m_node *base = m_find(base_tree, e->path);
    const struct m_node *cur = m_find(now, e->path);
    bool same = m_same(base, cur);
    bool agree = mine && m_same(mine, cur);

    if ((e->flags & M_T_LIST) && (!same || !list_same(base_tree, now, e->path)))
        return CONFLICTS;
    if ((e->flags & (M_T_READ | M_T_PARENT)) && !same)
        return CONFLICTS;
    if ((e->flags & M_T_RIGHTS) && !m_perms_equal(&base->perms, &cur->perms))
        return CONFLICTS;
    if ((e->flags & M_T_WRITTEN) && !same && !agree)
        return CONFLICTS;
    if (base->version && base->version == cur->version)
        return PASSES;
    if ((e->flags & M_T_LIST) || ((e->flags & M_T_WRITTEN) && !agree))
        return MAY_CONFLICT;
    return PASSES;
}

static enum verdict judge_one(struct model *m, struct m_txn *t,
                              const struct m_touched *e)
{
    bool was = m_find(&t->base, e->path), is = m_find(&m->tree, e->path);

    if (was != is)
        return CONFLICTS;
    if (!was)
        return PASSES;
    if (e->flags & M_T_REMOVED)
        return judge_removed(&t->base, &m->tree, e->path);
    return judge_node(&t->base, &m->tree, e, m_find(&t->work, e->path));
}

static enum verdict judge(struct model *m, struct m_txn *t)
{
    enum verdict worst = PASSES;

    for (int i = 0; i < t->nr_touched; i++) {
        enum verdict v = judge_one(m, t, &t->touched[i]);

        if (v > worst)
            worst = v;
    }
    return worst;
}

/* ---- commit ---- */

static void say_broken(struct model *m, const struct m_logged *l,
                       const char *error, const struct m_answer *a)
{
    snprintf(m->broken, sizeof(m->broken),
             "a commit succeeded that is not serial: type %u of \"%.60s\" "
             "answered %s (%zu bytes), and now it would be %s (%zu bytes)",
             l->type, l->payload, l->answer.error ? l->answer.error : "well",
             l->answer.len, error ? error : "well", a->len);
}

static bool answers_equal(const struct m_answer *a, const char *error,
                          const struct m_answer *b)
{
    if (a->error || error)
        return a->error && error && !strcmp(a->error, error);
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* Does a transaction's requests again, on `result`. */
static void replay(struct m_request *q, struct m_txn *t, struct m_tree *result)
{
    static struct m_answer a;

    for (int i = 0; i < t->nr_log; i++) {
        struct m_logged *l = &t->log[i];
        const char *error;
        struct m_request r = { .m = q->m,
                               .c = q->c,
                               .t = t,
                               .tree = result,
                               .type = l->type,
                               .data = l->payload,
                               .len = l->len,
                               .a = &a,
                               .hint = q->hint,
                               .replay = true,
                               .forced = !l->compare,
                               .given = &l->perms };

        if (l->answer.error &&
            (!l->compare || (l->type == XS_SET_PERMS && l->perms.n == 0)))
            continue; /* it would only say so again */
        if (l->answer.error && !strcmp(l->answer.error, "ENOSPC"))
            continue; /* a quota refused it: what is free now is no matter */
        a.len = 0;
        error = m_node_request(&r);
        /* A part of a listing depends on its generation's digits. */
        if (l->compare && l->type != XS_DIRECTORY_PART &&
            !answers_equal(&l->answer, error, &a) && !q->m->broken[0])
            say_broken(q->m, l, error, &a);
    }
}

/* Nodes that came out as they were have an unknown version. */
static void settle_versions(struct m_tree *was, struct m_tree *is)
{
    for (int i = 0; i < is->n; i++) {
        struct m_node *n = &is->node[i], *o = m_find(was, n->path);

        if (o && o->version != n->version && m_same(n, o) &&
            list_same(was, is, n->path))
            n->version = 0;
    }
}

/* Quotas of those who own more than before; and they must live. */
static const char *check_owners(struct m_request *q, struct m_txn *t,
                                struct m_tree *result)
{
    const char *err = NULL;

    for (unsigned int d = 1; d < M_DOMIDS; d++) {
        int more = m_count(result, d) - m_count(&q->m->tree, d);
        const struct m_domain *dom = &q->m->dom[d];

        if (more <= 0)
            continue;
        if (!dom->known || dom->serial != t->serial[d])
            return "EAGAIN";
        if (!m_privileged(q->c) && m_count(result, d) > q->m->quota.nodes)
            err = "ENOSPC";
    }
    return err;
}

static void fire_all(struct model *m, struct m_txn *t, struct m_tree *old)
{
    for (int i = 0; i < t->nr_touched; i++) {
        const struct m_touched *e = &t->touched[i];
        bool was = m_find(&t->base, e->path), is = m_find(&t->work, e->path);

        if (!(e->flags & M_T_EVENT))
            continue;
        if (was && (!is || (e->flags & M_T_REMOVED)))
            m_fire(m, e->path, old, true);
        else if (was && (e->flags & M_T_REPERMED))
            m_fire(m, e->path, old, false);
        else if (is)
            m_fire(m, e->path, &m->tree, false);
    }
}

/* What it read was so when it began. */
static bool only_read(const struct m_txn *t)
{
    for (int i = 0; i < t->nr_touched; i++)
        if (t->touched[i].flags & M_T_WRITTEN)
            return false;
    return true;
}

static const char *commit(struct m_request *q, struct m_txn *t)
{
    static struct m_tree old, result;
    struct model *m = q->m;
    enum verdict v = judge(m, t);
    const char *err;

    if (t->doomed)
        return "EAGAIN";
    if (only_read(t))
        return NULL;
    m->maybes += v == MAY_CONFLICT;
    if (v == CONFLICTS || (v == MAY_CONFLICT && q->hint->again))
        return "EAGAIN";
    old = result = m->tree;
    replay(q, t, &result);
    err = check_owners(q, t, &result);
    if (err) {
        m->broken[0] = '\0';
        return err;
    }
    m->merges += t->base.n && m->versions != 0 &&
                 !(subtree_same(&t->base, &old, "/", true) &&
                   subtree_same(&old, &t->base, "/", true));
    settle_versions(&old, &result);
    m->tree = result;
    fire_all(m, t, &old);
    return NULL;
}

const char *m_txn_end(struct m_request *q)
{
    const char *err = NULL;

    if (q->len != 2 || q->data[1] || (q->data[0] != 'T' && q->data[0] != 'F'))
        return "EINVAL";
    if (!q->t)
        return "ENOENT";
    if (q->data[0] == 'T') {
        err = commit(q, q->t);
        q->m->commits += !err;
        q->m->conflicts += err && !strcmp(err, "EAGAIN");
        q->m->refused += err && !strncmp(err, "ENO", 3);
    }
    txn_drop(q->c, q->t);
    if (!err) {
        memcpy(q->a->data, "OK", 3);
        q->a->len = 3;
    }
    return err;
}
