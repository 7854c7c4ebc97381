/* The budget of writes; see throttle.h. */
#include "conn/throttle.h"

#include "conn/conn.h"
#include "store/store.h"

#define WRITE 1000 /* credit is counted in thousandths of a write */

void throttle_init(struct store *s)
{
    budget_init(&s->writes, WRITE_RATE * WRITE / 1000, WRITE_BURST * WRITE);
}

static bool others_have_txns(const struct conn *c)
{
    return c->store->open_txns > c->nr_txns;
}

bool throttle_ready(struct conn *c)
{
    if (conn_privileged(c) || !others_have_txns(c))
        return true;
    budget_update(&c->store->writes, c->store->now_ms);
    return c->dom->writes.left > 0;
}

void throttle_write(struct conn *c)
{
    if (conn_privileged(c) || !others_have_txns(c))
        return;
    credit_spend(&c->store->writes, &c->dom->writes, WRITE, c->store->now_ms);
}

uint64_t throttle_deadline(struct store *s)
{
    uint64_t first = UINT64_MAX;
    struct list *pos;

    budget_update(&s->writes, s->now_ms);
    list_for_each(pos, &s->conns) {
        const struct conn *c = container_of(pos, struct conn, entry);
        uint64_t at;

        if (!c->held || conn_privileged(c) || c->dom->writes.left > 0)
            continue;
        at = s->now_ms + credit_wait_ms(&s->writes, &c->dom->writes, 1);
        if (at < first)
            first = at;
    }
    return first;
}
