/* Transactions: life, and what they touched; see txn.h. */
#include "txn/txn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conn/conn.h"
#include "store/store.h"
#include "tree/tree.h"
#include "txn/txn_snapshot.h"

static void txn_charge(struct txn *t, int64_t bytes)
{
    assert(bytes >= 0 || t->memory >= (size_t)-bytes);
    t->memory += (size_t)bytes;
    domain_charge(t->conn->dom, QUOTA_MEMORY, bytes);
}

static void txn_free_table(struct txn *t)
{
    if (t->table != t->first_table)
        free(t->table);
}

struct txn *txn_find(struct conn *c, uint32_t id)
{
    struct list *pos;

    list_for_each(pos, &c->txns) {
        struct txn *t = container_of(pos, struct txn, entry);

        if (t->id == id)
            return t;
    }
    return NULL;
}

static uint32_t txn_new_id(struct conn *c)
{
    uint32_t id;

    do
        id = c->next_txn++;
    while (id == 0 || txn_find(c, id));
    return id;
}

static int txn_new(struct conn *c, uint32_t id, struct txn **out)
{
    struct txn *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->buckets = TXN_BUCKETS;
    t->table = t->first_table;
    t->conn = c;
    t->id = id;
    if (!c->store->open_txns)
        txn_snapshot_begin(c->store);
    t->since = c->store->requests;
    t->base = node_ref(c->store->root);
    t->root = node_ref(t->base);
    list_init(&t->touched);
    list_init(&t->apply);
    list_add_tail(&c->txns, &t->entry);
    c->nr_txns++;
    c->store->open_txns++;
    domain_charge(c->dom, QUOTA_TXNS, 1);
    txn_charge(t, (int64_t)sizeof(*t));
    log_trace(LOG_OBJ, "connection %llu: transaction %u begins",
              (unsigned long long)c->id, t->id);
    *out = t;
    return 0;
}

int txn_start(struct conn *c, struct txn **out)
{
    if (!domain_fits(c->dom, QUOTA_TXNS, 1) ||
        !domain_fits(c->dom, QUOTA_MEMORY, sizeof(**out)))
        return -ENOSPC;
    return txn_new(c, txn_new_id(c), out);
}

int txn_restore(struct conn *c, uint32_t id)
{
    struct txn *t;
    int err = txn_find(c, id) ? -EEXIST : txn_new(c, id, &t);

    if (!err)
        t->doomed = true;
    return err;
}

/* Forgets what it touched. */
static void txn_forget(struct txn *t)
{
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &t->touched)
        free(container_of(pos, struct txn_entry, touched));
    list_init(&t->touched);
    list_init(&t->apply);
    t->entries = t->depths = t->deltas = 0;
}

void txn_start_over(struct txn *t)
{
    struct store *s = t->conn->store;
    int64_t fixed = (int64_t)(sizeof(*t) + t->deltas_cap * sizeof(*t->delta));

    txn_forget(t);
    node_unref(t->root);
    node_unref(t->base);
    txn_free_table(t);
    memset(t->first_table, 0, sizeof(t->first_table));
    t->table = t->first_table;
    t->buckets = TXN_BUCKETS;
    t->base = node_ref(s->root);
    t->root = node_ref(t->base);
    t->doomed = true;
    t->grown = 0;
    t->since = s->requests;
    txn_charge(t, fixed - (int64_t)t->memory);
}

void txn_end(struct txn *t)
{
    struct conn *c = t->conn;

    log_trace(LOG_OBJ, "connection %llu: transaction %u ends",
              (unsigned long long)c->id, t->id);
    txn_forget(t);
    node_unref_later(t->root);
    node_unref_later(t->base);
    list_del(&t->entry);
    assert(c->nr_txns && c->nr_txns <= c->store->open_txns);
    c->nr_txns--;
    c->store->open_txns--;
    domain_charge(c->dom, QUOTA_TXNS, -1);
    txn_charge(t, -(int64_t)t->memory);
    txn_free_table(t);
    free(t->delta);
    free(t);
}

/* ---- what was touched ---- */

static struct txn_entry **txn_bucket(struct txn *t, uint32_t hash)
{
    return &t->table[hash & (t->buckets - 1)];
}

/* If there is no memory the buckets become longer. */
static void txn_rehash(struct txn *t)
{
    uint32_t buckets = t->buckets * 4;
    struct txn_entry **table = calloc(buckets, sizeof(*table));
    struct list *pos;

    if (!table)
        return;
    txn_charge(t, (int64_t)((buckets - t->buckets) * sizeof(*table)));
    txn_free_table(t);
    t->table = table;
    t->buckets = buckets;
    list_for_each(pos, &t->touched) {
        struct txn_entry *e = container_of(pos, struct txn_entry, touched);
        struct txn_entry **head = txn_bucket(t, e->hash);

        e->next = *head;
        *head = e;
    }
}

