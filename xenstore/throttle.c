/*
 * The budget of writes; see throttle.h.
 *
 * Each domain's credit refills at WRITE_RATE divided by the number of domains
 * that are in debt or below their burst, and costs are taken only while
 * another connection has a transaction open.
 */
#include "throttle.h"

#include "conn.h"
#include "store.h"

#define WRITE 1000 /* credit is counted in thousandths of a write */
#define FULL  (WRITE_BURST * WRITE)

static bool others_have_txns(const struct conn *c)
{
    return c->store->open_txns > c->nr_txns;
}

static unsigned int writers(struct store *s)
{
    struct list *pos;
    unsigned int n = 0;

    list_for_each(pos, &s->conns) {
        struct domain *d = container_of(pos, struct conn, entry)->dom;

        n += !domain_privileged(d) && d->write_credit < FULL;
    }
    return n ? n : 1;
}

static void refill(struct store *s, struct domain *d)
{
    uint64_t ms = s->now_ms - d->credit_ms;
    uint64_t add;

    if (d->write_credit >= FULL || ms == 0)
        return;
    if (ms > 1000 * WRITE_BURST)
        ms = 1000 * WRITE_BURST;
    add = ms * WRITE_RATE / writers(s);
    if (!add)
        return;
    d->credit_ms = s->now_ms;
    d->write_credit += (int32_t)add;
    if (d->write_credit > FULL)
        d->write_credit = FULL;
}

bool throttle_ready(struct conn *c)
{
    if (conn_privileged(c))
        return true;
    refill(c->store, c->dom);
    return c->dom->write_credit > 0 || !others_have_txns(c);
}

void throttle_write(struct conn *c)
{
    struct domain *d = c->dom;

    if (conn_privileged(c) || !others_have_txns(c))
        return;
    if (d->write_credit >= FULL)
        d->credit_ms = c->store->now_ms;
    d->write_credit -= WRITE;
}

uint64_t throttle_deadline(struct store *s)
{
    uint64_t first = UINT64_MAX;
    unsigned int n = writers(s);
    struct list *pos;

    list_for_each(pos, &s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);
        uint64_t at;

        if (!c->held || conn_privileged(c) || c->dom->write_credit > 0)
            continue;
        at = c->dom->credit_ms + 1 +
             (uint64_t)-c->dom->write_credit * n / WRITE_RATE;
        if (at < first)
            first = at;
    }
    return first;
}
