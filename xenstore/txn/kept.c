/* What open transactions keep of the past; see kept.h. */
#include "txn/kept.h"

#include "conn/conn.h"
#include "store/store.h"
#include "txn/txn.h"

/* Nodes of all versions, less those that are booked on somebody. */
static int64_t unbooked(const struct store *s)
{
    return (int64_t)(node_stats.bytes + NODE_PLACE * node_stats.nodes) -
           s->booked;
}

void kept_begin(struct store *s)
{
    s->kept_base = unbooked(s);
}

int64_t kept_bytes(const struct store *s)
{
    return s->open_txns ? unbooked(s) - s->kept_base : 0;
}

/* The guests' transaction that is open longest, or NULL. */
static struct txn *kept_oldest(struct store *s)
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
 * If it is not guests that keep it, the limit is for what comes on top:
 * domain 0 is trusted with its transactions.
 */
void kept_trim(struct store *s)
{
    struct txn *t;

    if (kept_bytes(s) > KEPT_MAX)
        while (node_reap(UINT32_MAX))
            ; /* they are nobody's, and counted still */
    while (kept_bytes(s) > KEPT_MAX) {
        t = kept_oldest(s);
        if (!t || t->since == s->requests) {
            kept_begin(s);
            return;
        }
        txn_start_over(t);
    }
}
