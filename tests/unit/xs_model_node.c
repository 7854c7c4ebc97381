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

static bool only_path(struct m_request *q, bool special, char out[M_PATH])
{
    return m_one_string(q) && m_request_path(q, q->len - 1, special, out);
}

static bool first_path(struct m_request *q, bool special, char out[M_PATH],
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

static const char *answer_ok(struct m_request *q)
{
    answer(q, "OK", 3);
    return NULL;
}

/* ---- rights and notes ---- */

static void touch(struct m_request *q, const char *path, unsigned int flags)
{
    if (q->t && !q->replay)
        m_txn_touch(q->t, path, flags);
}

static void tell(struct m_request *q, const char *path, bool removal)
{
    if (!q->t)
        m_fire(q->m, path, q->tree, removal);
}

static uint64_t version(struct m_request *q)
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

static const char *find(struct m_request *q, const char *path,
                        unsigned int rights, unsigned int flags,
                        struct m_node **out)
{
    struct m_node *near = m_nearest(q->tree, path);
    unsigned int have = m_conn_rights(q, &near->perms) & rights;
    bool there = !strcmp(near->path, path);
    char missing[M_PATH];

    touch(q, path, flags);
    if (!m_privileged(q->c)) {
        touch(q, near->path, M_T_RIGHTS);
        first_missing(near->path, path, missing);
        if (!there)
            touch(q, missing, 0);
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

static bool size_fits(struct m_request *q, const char *path, int perms,
                      size_t value, size_t more)
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

    if (!only_path(q, false, path))
        return "EINVAL";
    err = find(q, path, M_READ, M_T_READ, &n);
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

    if (!only_path(q, false, path))
        return "EINVAL";
    err = find(q, path, M_READ, M_T_LIST, &n);
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

    if (!first_path(q, false, path, &rest) ||
        m_strings(q, rest, number, 1) != 1 ||
        !m_number(number[0], UINT64_MAX, &off))
        return "EINVAL";
    err = find(q, path, M_READ, M_T_LIST, &n);
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
        !size_fits(q, path, near->perms.n, len, 0) ||
        !size_fits(q, at, near->perms.n, near->len, strlen(strrchr(next, '/'))))
        return "ENOSPC";
    touch(q, at, M_T_PARENT);
    while (strcmp(at, path)) {
        first_missing(at, path, next);
        touch(q, next, M_T_WRITTEN);
        near = m_add(q->tree, next, owner, version(q));
        strcpy(at, next);
    }
    memcpy(near->value, value, len);
    near->len = len;
    touch(q, path, M_T_EVENT);
    tell(q, path, false);
    return answer_ok(q);
}

static const char *replace(struct m_request *q, struct m_node *n,
                           const char *value, size_t len)
{
    if (!size_fits(q, n->path, n->perms.n, len, 0))
        return "ENOSPC";
    touch(q, n->path, M_T_WRITTEN | M_T_EVENT);
    memcpy(n->value, value, len);
    n->len = len;
    n->version = version(q);
    tell(q, n->path, false);
    return answer_ok(q);
}

static const char *do_write(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    size_t rest;

    if (!first_path(q, false, path, &rest))
        return "EINVAL";
    err = find(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT"))
        return create(q, path, q->data + rest, q->len - rest);
    return err ? err : replace(q, n, q->data + rest, q->len - rest);
}

static const char *do_mkdir(struct m_request *q)
{
    char path[M_PATH];
    struct m_node *n;
    const char *err;

    if (!only_path(q, false, path))
        return "EINVAL";
    err = find(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT"))
        return create(q, path, "", 0);
    return err ? err : answer_ok(q);
}

static const char *do_rm(struct m_request *q)
{
    char path[M_PATH], up[M_PATH];
    struct m_node *n;
    const char *err;

    if (!only_path(q, false, path))
        return "EINVAL";
    err = find(q, path, M_WRITE, 0, &n);
    if (err && !strcmp(err, "ENOENT")) {
        m_parent(path, up);
        touch(q, up, 0);
        return m_find(q->tree, up) ? answer_ok(q) : err;
    }
    if (err)
        return err;
    if (!m_parent(path, up))
        return "EINVAL";
    touch(q, up, M_T_PARENT);
    touch(q, path, M_T_WRITTEN | M_T_REMOVED | M_T_EVENT);
    tell(q, path, true);
    m_remove(q->tree, path, version(q));
    return answer_ok(q);
}

/* ---- permissions ---- */

static struct m_perms *special_of(struct model *m, const char *path)
{
    if (!strcmp(path, "@introduceDomain"))
        return &m->special[0];
    return strcmp(path, "@releaseDomain") ? NULL : &m->special[1];
}

/* A special name that there is not is as if below the root. */
static const char *no_special(struct m_request *q, unsigned int rights)
{
    struct m_perms *root = &m_find(&q->m->tree, "/")->perms;

    return m_conn_rights(q, root) & rights ? "ENOENT" : "EACCES";
}

static const char *do_get_perms(struct m_request *q)
{
    const struct m_perms *p;
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    int len = 0;

    if (!only_path(q, true, path))
        return "EINVAL";
    if (path[0] == '@') {
        p = special_of(q->m, path);
        if (!p)
            return no_special(q, M_READ);
        if (!(m_conn_rights(q, p) & M_READ))
            return "EACCES";
    } else {
        err = find(q, path, M_READ, M_T_READ, &n);
        if (err)
            return err;
        p = &n->perms;
    }
    for (int i = 0; i < p->n; i++)
        len += 1 +
               sprintf(q->a->data + len, "%c%u", p->e[i].letter, p->e[i].domid);
    q->a->len = (size_t)len;
    return NULL;
}

/* The owner must exist; others that do not are inactive for good. */
static const char *know_all(struct m_request *q, struct m_perms *p)
{
    for (int i = 0; i < p->n; i++) {
        if (i && p->e[i].domid == 0x7ff5)
            continue;
        if (m_know(q->m, p->e[i].domid))
            continue;
        if (i == 0)
            return "ENOENT";
        p->e[i].inactive = true;
    }
    return NULL;
}

static const char *parse_perms(struct m_request *q, size_t rest,
                               struct m_perms *p)
{
    const char *s[M_PERMS];
    uint64_t domid;

    p->n = m_strings(q, rest, s, M_PERMS);
    if (p->n < 1)
        return "EINVAL";
    if (!m_privileged(q->c) && p->n > q->m->quota.perms)
        return "ENOSPC";
    for (int i = 0; i < p->n; i++) {
        if (!*s[i] || !strchr("nrwb", s[i][0]) ||
            !m_number(s[i] + 1, UINT64_MAX, &domid))
            return "EINVAL";
        if (domid > 65535)
            return i ? "EINVAL" : "ENOENT";
        p->e[i] = (struct m_perm){ (unsigned int)domid, s[i][0], false };
    }
    return know_all(q, p);
}

static const char *set_special(struct m_request *q, const char *path,
                               const struct m_perms *p)
{
    struct m_perms *old = special_of(q->m, path);
    unsigned int both = M_WRITE | M_OWNER;

    if (!old)
        return no_special(q, both);
    if ((m_conn_rights(q, old) & both) != both)
        return "EACCES";
    if (!m_privileged(q->c) && old->e[0].domid != p->e[0].domid)
        return "EPERM";
    *old = *p;
    return answer_ok(q);
}

static const char *do_set_perms(struct m_request *q)
{
    struct m_perms p;
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    size_t rest;

    if (!first_path(q, true, path, &rest))
        return "EINVAL";
    err = q->replay ? NULL : parse_perms(q, rest, &p);
    if (err)
        return err;
    if (q->replay)
        p = *q->given;
    else
        *q->given = p;
    if (path[0] == '@')
        return set_special(q, path, &p);
    err = find(q, path, M_WRITE | M_OWNER, 0, &n);
    if (err)
        return err;
    if (!m_privileged(q->c) && n->perms.e[0].domid != p.e[0].domid)
        return "EPERM";
    if (!size_fits(q, path, p.n, n->len, 0))
        return "ENOSPC";
    touch(q, path, M_T_WRITTEN | M_T_REPERMED | M_T_EVENT);
    tell(q, path, false);
    n->perms = p;
    n->version = version(q);
    return answer_ok(q);
}

/* ---- the table ---- */

static const char *(*const handlers[])(struct m_request *) = {
    [XS_DIRECTORY] = do_directory, [XS_READ] = do_read,
    [XS_GET_PERMS] = do_get_perms, [XS_WRITE] = do_write,
    [XS_MKDIR] = do_mkdir,         [XS_RM] = do_rm,
    [XS_SET_PERMS] = do_set_perms, [XS_DIRECTORY_PART] = do_directory_part,
};

bool m_is_node_request(uint32_t type)
{
    return type < sizeof(handlers) / sizeof(handlers[0]) && handlers[type];
}

const char *m_node_request(struct m_request *q)
{
    return handlers[q->type](q);
}
