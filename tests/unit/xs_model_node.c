/* The model's requests on nodes; see xs_model.h. */
#include "xs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

/* ---- payloads ---- */

int m_strings(const struct m_request *q, size_t from, const char *out[],
              int max)
{
    size_t at = from;
    int n = 0;

    while (at + strlen(q->data + at) < q->len) {
        if (n < max)
            out[n] = q->data + at;
        n++;
        at += strlen(q->data + at) + 1;
        if (at >= q->len)
            break;
    }
    return n;
}

bool m_one_string(const struct m_request *q)
{
    return q->len && strlen(q->data) == q->len - 1;
}

bool m_number(const char *s, uint64_t max, uint64_t *out)
{
    if (!*s || strspn(s, "0123456789") != strlen(s) || strlen(s) > 15)
        return false;
    *out = strtoull(s, NULL, 10);
    return *out <= max;
}

bool m_request_path(struct m_request *q, size_t len, bool special,
                    char out[M_PATH])
{
    if (!m_path(q->c->domid, q->data, len, special, out))
        return false;
    return m_privileged(q->c) || m_path_charged(out) <= q->m->quota.path;
}

bool m_only_path(struct m_request *q, bool special, char out[M_PATH])
{
    return m_one_string(q) && m_request_path(q, q->len - 1, special, out);
}

bool m_first_path(struct m_request *q, bool special, char out[M_PATH],
                  size_t *rest)
{
    if (!q->len || !memchr(q->data, '\0', q->len))
        return false;
    *rest = strlen(q->data) + 1;
    return m_request_path(q, *rest - 1, special, out);
}

static void answer(struct m_request *q, const void *data, size_t len)
{
    memcpy(q->a->data, data, len);
    q->a->len = len;
}

const char *m_answer_ok(struct m_request *q)
{
    answer(q, "OK", 3);
    return NULL;
}

/* ---- rights and notes ---- */

void m_touch(struct m_request *q, const char *path, unsigned int flags)
{
    if (q->t && !q->replay)
        m_txn_touch(q->t, path, flags);
}

void m_tell(struct m_request *q, const char *path, bool removal)
{
    if (!q->t)
        m_fire(q->m, path, q->tree, removal);
}

uint64_t m_version(struct m_request *q)
{
    return ++q->m->versions;
}

unsigned int m_conn_rights(const struct m_request *q, const struct m_perms *p)
{
    if (m_privileged(q->c) || q->forced)
        return M_READ | M_WRITE | M_OWNER;
    return m_rights(p, q->c->domid, q->m->dom[q->c->domid].target);
}

/* The first missing node on the way from `near` to `path`. */
static void first_missing(const char *near, const char *path, char *out)
{
    char up[M_PATH];

    strcpy(out, path);
    while (m_parent(out, up) && strcmp(up, near))
        strcpy(out, up);
}

const char *m_access(struct m_request *q, const char *path, unsigned int rights,
                     unsigned int flags, struct m_node **out)
{
    struct m_node *near = m_nearest(q->tree, path);
    unsigned int have = m_conn_rights(q, &near->perms) & rights;
    bool there = !strcmp(near->path, path);
    char missing[M_PATH];

    m_touch(q, path, flags);
    if (!m_privileged(q->c)) {
        m_touch(q, near->path, M_T_RIGHTS);
        first_missing(near->path, path, missing);
        if (!there)
            m_touch(q, missing, 0);
    }
    if (!there)
        return have ? "ENOENT" : "EACCES";
    *out = near;
    return have == rights ? NULL : "EACCES";
}

/* ---- quotas ---- */

static bool limited(const struct m_request *q)
{
    return !m_privileged(q->c) && !q->replay;
}

bool m_size_fits(struct m_request *q, const char *path, int perms, size_t value,
                 size_t more)
{
    static char names[M_NODES * M_PATH];

    return !limited(q) ||
           (size_t)perms * 8 + value + more + m_list(q->tree, path, names) <=
               q->m->quota.node_size;
}

static bool nodes_fit(struct m_request *q, unsigned int owner, int more)
{
    int used = m_count(&q->m->tree, owner);

    if (!limited(q) || owner >= M_DOMIDS || owner == 0 ||
        !q->m->dom[owner].known)
        return true;
    if (q->t)
        used += m_count(&q->t->work, owner) - m_count(&q->t->base, owner);
    return used + more <= q->m->quota.nodes;
}

/* ---- reading ---- */

static const char *do_read(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;

    if (!m_only_path(q, false, path))
        return "EINVAL";
    err = m_access(q, path, M_READ, M_T_READ, &n);
    if (!err)
        answer(q, n->value, n->len);
    return err;
}

static char listing[M_NODES * M_PATH];

static const char *do_directory(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    size_t len;

    if (!m_only_path(q, false, path))
        return "EINVAL";
    err = m_access(q, path, M_READ, M_T_LIST, &n);
    if (err)
        return err;
    len = m_list(q->tree, path, listing);
    if (len > M_PAYLOAD)
        return "E2BIG";
    answer(q, listing, len);
    return NULL;
}

