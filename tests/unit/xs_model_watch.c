/* The model's watches and events; see xs_model.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"
#include "xs_model.h"

/* ---- events ---- */

/* One that waits already is not queued again, but for special ones. */
static void deliver(struct m_conn *c, unsigned int group, const char *path,
                    const char *token)
{
    struct m_event *e = &c->event[c->nr_events];

    e->group = group;
    e->len = 1 + (size_t)sprintf(e->payload, "%s%c%s", path, 0, token);
    for (int i = 0; path[0] != '@' && i < c->nr_events; i++)
        if (c->event[i].len == e->len &&
            !memcmp(c->event[i].payload, e->payload, e->len))
            return;
    if (++c->nr_events == M_EVENTS)
        abort();
}

static bool may_read(const struct model *m, const struct m_conn *c,
                     const struct m_perms *p)
{
    return m_privileged(c) ||
           (m_rights(p, c->domid, m->dom[c->domid].target) & M_READ);
}

/* Who can read the node or its parent may hear of it. */
static bool may_hear(const struct model *m, const struct m_conn *c,
                     struct m_tree *view, const char *path)
{
    struct m_node *n = m_find(view, path);
    char up[M_PATH];

    if (m_privileged(c))
        return true;
    if (!n)
        return false;
    return may_read(m, c, &n->perms) ||
           (m_parent(path, up) && may_read(m, c, &m_find(view, up)->perms));
}

void m_fire(struct model *m, const char *path, struct m_tree *view,
            bool removal)
{
    m->groups++;
    for (int i = 0; i < M_CONNS; i++) {
        struct m_conn *c = &m->conn[i];

        for (int j = 0; j < c->nr_watches; j++) {
            const struct m_watch *w = &c->watch[j];
            int below = m_below(path, w->path);
            const char *which = path;

            if (removal && m_below(w->path, path) > 0 && m_find(view, w->path))
                which = w->path; /* of what goes with the removed node */
            else if (below < 0 || (uint64_t)below > w->depth)
                continue;
            if (may_hear(m, c, view, which))
                deliver(c, m->groups, which + w->prefix, w->token);
        }
    }
}

void m_fire_special(struct model *m, int which, unsigned int domid, bool plain,
                    bool deep)
{
    const char *name = which ? "@releaseDomain" : "@introduceDomain";
    char full[M_PATH];

    m->groups++;
    sprintf(full, "%s/%u", name, domid);
    for (int i = 0; i < M_CONNS; i++) {
        struct m_conn *c = &m->conn[i];

        for (int j = 0; j < c->nr_watches; j++) {
            const struct m_watch *w = &c->watch[j];
            bool wants_depth = w->depth != 0 && w->depth != UINT64_MAX;
            bool on_name = !strcmp(w->path, name);

            if (!may_read(m, c, &m->special[which]))
                continue;
            if (deep && (!strcmp(w->path, full) || (on_name && wants_depth)))
                deliver(c, m->groups, full, w->token);
            if (plain && on_name && !wants_depth)
                deliver(c, m->groups, name, w->token);
        }
    }
}

/* ---- watches ---- */

static int watch_find(const struct m_conn *c, const struct m_watch *w)
{
    for (int i = 0; i < c->nr_watches; i++)
        if (!strcmp(c->watch[i].path, w->path) &&
            !strcmp(c->watch[i].token, w->token))
            return i;
    return -1;
}

static const char *watch(struct m_request *q, const struct m_watch *w)
{
    struct m_conn *c = q->c;

    if (watch_find(c, w) >= 0)
        return "EEXIST";
    if (!m_privileged(c) && c->nr_watches >= q->m->quota.watches)
        return "ENOSPC";
    c->watch[c->nr_watches++] = *w;
    deliver(c, ++q->m->groups, w->path + w->prefix, w->token);
    return NULL;
}

static const char *unwatch(struct m_request *q, const struct m_watch *w)
{
    struct m_conn *c = q->c;
    int i = watch_find(c, w);

    if (i < 0)
        return "ENOENT";
    c->nr_watches--;
    memmove(&c->watch[i], &c->watch[i + 1],
            (size_t)(c->nr_watches - i) * sizeof(*w));
    return NULL;
}

const char *m_watch_request(struct m_request *q)
{
    struct m_watch w = { .depth = UINT64_MAX };
    const char *s[3];
    int n = m_strings(q, 0, s, 3);

    if (n < 2 || n > (q->type == XS_WATCH ? 3 : 2) ||
        (n == 3 && !m_number(s[2], UINT32_MAX - 1, &w.depth)) ||
        !m_request_path(q, strlen(s[0]), true, w.path))
        return "EINVAL";
    strcpy(w.token, s[1]);
    if (s[0][0] != '/' && s[0][0] != '@')
        w.prefix = strlen(w.path) - strlen(s[0]);
    return q->type == XS_WATCH ? watch(q, &w) : unwatch(q, &w);
}
