/* The model's requests on permissions; see xs_model.h. */
#include <stdio.h>
#include <string.h>

#include "xs_model.h"

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

const char *m_get_perms(struct m_request *q)
{
    const struct m_perms *p;
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    int len = 0;

    if (!m_only_path(q, true, path))
        return "EINVAL";
    if (path[0] == '@') {
        p = special_of(q->m, path);
        if (!p)
            return no_special(q, M_READ);
        if (!(m_conn_rights(q, p) & M_READ))
            return "EACCES";
    } else {
        err = m_access(q, path, M_READ, M_T_READ, &n);
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
        if (i && p->e[i].domid == M_ANY_DOMID)
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
    return m_answer_ok(q);
}

const char *m_set_perms(struct m_request *q)
{
    struct m_perms p;
    char path[M_PATH];
    struct m_node *n;
    const char *err;
    size_t rest;

    if (!m_first_path(q, true, path, &rest))
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
    err = m_access(q, path, M_WRITE | M_OWNER, 0, &n);
    if (err)
        return err;
    if (!m_privileged(q->c) && n->perms.e[0].domid != p.e[0].domid)
        return "EPERM";
    if (!m_size_fits(q, path, p.n, n->len, 0))
        return "ENOSPC";
    m_touch(q, path, M_T_WRITTEN | M_T_REPERMED | M_T_EVENT);
    m_tell(q, path, false);
    n->perms = p;
    n->version = m_version(q);
    return m_answer_ok(q);
}