/* Whole names from `off` on; behind the last one an empty one. */
static void list_part(struct m_request *q, const char *path, uint64_t off)
{
    size_t total = m_list(q->tree, path, listing);
    size_t room = M_PAYLOAD - q->hint->gen_len - 1, len = 0;

    while (off + len < total) {
        size_t size = strlen(listing + off + len) + 1;

        if (len + size > room)
            break;
        len += size;
    }
    answer(q, listing + (off < total ? off : 0), len);
    if (off + len >= total)
        q->a->data[q->a->len++] = '\0';
}

static const char *do_directory_part(struct m_request *q)
{
    char path[M_PATH];
    const char *number[1], *err;
    struct m_node *n;
    uint64_t off;
    size_t rest;

    if (!m_first_path(q, false, path, &rest) ||
        m_strings(q, rest, number, 1) != 1 ||
        !m_number(number[0], UINT64_MAX, &off))
        return "EINVAL";
    err = m_access(q, path, M_READ, M_T_LIST, &n);
    if (err)
        return err;
    list_part(q, path, off);
    q->a->has_gen = true;
    q->a->version = q->t ? 0 : n->version;
    strcpy(q->a->path, path);
    return NULL;
}

/* ---- writing ---- */

static const char *create(struct m_request *q, const char *path,
                          const char *value, size_t len)
{
    struct m_node *near = m_nearest(q->tree, path);
    unsigned int owner =
        m_privileged(q->c) ? near->perms.e[0].domid : q->c->domid;
    char next[M_PATH], at[M_PATH];

    strcpy(at, near->path);
    first_missing(at, path, next);
    if (!nodes_fit(q, owner, m_below(path, at)) ||
        !m_size_fits(q, path, near->perms.n, len, 0) ||
        !m_size_fits(q, at, near->perms.n, near->len,
                     strlen(strrchr(next, '/'))))
        return "ENOSPC";
    m_touch(q, at, M_T_PARENT);
    while (strcmp(at, path)) {
        first_missing(at, path, next);
        m_touch(q, next, M_T_WRITTEN);
        near = m_add(q->tree, next, owner, m_version(q));
        strcpy(at, next);
    }
    memcpy(near->value, value, len);
    near->len = len;
    m_touch(q, path, M_T_EVENT);
    m_tell(q, path, false);
    return m_answer_ok(q);
}

static const char *replace(struct m_request *q, struct m_node *n,
                           const char *value, size_t len)
{
    if (!m_size_fits(q, n->path, n->perms.n, len, 0))
        return "ENOSPC";
    m_touch(q, n->path, M_T_WRITTEN | M_T_EVENT);
    memcpy(n->value, value, len);
    n->len = len;
    n->version = m_version(q);
    m_tell(q, n->path, false);
    return m_answer_ok(q);
}

static const char *do_write(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    size_t rest;

    if (!m_first_path(q, false, path, &rest))
        return "EINVAL";
    err = m_access(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT"))
        return create(q, path, q->data + rest, q->len - rest);
    return err ? err : replace(q, n, q->data + rest, q->len - rest);
}

static const char *do_mkdir(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;

    if (!m_only_path(q, false, path))
        return "EINVAL";
    err = m_access(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT"))
        return create(q, path, "", 0);
    return err ? err : m_answer_ok(q);
}

static const char *do_rm(struct m_request *q)
{
    char path[M_PATH], up[M_PATH];
    struct m_node *n;
    const char *err;

    if (!m_only_path(q, false, path))
        return "EINVAL";
    err = m_access(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT")) {
        m_parent(path, up);
        m_touch(q, up, 0);
        return m_find(q->tree, up) ? m_answer_ok(q) : err;
    }
    if (err)
        return err;
    if (!m_parent(path, up))
        return "EINVAL";
    m_touch(q, up, M_T_PARENT);
    m_touch(q, path, M_T_WRITTEN | M_T_REMOVED | M_T_EVENT);
    m_tell(q, path, true);
    m_remove(q->tree, path, m_version(q));
    return m_answer_ok(q);
}

/* ---- the table ---- */

static const char *(*const handlers[])(struct m_request *) = {
    [XS_DIRECTORY] = do_directory, [XS_READ] = do_read,
    [XS_GET_PERMS] = m_get_perms,  [XS_WRITE] = do_write,
    [XS_MKDIR] = do_mkdir,         [XS_RM] = do_rm,
    [XS_SET_PERMS] = m_set_perms,  [XS_DIRECTORY_PART] = do_directory_part,
};

bool m_is_node_request(uint32_t type)
{
    return type < sizeof(handlers) / sizeof(handlers[0]) && handlers[type];
}

const char *m_node_request(struct m_request *q)
{
    return handlers[q->type](q);
}
