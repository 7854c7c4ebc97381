/* What requests do to nodes; see ops.h. */
#include "request/ops.h"

#include <errno.h>

#include "conn/throttle.h"

static int note(struct request *rq, unsigned int depth, unsigned int flags)
{
    return rq->t ? txn_note(rq->t, &rq->s->path, depth, flags) : 0;
}

/* Charges nodes to their owner: at once, or with the transaction. */
static int account(struct request *rq, unsigned int owner, int64_t nodes,
                   int64_t bytes)
{
    if (!rq->t) {
        store_account(rq->s, owner, nodes, bytes);
        return 0;
    }
    if (bytes > 0)
        txn_grow(rq->t, bytes);
    return txn_account(rq->t, owner, nodes, bytes);
}

/*
 * Prepares a change of the path's node. A transaction notes it first, so that
 * nothing is done that could not be noted; a note whose change then fails does
 * no harm.
 */
static int will_change(struct request *rq, unsigned int flags)
{
    throttle_write(rq->c);
    return note(rq, rq->s->path.depth, TXN_WRITTEN | TXN_EVENT | flags);
}

/* Fires watches. Those of a transaction fire at its commit. */
static void tell(struct request *rq, struct node *gone)
{
    if (!rq->t)
        watch_fire(rq->s, &rq->s->path, rq->s->root, gone);
}

/*
 * Notes what decided the guest's rights at the path: the permissions of the
 * nearest existing node, and that the next one is missing.
 */
static int note_rights(struct request *rq, unsigned int nearest)
{
    int err;

    if (conn_privileged(rq->c))
        return 0;
    err = note(rq, nearest, TXN_RIGHTS);
    if (!err && nearest < rq->s->path.depth)
        err = note(rq, nearest + 1, 0);
    return err;
}

int op_node(struct request *rq, unsigned int rights, unsigned int flags,
            struct node **out)
{
    const struct path *p = &rq->s->path;
    unsigned int depth, have;
    struct node *n = tree_nearest(*request_root(rq), p, &depth);
    int err = note(rq, p->depth, flags);

    if (!err)
        err = note_rights(rq, depth);
    if (err)
        return err;
    have = conn_rights(rq->c, n) & rights;
    if (depth < p->depth)
        return have ? -ENOENT : -EACCES;
    if (have != rights)
        return -EACCES;
    *out = n;
    return 0;
}

/* ---- quotas of guests ---- */

static bool size_fits(const struct request *rq, const struct perms *perms,
                      size_t value, size_t children)
{
    struct domain *d = rq->c->dom;
    uint32_t limit = d->quota.limit[QUOTA_NODE_SIZE];
    size_t size = perms->n * 8 + value + children;

    if (!domain_privileged(d) && limit && size > limit)
        return false;
    domain_peak(d, QUOTA_NODE_SIZE, (int64_t)size);
    return true;
}

/*
 * Whether `nodes` more of this owner fit, with what the transaction has. A
 * domain above its limit, which may have been lowered, can still change its
 * nodes.
 */
static bool nodes_fit(const struct request *rq, unsigned int owner,
                      int64_t nodes)
{
    const struct domain *d = domain_find(rq->s, owner);
    int64_t all = nodes;

    if (conn_privileged(rq->c) || !d)
        return true;
    if (rq->t)
        all += txn_nodes(rq->t, owner);
    return (!nodes || domain_fits(d, QUOTA_NODES, all)) &&
           domain_fits(rq->c->dom, QUOTA_MEMORY, 1);
}

/* ---- write and create ---- */

static int replace_value(struct request *rq, struct node *n, const void *value,
                         size_t len)
{
    unsigned int owner = perms_owner(n->perms);
    int64_t grown = (int64_t)len - n->value_len;
    int err;

    if (!size_fits(rq, n->perms, len, children_bytes(n->children)) ||
        (grown > 0 && !nodes_fit(rq, owner, 0)))
        return -ENOSPC;
    err = will_change(rq, 0);
    if (!err)
        err = tree_write(request_root(rq), &rq->s->path, value, len);
    if (!err)
        err = account(rq, owner, 0, grown);
    if (!err)
        tell(rq, NULL);
    return err;
}

/* Notes what create() is going to do. */
static int note_create(struct request *rq, unsigned int first)
{
    const struct path *p = &rq->s->path;
    int err = note(rq, first - 1, TXN_PARENT);

    for (unsigned int i = first; !err && i <= p->depth; i++)
        err = note(rq, i, TXN_WRITTEN | TXN_CREATED);
    return err ? err : will_change(rq, 0);
}

