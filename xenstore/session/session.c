/* Sessions: what a connection has set up, and its end; see session.h. */
#include "session/session.h"

#include <assert.h>
#include <stdlib.h>

#include "conn/conn.h"
#include "store/store.h"
#include "txn/txn.h"

void conn_reset_watches(struct conn *c)
{
    struct list *pos, *tmp;

    watch_del_all(c->store, c);
    list_for_each_safe(pos, tmp, &c->txns)
        txn_end(container_of(pos, struct txn, entry));
}

void conn_reset(struct conn *c)
{
    conn_reset_watches(c);
    free(c->in);
    c->in = NULL;
    c->in_at = c->in_len = c->in_cap = 0;
    outq_free(&c->out);
    c->held = c->more = false;
    list_del(&c->ready);
    conn_account(c);
}

void conn_end(struct conn *c)
{
    update_conn_ends(c);
    log_trace(LOG_OBJ, "connection %llu ends", (unsigned long long)c->id);
    conn_reset(c);
    if (c->ops->serve)
        fair_leave(c->store, c);
    assert(!c->charged && !c->charged_replies && !c->nr_txns);
    assert(list_empty(&c->watches) && list_empty(&c->txns));
    list_del(&c->entry);
    list_del(&c->dirty);
    c->ops->free(c);
}
