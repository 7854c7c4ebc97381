/*
 * Preemption of long hypercalls. See preempt.h.
 */
#include "preempt.h"

#include <x86intrin.h>

#include "domain.h"

/* Units of cost between two readings of the clock. */
#define PREEMPT_CLOCK 16u

void preempt_begin(struct vcpu *v, uint64_t start)
{
    v->work = 0;
    v->clock_due = PREEMPT_CLOCK;
    v->budget_end = start ? start + v->domain->host->budget_ticks : 0;
    v->continued = false;
}

/* Where the start is unknown, time counts from the first reading. */
static bool time_is_up(struct vcpu *v)
{
    uint64_t limit = v->domain->host->budget_ticks, now = __rdtsc();

    v->clock_due = v->work + PREEMPT_CLOCK;
    if (limit == PREEMPT_UNTIMED)
        return false;
    if (!v->budget_end)
        v->budget_end = now + limit;
    if ((int64_t)(now - v->budget_end) < 0)
        return false;
    v->work = PREEMPT_BUDGET + 1; /* the budget is used up */
    return true;
}

bool preempt_check(struct vcpu *v, unsigned int cost)
{
    v->work += cost;
    if (v->work > PREEMPT_BUDGET)
        return true;
    return v->work >= v->clock_due && time_is_up(v);
}

void preempt_charge(struct vcpu *v, unsigned int cost)
{
    v->work += cost;
}

long preempt_continue(struct vcpu *v, uint64_t a0, uint64_t a1, uint64_t a2)
{
    v->continued = true;
    v->continuation[0] = a0;
    v->continuation[1] = a1;
    v->continuation[2] = a2;
    return 0;
}
