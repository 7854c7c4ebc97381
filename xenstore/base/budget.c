/* Budgets: shared rates of credit; see budget.h. */
#include "base/budget.h"

#include <assert.h>

void budget_init(struct budget *b, uint32_t rate, int64_t full)
{
    *b = (struct budget){ .rate = rate, .full = full };
    list_init(&b->spenders);
}

static void spender_done(struct budget *b, struct credit *c)
{
    assert(b->n && !list_empty(&c->entry));
    list_del(&c->entry);
    b->n--;
    assert((b->n == 0) == list_empty(&b->spenders));
}

void budget_update(struct budget *b, uint64_t now_ms)
{
    uint64_t ms = now_ms - b->now_ms, sum;
    struct list *pos, *tmp;
    int64_t share;

    b->now_ms = now_ms;
    if (!ms || !b->n)
        return;
    if (ms > UINT32_MAX)
        ms = UINT32_MAX; /* every credit is full long before */
    sum = ms * b->rate + b->rest;
    share = (int64_t)(sum / b->n);
    b->rest = sum % b->n;
    list_for_each_safe(pos, tmp, &b->spenders)
    {
        struct credit *c = container_of(pos, struct credit, entry);

        c->left += share;
        if (c->left < b->full)
            continue;
        c->left = b->full;
        spender_done(b, c);
    }
}

void credit_init(struct budget *b, struct credit *c)
{
    list_init(&c->entry);
    c->left = b->full;
}

/* A member whose credit is not full is a spender. */
static void credit_set(struct budget *b, struct credit *c, int64_t left)
{
    assert(left <= b->full);
    c->left = left;
    if (left >= b->full || !list_empty(&c->entry))
        return;
    list_add_tail(&b->spenders, &c->entry);
    b->n++;
}

void credit_restore(struct budget *b, struct credit *c, int64_t left,
                    uint64_t now_ms)
{
    budget_update(b, now_ms);
    credit_set(b, c, left);
}

void credit_end(struct budget *b, struct credit *c)
{
    if (!list_empty(&c->entry))
        spender_done(b, c);
}

void credit_spend(struct budget *b, struct credit *c, int64_t cost,
                  uint64_t now_ms)
{
    budget_update(b, now_ms);
    credit_set(b, c, c->left - cost);
}

uint64_t credit_wait_ms(const struct budget *b, const struct credit *c,
                        int64_t wanted)
{
    uint64_t missing;

    if (c->left >= wanted)
        return 0;
    missing = (uint64_t)(wanted - c->left) * b->n;
    return (missing + b->rate - 1) / b->rate;
}