static struct txn_entry *txn_entry_find(struct txn *t, const char *path,
                                        size_t len, uint32_t hash)
{
    struct txn_entry *e = *txn_bucket(t, hash);

    while (e &&
           (e->hash != hash || e->len != len || memcmp(e->path, path, len)))
        e = e->next;
    return e;
}

/*
 * A commit takes time by the lengths of the paths, so a guest's paths may be
 * DEPTH_MEAN components long on average.
 */
#define DEPTH_MEAN 16

static bool txn_entry_fits(const struct txn *t, unsigned int depth)
{
    const struct domain *d = t->conn->dom;
    uint64_t limit = d->quota.limit[QUOTA_TXN_NODES];

    return domain_privileged(d) || !limit ||
           (t->entries < limit && t->depths + depth <= limit * DEPTH_MEAN);
}

static int txn_entry_add(struct txn *t, const struct path *p,
                         unsigned int depth, uint32_t hash,
                         struct txn_entry **out)
{
    struct txn_entry **head, *e;
    struct domain *d = t->conn->dom;
    size_t len = path_prefix_len(p, depth);

    if (!txn_entry_fits(t, depth))
        return -ENOSPC;
    if (!domain_fits(d, QUOTA_MEMORY, (int64_t)(sizeof(*e) + len)))
        return -ENOSPC;
    e = malloc(sizeof(*e) + len + 1);
    if (!e)
        return -ENOMEM;
    if (++t->entries > t->buckets)
        txn_rehash(t);
    domain_peak(d, QUOTA_TXN_NODES, t->entries);
    head = txn_bucket(t, hash);
    e->next = *head;
    *head = e;
    e->hash = hash;
    e->flags = 0;
    e->len = (uint16_t)len;
    memcpy(e->path, p->str, len);
    e->path[len] = '\0';
    t->depths += depth;
    list_init(&e->apply);
    list_add_tail(&t->touched, &e->touched);
    txn_charge(t, (int64_t)(sizeof(*e) + len + 1));
    *out = e;
    return 0;
}

/* Charges the copy of a node that is changed, until the transaction ends. */
static int txn_charge_copy(struct txn *t, const struct path *p,
                           unsigned int depth)
{
    const struct node *n = tree_find(t->root, p, depth);
    int64_t cost = n ? node_cost(n) + NODE_PLACE : 0;

    if (!domain_fits(t->conn->dom, QUOTA_MEMORY, cost))
        return -ENOSPC;
    txn_charge(t, cost);
    return 0;
}

int txn_note(struct txn *t, const struct path *p, unsigned int depth,
             unsigned int flags)
{
    size_t len = path_prefix_len(p, depth);
    uint32_t hash = hash_bytes(p->str, len);
    struct txn_entry *e = txn_entry_find(t, p->str, len, hash);
    int err = e ? 0 : txn_entry_add(t, p, depth, hash, &e);

    if (!err && (flags & ~e->flags & TXN_WRITTEN) && !conn_privileged(t->conn))
        err = txn_charge_copy(t, p, depth);
    if (err) {
        t->failed = true;
        return err;
    }
    e->flags |= (uint16_t)flags;
    assert(!(e->flags & TXN_CREATED) || (e->flags & TXN_WRITTEN));
    if (flags & TXN_CREATED)
        list_del(&e->apply);
    if ((flags & TXN_WRITTEN) && list_empty(&e->apply))
        list_add_tail(&t->apply, &e->apply);
    return 0;
}

void txn_grow(struct txn *t, int64_t bytes)
{
    t->grown += bytes;
    txn_charge(t, bytes);
}

int txn_account(struct txn *t, unsigned int owner, int64_t nodes, int64_t bytes)
{
    uint32_t i = 0;

    while (i < t->deltas && t->delta[i].owner != owner)
        i++;
    if (i == t->deltas_cap) {
        uint32_t cap = i ? 2 * i : 4;
        void *delta = realloc(t->delta, cap * sizeof(*t->delta));

        if (!delta)
            return -ENOMEM;
        txn_charge(t, (int64_t)((cap - i) * sizeof(*t->delta)));
        t->delta = delta;
        t->deltas_cap = cap;
    }
    if (i == t->deltas)
        t->delta[t->deltas++] = (struct txn_delta){
            .owner = owner,
            .serial = domain_serial(domain_find(t->conn->store, owner)),
        };
    t->delta[i].nodes += nodes;
    t->delta[i].bytes += bytes;
    return 0;
}

int64_t txn_nodes(const struct txn *t, unsigned int owner)
{
    for (uint32_t i = 0; i < t->deltas; i++)
        if (t->delta[i].owner == owner)
            return t->delta[i].nodes;
    return 0;
}
