/* The model's domains; see xs_model.h. */
#include "xs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

enum { INTRODUCE, RELEASE };

/* ---- domains ---- */

void m_reset(struct m_conn *c)
{
    c->nr_watches = 0;
    m_txn_drop_all(c);
}

bool m_know(struct model *m, unsigned int domid)
{
    struct m_domain *d = &m->dom[domid % M_DOMIDS];

    if (domid >= M_DOMIDS || (!d->known && !d->exists))
        return false;
    if (!d->known) {
        *d = (struct m_domain){ .exists = d->exists,
                                .shut = d->shut,
                                .known = true,
                                .target = -1,
                                .serial = ++m->serials };
    }
    return true;
}

static void strip_tree(struct m_tree *t, unsigned int domid)
{
    for (int i = 0; i < t->n; i++)
        m_strip(&t->node[i].perms, domid);
}

/* Lists lose a dead domain wherever they are; so earlier answers differ. */
static void strip_txn(struct m_txn *t, unsigned int domid)
{
    strip_tree(&t->base, domid);
    strip_tree(&t->work, domid);
    for (int i = 0; i < t->nr_log; i++) {
        m_strip(&t->log[i].perms, domid);
        t->log[i].compare = false;
    }
}

static void strip_all(struct model *m, unsigned int domid)
{
    strip_tree(&m->tree, domid);
    for (int i = 0; i < 2; i++) {
        m_strip(&m->special[i], domid);
        if (m->special[i].e[0].domid == domid)
            m->special[i].e[0].domid = 0;
    }
    for (int i = 0; i < M_CONNS; i++)
        for (int j = 0; j < M_TXNS; j++)
            if (m->conn[i].txn[j])
                strip_txn(m->conn[i].txn[j], domid);
}

static void remove_owned(struct model *m, unsigned int domid)
{
    struct m_node *root = m_find(&m->tree, "/");
    int i = 1; /* the root is first */

    if (root->perms.e[0].domid == domid) {
        root->perms.e[0].domid = 0;
        root->version = ++m->versions;
    }
    while (i < m->tree.n) {
        if (m->tree.node[i].perms.e[0].domid == domid) {
            m_remove(&m->tree, m->tree.node[i].path, ++m->versions);
            i = 1;
        } else {
            i++;
        }
    }
}

static void close_conn(struct model *m, unsigned int domid)
{
    struct m_conn *c;

    if (!m->dom[domid].introduced || !domid)
        return;
    c = &m->conn[m_conn_of(domid)];
    m_reset(c);
    c->nr_events = 0;
    c->open = false;
}

/* What is left of a domain that died or was released: nothing. */
static void gone(struct model *m, unsigned int domid)
{
    struct m_domain *d = &m->dom[domid];
    bool introduced = d->introduced;

    close_conn(m, domid);
    remove_owned(m, domid);
    strip_all(m, domid);
    for (int i = 0; i < M_DOMIDS; i++)
        if (m->dom[i].target == (int)domid)
            m->dom[i].target = -1;
    d->known = d->introduced = d->told = d->reborn = false;
    d->target = -1;
    if (introduced)
        m_fire_special(m, RELEASE, domid, true, true);
}

/* The known domain that comes after `serial`, or 0. */
static unsigned int next_known(const struct model *m, uint64_t serial)
{
    unsigned int next = 0;

    for (unsigned int d = 1; d < M_DOMIDS; d++)
        if (m->dom[d].known && m->dom[d].serial > serial &&
            (!next || m->dom[d].serial < m->dom[next].serial))
            next = d;
    return next;
}

/* The store looks who died or shut down. */
static void look(struct model *m)
{
    uint64_t serial = 0;
    unsigned int domid;
    bool plain = false;

    while ((domid = next_known(m, serial))) {
        struct m_domain *d = &m->dom[domid];

        serial = d->serial;
        if (!d->exists || d->reborn) {
            gone(m, domid);
        } else if (d->shut && !d->told && d->introduced) {
            d->told = plain = true;
            m_fire_special(m, RELEASE, domid, false, true);
        }
    }
    if (plain)
        m_fire_special(m, RELEASE, 0, true, false);
}

void model_boot(struct model *m, unsigned int domid)
{
    m->dom[domid].exists = true;
    m->dom[domid].shut = false;
}

void model_kill(struct model *m, unsigned int domid)
{
    m->dom[domid].exists = false;
    look(m);
}

void model_reuse(struct model *m, unsigned int domid)
{
    m->dom[domid].reborn = m->dom[domid].known;
    m->dom[domid].shut = false;
}

