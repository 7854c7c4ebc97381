/* Transactions: commit, alone or merged; see txn.h. */
#include "txn/txn.h"

#include <assert.h>
#include <errno.h>

#include "conn/conn.h"
#include "store/store.h"
#include "tree/tree.h"

/* Whether an entry forbids the commit; see txn.h for what conflicts. */
static bool txn_conflicts(const struct txn_entry *e, const struct node *base,
                          const struct node *cur, const struct node *mine)
{
    if (base == cur)
        return false;
    if (!base || !cur || (e->flags & TXN_REMOVED))
        return true;
    if (base->gen == cur->gen)
        return false;
    if (e->flags & TXN_LIST)
        return true;
    if ((e->flags & (TXN_READ | TXN_PARENT)) && !node_same(base, cur))
        return true;
    if ((e->flags & TXN_RIGHTS) && !perms_equal(base->perms, cur->perms))
        return true;
    return (e->flags & TXN_WRITTEN) && !(mine && node_same(mine, cur));
}

/* The entry's path, parsed into the store's scratch place. */
static const struct path *txn_path(struct txn *t, const struct txn_entry *e)
{
    struct path *p = &t->conn->store->path;
    int err = path_parse(p, e->path, e->len, 0, false);

    assert(!err); /* a request's path made the entry */
    (void)err;
    return p;
}

/*
 * Whether it may be committed. A transaction without changes always may: it
 * read one version.
 */
static int txn_validate(struct txn *t)
{
    struct node *now = t->conn->store->root;
    struct list *pos;

    if (t->failed)
        return -ENOMEM;
    if (t->doomed)
        return -EAGAIN;
    if (t->base == now || list_empty(&t->apply))
        return 0;
    list_for_each(pos, &t->touched) {
        struct txn_entry *e = container_of(pos, struct txn_entry, touched);
        const struct path *p = txn_path(t, e);

        if (txn_conflicts(e, tree_find(t->base, p, p->depth),
                          tree_find(now, p, p->depth),
                          tree_find(t->root, p, p->depth)))
            return -EAGAIN;
    }
    return 0;
}

/*
 * New nodes must fit their owner's quota. If the owner has died, and another
 * domain may have its number now, the transaction conflicts.
 */
static int txn_check_owners(const struct txn *t)
{
    for (uint32_t i = 0; i < t->deltas; i++) {
        const struct txn_delta *d = &t->delta[i];
        const struct domain *dom = domain_find(t->conn->store, d->owner);
        int64_t paid = dom == t->conn->dom ? t->grown : 0;

        if (domain_serial(dom) != d->serial && d->nodes > 0)
            return -EAGAIN;
        if (!dom || conn_privileged(t->conn))
            continue;
        if ((d->nodes > 0 && !domain_fits(dom, QUOTA_NODES, d->nodes)) ||
            (d->bytes > 0 && !domain_fits(dom, QUOTA_MEMORY, d->bytes - paid)))
            return -ENOSPC;
    }
    return 0;
}

/* Accounts for every node of a subtree that a merge removes. */
static int txn_account_gone(struct txn *t, struct node *top)
{
    struct tree_walk w;
    struct node *n;
    int err = 0;

    tree_walk_begin(&w, top);
    while (!err && (n = tree_walk_next(&w)))
        err = txn_account(t, perms_owner(n->perms), -1, -node_cost(n));
    return err;
}

static int txn_apply_removal(struct txn *t, struct node **root,
                             const struct path *p)
{
    struct node *gone;
    int err = tree_remove(root, p, &gone);

    if (err)
        return err;
    err = txn_account_gone(t, gone);
    node_unref_later(gone);
    return err;
}

static int txn_apply_change(struct txn *t, struct node **root,
                            const struct path *p, const struct node *cur,
                            const struct node *mine)
{
    bool reperm = !perms_equal(cur->perms, mine->perms);
    int err = txn_account(t, perms_owner(cur->perms), -1, -node_cost(cur));

    if (!err)
        err = tree_write(root, p, node_value(mine), mine->value_len);
    if (!err && reperm)
        err = tree_set_perms(root, p, mine->perms);
    return err;
}

/* Brings one path of *root to the state that it has in the transaction. */
static int txn_apply_one(struct txn *t, struct node **root,
                         const struct path *p, const struct txn_entry *e,
                         const struct node *mine)
{
    struct node *cur = tree_find(*root, p, p->depth);
    int err = 0;

    if (cur && (!mine || (e->flags & TXN_REMOVED))) {
        err = txn_apply_removal(t, root, p);
        cur = NULL;
    }
    if (err || !mine)
        return err;
    if (cur)
        err = txn_apply_change(t, root, p, cur, mine);
    else
        err = tree_add(root, p, p->depth, node_value(mine), mine->value_len,
                       mine->perms);
    return err ? err
               : txn_account(t, perms_owner(mine->perms), 1, node_cost(mine));
}

/*
 * Repeats the changes on `root`. The accounts are made anew: if another client
 * has made the same change, its domain has been charged for it already.
 */
static int txn_merge(struct txn *t, struct node **root)
{
    struct list *pos;
    int err = 0;

    for (uint32_t i = 0; i < t->deltas; i++)
        t->delta[i].nodes = t->delta[i].bytes = 0;
    list_for_each(pos, &t->apply) {
        struct txn_entry *e = container_of(pos, struct txn_entry, apply);
        const struct path *p = txn_path(t, e);

        err = txn_apply_one(t, root, p, e, tree_find(t->root, p, p->depth));
        if (err)
            break;
    }
    return err;
}

/* The version of the tree that the commit leads to, with a reference. */
static int txn_result(struct txn *t, struct node **out)
{
    struct node *now = t->conn->store->root;
    bool moved = t->base != now;
    int err = 0;

    *out = node_ref(moved ? now : t->root);
    if (moved)
        err = txn_merge(t, out);
    if (!err)
        err = txn_check_owners(t);
    if (err)
        node_unref(*out);
    return err;
}

static void txn_fire(struct txn *t, const struct txn_entry *e, struct node *old)
{
    struct store *s = t->conn->store;
    const struct path *p = txn_path(t, e);
    struct node *base = tree_find(t->base, p, p->depth);
    struct node *mine = tree_find(t->root, p, p->depth);

    if (base && (!mine || (e->flags & TXN_REMOVED)))
        watch_fire(s, p, old, base);
    else if (base && (e->flags & TXN_REPERMED))
        watch_fire(s, p, old, NULL);
    else if (mine)
        watch_fire(s, p, s->root, NULL);
}

int txn_commit(struct txn *t)
{
    struct store *s = t->conn->store;
    struct node *old = s->root, *root = NULL;
    struct list *pos;
    int err = txn_validate(t);

    if (!err)
        err = txn_result(t, &root);
    if (err) {
        s->conflicts += err == -EAGAIN;
        return err;
    }
    s->commits++;
    s->root = root;
    for (uint32_t i = 0; i < t->deltas; i++)
        store_account(s, t->delta[i].owner, t->delta[i].nodes,
                      t->delta[i].bytes);
    list_for_each(pos, &t->touched) {
        struct txn_entry *e = container_of(pos, struct txn_entry, touched);

        if (e->flags & TXN_EVENT)
            txn_fire(t, e, old);
    }
    node_unref_later(old);
    return 0;
}
