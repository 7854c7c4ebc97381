/* The memory of old versions of the tree; see txn_snapshot.h. */
#include "txn/txn_snapshot.h"

#include "conn/conn.h"
#include "store/store.h"
#include "txn/txn.h"

/* Nodes of all versions, without those that are on an account. */
static int64_t unaccounted(const struct store *s)
{
    return (int64_t)(node_stats.bytes + NODE_PLACE * node_stats.nodes) -
           s->accounted;
}

void txn_snapshot_begin(struct store *s)
{
    s->snapshot_base = unaccounted(s);
}

int64_t txn_snapshot_memory(const struct store *s)
{
    return s->open_txns ? unaccounted(s) - s->snapshot_base : 0;
}

/* The guests' transaction that is open longest, or NULL. */
static struct txn *oldest_guest_txn(struct store *s)
{
    struct txn *oldest = NULL;
    struct list *pos, *in_conn;

    list_for_each(pos, &s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (conn_privileged(c))
            continue;
        list_for_each(in_conn, &c->txns) {
            struct txn *t = container_of(in_conn, struct txn, entry);

            if (!oldest || t->since < oldest->since)
                oldest = t;
        }
    }
    return oldest;
}

/*
 * If only domain 0 still holds old versions, what it holds does not count:
 * domain 0 is trusted with its transactions.
 */
void txn_snapshot_trim(struct store *s)
{
    struct txn *t;

    if (txn_snapshot_memory(s) > TXN_SNAPSHOT_MAX)
        while (node_reap(UINT32_MAX))
            ; /* removed nodes count until they are freed */
    while (txn_snapshot_memory(s) > TXN_SNAPSHOT_MAX) {
        t = oldest_guest_txn(s);
        if (!t || t->since == s->requests) {
            txn_snapshot_begin(s);
            return;
        }
        txn_start_over(t);
    }
}
