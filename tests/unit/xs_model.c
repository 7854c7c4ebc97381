/* The model: its beginning, its end, and who answers what; see xs_model.h. */
#include "xs_model.h"

#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

static void first_nodes(struct model *m)
{
    static const char *const paths[] = { "/tool", "/tool/xenstored", "/local",
                                         "/local/domain", "/vm" };
    struct m_perms none = { .n = 1, .e = { { 0, 'n', false } } };

    m->special[0] = none;
    m->special[1] = (struct m_perms){
        .n = 2, .e = { { 0, 'n', false }, { M_ANY_DOMID, 'r', false } }
    };
    m->tree.n = 1;
    strcpy(m->tree.node[0].path, "/");
    m->tree.node[0].perms = none;
    m->tree.node[0].version = ++m->versions;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        m_add(&m->tree, paths[i], 0, ++m->versions);
}

struct model *model_new(const struct m_quota *quota)
{
    struct model *m = calloc(1, sizeof(*m));

    if (!m)
        abort();
    m->quota = *quota;
    for (int i = 0; i < M_DOMIDS; i++)
        m->dom[i].target = -1;
    m->dom[0] = (struct m_domain){
        .exists = true, .known = true, .introduced = true, .target = -1
    };
    for (int i = 0; i < M_CONNS; i++) {
        m->conn[i].open = i < M_SOCKETS;
        m->conn[i].next_txn = 1;
    }
    first_nodes(m);
    return m;
}

void model_free(struct model *m)
{
    for (int i = 0; i < M_CONNS; i++)
        m_txn_drop_all(&m->conn[i]);
    free(m);
}

static int nr_txns(const struct m_conn *c)
{
    int n = 0;

    for (int i = 0; i < M_TXNS; i++)
        n += c->txn[i] != NULL;
    return n;
}

bool model_has_room(const struct model *m, int who, uint32_t type, size_t len)
{
    const struct m_conn *c = &m->conn[who];

    if (len > M_REQUEST || m->tree.n > M_FULL)
        return len <= M_REQUEST && type == XS_RM;
    if (type == XS_WATCH && c->nr_watches == M_WATCHES)
        return false;
    if (type == XS_TRANSACTION_START && nr_txns(c) == M_TXNS)
        return false;
    for (int i = 0; i < M_TXNS && m_is_node_request(type); i++)
        if (c->txn[i] &&
            (c->txn[i]->nr_log == M_LOG || c->txn[i]->work.n > M_FULL))
            return false;
    return true;
}

/* Not for guests. */
static bool is_privileged(uint32_t type)
{
    return type == XS_INTRODUCE || type == XS_RELEASE || type == XS_RESUME ||
           type == XS_SET_TARGET || type == XS_IS_DOMAIN_INTRODUCED;
}

static const char *serve(struct m_request *q)
{
    switch (q->type) {
    case XS_TRANSACTION_START:
        return m_txn_start(q);
    case XS_TRANSACTION_END:
        return m_txn_end(q);
    case XS_WATCH:
    case XS_UNWATCH:
        return m_watch_request(q);
    case XS_RESET_WATCHES:
        m_reset(q->c);
        return NULL;
    case XS_INTRODUCE:
    case XS_RELEASE:
    case XS_RESUME:
    case XS_SET_TARGET:
    case XS_IS_DOMAIN_INTRODUCED:
    case XS_GET_DOMAIN_PATH:
        return m_domain_request(q);
    default:
        return m_is_node_request(q->type) ? m_node_request(q) : "ENOSYS";
    }
}

/* In a transaction a request on nodes works on its copy, and is kept. */
static const char *choose(struct m_request *q, uint32_t tx)
{
    bool watch = q->type == XS_WATCH || q->type == XS_UNWATCH;
    const char *err;

    if (q->type == XS_ERROR || q->type == XS_WATCH_EVENT)
        return "ENOSYS";
    if (is_privileged(q->type) && !m_privileged(q->c))
        return "EACCES";
    if (tx && !watch) {
        q->t = m_txn_find(q->c, tx);
        if (!q->t)
            return "ENOENT";
    }
    if (q->t && m_is_node_request(q->type))
        q->tree = &q->t->work;
    err = serve(q);
    if (q->t && m_is_node_request(q->type))
        m_txn_log(q, err);
    return err;
}

void model_message(struct model *m, int who, uint32_t type, uint32_t tx,
                   const char *payload, size_t len, const struct m_hint *hint,
                   struct m_answer *a)
{
    static char data[M_REQUEST + 1]; /* with a NUL behind */
    struct m_perms given = { .n = 0 };
    struct m_request q = { .m = m,
                           .c = &m->conn[who],
                           .tree = &m->tree,
                           .type = type,
                           .data = data,
                           .len = len,
                           .hint = hint,
                           .a = a,
                           .given = &given };

    memcpy(data, payload, len);
    data[len] = '\0';
    a->len = 0;
    a->has_gen = false;
    a->error = choose(&q, tx);
    if (!a->error && !a->len && !m_is_node_request(type)) {
        memcpy(a->data, "OK", 3);
        a->len = 3;
    }
}
