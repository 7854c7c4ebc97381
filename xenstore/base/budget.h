/*
 * Budgets: credit that members spend, refilled at a rate that they share.
 *
 * The rate is divided among the spenders: the members whose credit is not full.
 * A member that stops spending leaves the spenders when budget_update() has
 * filled its credit.
 */
#ifndef XS_BUDGET_H
#define XS_BUDGET_H

#include <stdint.h>

#include "list.h"

struct budget {
    struct list spenders; /* struct credit.entry */
    uint32_t n;           /* of them */
    uint32_t rate;        /* of all spenders together, per millisecond */
    int64_t full;         /* the credit of a member that does not spend */
    uint64_t now_ms;      /* when the credits were last refilled */
    uint64_t rest;        /* the remainder of the last division */
};

/* The credit of a member; below zero it owes. */
struct credit {
    struct list entry; /* budget->spenders; empty: the credit is full */
    int64_t left;
};

void budget_init(struct budget *b, uint32_t rate, int64_t full);
void budget_update(struct budget *b, uint64_t now_ms);

/* A member joins with full credit. */
void credit_init(struct budget *b, struct credit *c);
/* A member joins with the credit it had before a live update. */
void credit_restore(struct budget *b, struct credit *c, int64_t left,
                    uint64_t now_ms);
/* A member leaves. */
void credit_end(struct budget *b, struct credit *c);

void credit_spend(struct budget *b, struct credit *c, int64_t cost,
                  uint64_t now_ms);

/*
 * The milliseconds until the credit is `wanted`: an upper bound, since others
 * may stop spending. 0: it is now.
 */
uint64_t credit_wait_ms(const struct budget *b, const struct credit *c,
                        int64_t wanted);

#endif
