/* Domains: introduction, release, death; see domain_life.h. */
#include "session/domain_life.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "session/session.h"
#include "store/hv.h"
#include "store/store.h"
#include "tree/tree.h"

/* Takes a removed subtree off its owners' accounts. */
static void uncharge_tree(struct store *s, struct node *top)
{
    struct tree_walk w;
    struct node *n;

    tree_walk_begin(&w, top);
    while ((n = tree_walk_next(&w)))
        store_account(s, perms_owner(n->perms), -1, -node_cost(n));
}

/* Removes the node of a walk that began at `top` from the store's tree. */
static void remove_at(struct store *s, const char *top, struct tree_walk *w)
{
    char str[PATH_STR_MAX + 1];
    size_t len = top[1] ? strlen(top) : 0;
    struct node *gone;

    memcpy(str, top, len);
    tree_walk_path(w, str + len);
    len += tree_walk_path_len(w);
    if (path_parse(&s->path, str, len, 0, false) ||
        tree_remove(&s->root, &s->path, &gone))
        return;
    uncharge_tree(s, gone);
    node_unref_later(gone);
}

/* The root cannot be removed: it returns to domain 0. */
static void reclaim_root(struct store *s)
{
    struct perms *perms = perms_with_owner(s->root->perms, 0);
    struct path root;

    if (!perms || path_parse(&root, "/", 1, 0, false) ||
        tree_set_perms(&s->root, &root, perms))
        log_line("no memory to give the root to domain 0");
    perms_unref(perms);
}

/*
 * Removes the nodes at and below `top` that a dead domain owns, with their
 * subtrees. The walk goes through the old version while the current one
 * changes; it ends as soon as the domain's counter says that no node is left.
 */
static void remove_owned_at(struct store *s, struct domain *d, const char *top)
{
    struct node *before, *n;
    struct tree_walk w;

    if (path_parse(&s->path, top, strlen(top), 0, false))
        return;
    before = tree_find(s->root, &s->path, s->path.depth);
    if (!before)
        return;
    node_ref(before);
    tree_walk_begin(&w, before);
    while (d->used[QUOTA_NODES] > 0 && (n = tree_walk_next(&w))) {
        if (perms_owner(n->perms) != d->domid)
            continue;
        if (n == before && !top[1]) {
            store_account(s, d->domid, -1, -node_cost(n));
            store_account(s, 0, 1, node_cost(n));
            reclaim_root(s);
        } else {
            tree_walk_skip(&w);
            remove_at(s, top, &w);
        }
    }
    node_unref_later(before);
}

/*
 * The home is searched first: searching the whole tree takes as long as the
 * tree is big.
 */
static void remove_owned(struct store *s, struct domain *d)
{
    char home[32];

    snprintf(home, sizeof(home), "/local/domain/%u", d->domid);
    remove_owned_at(s, d, home);
    if (d->used[QUOTA_NODES] > 0)
        remove_owned_at(s, d, "/");
}

static void reclaim_special(struct store *s, unsigned int domid)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        struct perms *old = s->special[i], *new;

        if (perms_owner(old) != domid)
            continue;
        new = perms_with_owner(old, 0);
        if (!new)
            continue;
        s->special[i] = new;
        perms_unref(old);
    }
}

/* Keeps the maximum over all domains that have ended. */
static void keep_peaks(struct store *s, const struct domain *d)
{
    for (int i = 0; i < QUOTA_COUNT; i++)
        if (d->peak[i] > s->peak[i])
            s->peak[i] = d->peak[i];
}

/* Removes a domain that died or was released, with everything it has. */
static void domain_gone(struct store *s, struct domain *d)
{
    unsigned int domid = d->domid;
    bool introduced = d->introduced;
    struct list *pos;

    assert(d != s->dom0 && s->domains[domid] == d);
    if (d->ring)
        conn_end(d->ring);
    assert(!d->ring);
    remove_owned(s, d);
    perms_strip(domid);
    reclaim_special(s, domid);
    list_for_each(pos, &s->domain_list)
        if (domain_of(pos)->target == (int)domid)
            domain_of(pos)->target = -1;
    s->domains[domid] = NULL;
    list_del(&d->entry);
    credit_end(&s->writes, &d->writes);
    keep_peaks(s, d);
    s->domain_changes++;
    free(d);
    log_trace(LOG_OBJ, "domain %u is gone", domid);
    if (introduced)
        watch_fire_special(s, SPECIAL_RELEASE, domid, true, true);
}

static int domain_reintroduce(struct store *s, struct domain *d, uint32_t port)
{
    conn_reset(d->ring);
    d->ring->ops->restart(d->ring);
    return s->hv->rebind(s->hv_ctx, d->ring, port);
}

int domain_introduce(struct store *s, unsigned int domid, uint32_t port)
{
    struct hv_domain info;
    struct domain *d = domain_find(s, domid);
    int err;

    if (domid == 0)
        return -EINVAL;
    if (d && (s->hv->query(s->hv_ctx, domid, &info) || info.birth != d->birth))
        domain_gone(s, d);
    err = domain_get(s, domid, &d);
    if (err) /* the answer for a ring that cannot be mapped */
        return err == -ENOENT ? -EINVAL : err;
    if (d->ring)
        return domain_reintroduce(s, d, port);
    err = s->hv->connect(s->hv_ctx, s, domid, port, &d->ring);
    if (err || d->introduced) /* if it is introduced already, a live update lost
                                 its ring */
        return err;
    d->introduced = true;
    log_trace(LOG_OBJ, "domain %u introduced, port %u", domid, port);
    watch_fire_special(s, SPECIAL_INTRODUCE, domid, true, true);
    return 0;
}

void domain_release(struct store *s, struct domain *d)
{
    domain_gone(s, d);
}

/* Returns whether the plain @releaseDomain is due. */
static bool domain_check(struct store *s, struct domain *d)
{
    struct hv_domain info;
    int err = s->hv->query(s->hv_ctx, d->domid, &info);

    if (err == -ESRCH ||
        (!err && (info.state == HV_DYING || info.birth != d->birth))) {
        domain_gone(s, d);
        return false;
    }
    if (err || info.state != HV_SHUTDOWN || d->shutdown || !d->introduced)
        return false;
    d->shutdown = true;
    watch_fire_special(s, SPECIAL_RELEASE, d->domid, false, true);
    return true;
}

void domain_check_all(struct store *s)
{
    struct list *pos, *tmp;
    bool notify = false;

    list_for_each_safe(pos, tmp,
                       &s->domain_list) if (!domain_privileged(domain_of(pos)))
        notify |= domain_check(s, domain_of(pos));
    if (notify)
        watch_fire_special(s, SPECIAL_RELEASE, 0, true, false);
}