/* Charges the new nodes: components first..depth. */
static int account_created(struct request *rq, unsigned int first, size_t len,
                           unsigned int owner)
{
    const struct path *p = &rq->s->path;
    int64_t bytes = (int64_t)len;

    for (unsigned int i = first; i <= p->depth; i++)
        bytes += (int64_t)sizeof(struct node) + p->comp[i - 1].len + 1;
    return account(rq, owner, (int64_t)p->depth - first + 1, bytes);
}

static int create(struct request *rq, const void *value, size_t len)
{
    const struct path *p = &rq->s->path;
    unsigned int depth, owner;
    struct node *parent = tree_nearest(*request_root(rq), p, &depth);
    struct perms *perms;
    int err = -ENOSPC;

    owner =
        conn_privileged(rq->c) ? perms_owner(parent->perms) : rq->c->dom->domid;
    perms = perms_with_owner(parent->perms, owner);
    if (!perms)
        return -ENOMEM;
    if (nodes_fit(rq, owner, (int64_t)p->depth - depth) &&
        size_fits(rq, perms, len, 0) &&
        size_fits(rq, parent->perms, parent->value_len,
                  children_bytes(parent->children) + p->comp[depth].len + 1u))
        err = note_create(rq, depth + 1);
    if (!err)
        err = tree_add_path(request_root(rq), p, depth + 1, value, len, perms);
    perms_unref(perms);
    if (!err)
        err = account_created(rq, depth + 1, len, owner);
    if (!err)
        tell(rq, NULL);
    return err;
}

int op_write(struct request *rq, const void *value, size_t len)
{
    struct node *n;
    int err = op_node(rq, PERM_WRITE, 0, &n);

    if (err == -ENOENT)
        return create(rq, value, len);
    return err ? err : replace_value(rq, n, value, len);
}

int op_mkdir(struct request *rq)
{
    struct node *n;
    int err = op_node(rq, PERM_WRITE, 0, &n);

    return err == -ENOENT ? create(rq, NULL, 0) : err;
}

/* ---- remove ---- */

/* Takes the nodes of a removed subtree off their owners' accounts. */
static int account_gone(struct request *rq, struct node *top)
{
    unsigned int owner = perms_owner(top->perms);
    int64_t nodes = 0, bytes = 0;
    struct tree_walk w;
    struct node *n;
    int err = 0;

    tree_walk_begin(&w, top);
    while (!err && (n = tree_walk_next(&w))) {
        if (perms_owner(n->perms) != owner) {
            err = account(rq, owner, nodes, bytes);
            owner = perms_owner(n->perms);
            nodes = bytes = 0;
        }
        nodes--;
        bytes -= node_cost(n);
    }
    return err ? err : account(rq, owner, nodes, bytes);
}

/*
 * Watches fire before the removal, since the removed node's permissions decide
 * who may see the event.
 */
static int remove_node(struct request *rq, struct node *n)
{
    int err = note(rq, rq->s->path.depth - 1u, TXN_PARENT);

    if (!err)
        err = will_change(rq, TXN_REMOVED);
    if (err)
        return err;
    tell(rq, n);
    err = tree_remove(request_root(rq), &rq->s->path, &n);
    if (err)
        return err;
    err = account_gone(rq, n);
    node_unref_later(n);
    return err;
}

int op_rm(struct request *rq)
{
    const struct path *p = &rq->s->path;
    struct node *n;
    int err = op_node(rq, PERM_WRITE, 0, &n);

    if (err == -ENOENT) {
        err = note(rq, p->depth - 1u, 0);
        if (!err && !tree_find(*request_root(rq), p, p->depth - 1u))
            err = -ENOENT;
        return err;
    }
    if (err)
        return err;
    return p->depth ? remove_node(rq, n) : -EINVAL;
}

/* ---- permissions ---- */

/* The node and its bytes go from one owner's account to the other's. */
static int change_owner(struct request *rq, const struct node *n,
                        unsigned int from, unsigned int to)
{
    int err = from == to ? 0 : account(rq, from, -1, -node_cost(n));

    if (!err && from != to)
        err = account(rq, to, 1, node_cost(n));
    return err;
}

int op_set_perms(struct request *rq, struct perms *perms)
{
    const struct path *p = &rq->s->path;
    unsigned int from;
    struct node *n;
    int err = op_node(rq, PERM_WRITE | PERM_OWNER, 0, &n);

    if (err)
        return err;
    from = perms_owner(n->perms);
    if (!conn_privileged(rq->c) && from != perms_owner(perms))
        return -EPERM;
    if (!size_fits(rq, perms, n->value_len, children_bytes(n->children)))
        return -ENOSPC;
    err = will_change(rq, TXN_REPERMED);
    if (err)
        return err;
    tell(rq, NULL);
    err = tree_set_perms(request_root(rq), p, perms);
    n = tree_find(*request_root(rq), p, p->depth);
    return err ? err : change_owner(rq, n, from, perms_owner(perms));
}
