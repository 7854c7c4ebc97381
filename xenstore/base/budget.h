/*
 * Budgets: credit that members spend, filled up at a rate that they share.
 *
 * The rate is divided among the spenders: those whose credit is not full. A
 * member that spends no more is one until its credit is full again, which
 * needs time and nobody's attention.
 */
#ifndef XS_BUDGET_H
#define XS_BUDGET_H

#include <stdint.h>

#include "list.h"

struct budget {
    struct list spenders; /* struct credit.entry */
    uint32_t n;           /* of them */
    uint32_t rate;        /* of all together, a millisecond */
    int64_t full;         /* what each can save up */
    uint64_t now_ms;      /* credits are those of this time */
    uint64_t rest;        /* what could not be divided then */
};

/* A member's; below zero it owes. */
struct credit {
    struct list entry; /* budget->spenders, or itself: it is full */
    int64_t left;
};

void budget_init(struct budget *b, uint32_t rate, int64_t full);
void budget_update(struct budget *b, uint64_t now_ms);

/* A member joins, with full credit. */
void credit_init(struct budget *b, struct credit *c);
/* It joins with what it had elsewhere. */
void credit_restore(struct budget *b, struct credit *c, int64_t left,
                    uint64_t now_ms);
/* It leaves. */
void credit_end(struct budget *b, struct credit *c);

void credit_spend(struct budget *b, struct credit *c, int64_t cost,
                  uint64_t now_ms);

/*
 * After how many milliseconds the credit is `wanted` at the latest: sooner, if
 * others stop spending. 0: it is now.
 */
uint64_t credit_wait_ms(const struct budget *b, const struct credit *c,
                        int64_t wanted);

#endif