void model_shutdown(struct model *m, unsigned int domid, bool shut)
{
    m->dom[domid].shut = shut;
    look(m);
}

void model_update(struct model *m)
{
    for (int i = 0; i < M_CONNS; i++)
        m_txn_doom_all(&m->conn[i], &m->tree);
}

void model_hangup(struct model *m, int who)
{
    m_reset(&m->conn[who]);
    m->conn[who].nr_events = 0;
    m->conn[who].next_txn = 1;
}

/* ---- requests ---- */

static const char *introduce(struct m_request *q, unsigned int domid)
{
    struct m_conn *c;
    struct m_domain *d;

    if (domid == 0)
        return "EINVAL";
    if (domid < M_DOMIDS && q->m->dom[domid].known &&
        (q->m->dom[domid].reborn || !q->m->dom[domid].exists))
        gone(q->m, domid);
    if (!m_know(q->m, domid))
        return "EINVAL";
    d = &q->m->dom[domid];
    c = &q->m->conn[m_conn_of(domid)];
    m_reset(c);
    c->nr_events = 0;
    if (d->introduced)
        return NULL;
    c->open = d->introduced = true;
    c->domid = domid;
    c->next_txn = 1;
    m_fire_special(q->m, INTRODUCE, domid, true, true);
    return NULL;
}

/* A domain that is introduced. */
static const char *introduced(struct m_request *q, const char *s,
                              unsigned int *domid)
{
    uint64_t n;

    if (!m_number(s, UINT32_MAX, &n))
        return "EINVAL";
    *domid = (unsigned int)n;
    return n < M_DOMIDS && q->m->dom[n].introduced ? NULL : "ENOENT";
}

/* The payload is such a one, and not domain 0. */
static const char *one_guest(struct m_request *q, unsigned int *domid)
{
    uint64_t n;

    if (!m_one_string(q) || !m_number(q->data, UINT32_MAX, &n) || n == 0)
        return "EINVAL";
    return introduced(q, q->data, domid);
}

static const char *release(struct m_request *q)
{
    unsigned int domid;
    const char *err = one_guest(q, &domid);

    if (!err)
        gone(q->m, domid);
    return err;
}

static const char *set_target(struct m_request *q)
{
    unsigned int domid, target;
    const char *err, *s[2];

    if (m_strings(q, 0, s, 2) < 2)
        return "EINVAL";
    err = introduced(q, s[0], &domid);
    if (!err)
        err = introduced(q, s[1], &target);
    if (err)
        return err;
    q->m->dom[domid].target = (int)target;
    for (int i = 0; domid && i < M_TXNS; i++) {
        struct m_txn *t = q->m->conn[m_conn_of(domid)].txn[i];

        for (int j = 0; t && j < t->nr_log; j++)
            t->log[j].compare = false; /* what it may do has changed */
    }
    return NULL;
}

static const char *resume(struct m_request *q)
{
    unsigned int domid;
    const char *err = one_guest(q, &domid);

    if (!err)
        q->m->dom[domid].told = false;
    return err;
}

static const char *say(struct m_request *q, const char *fmt, unsigned int n)
{
    q->a->len = 1 + (size_t)sprintf(q->a->data, fmt, n);
    return NULL;
}

static const char *about(struct m_request *q)
{
    uint64_t n, max = q->type == XS_GET_DOMAIN_PATH ? 65535 : UINT32_MAX;

    if (!m_one_string(q) || !m_number(q->data, max, &n))
        return "EINVAL";
    if (q->type == XS_GET_DOMAIN_PATH)
        return say(q, "/local/domain/%u", (unsigned int)n);
    if (n == 0x7ff0 || (n < M_DOMIDS && q->m->dom[n].introduced))
        return say(q, "T", 0);
    return say(q, "F", 0);
}

static const char *introduce_args(struct m_request *q)
{
    uint64_t domid, port;
    const char *s[3];

    if (m_strings(q, 0, s, 3) < 3 || !m_number(s[0], 65535, &domid) ||
        !m_number(s[2], INT32_MAX, &port) || !port)
        return "EINVAL";
    return introduce(q, (unsigned int)domid);
}

const char *m_domain_request(struct m_request *q)
{
    switch (q->type) {
    case XS_INTRODUCE:
        return introduce_args(q);
    case XS_RELEASE:
        return release(q);
    case XS_RESUME:
        return resume(q);
    case XS_SET_TARGET:
        return set_target(q);
    default:
        return about(q);
    }
}
