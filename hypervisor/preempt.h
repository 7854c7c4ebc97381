/*
 * Preemption of long hypercalls, and their continuations.
 *
 * No call holds the hypervisor for long: each run of a call has a budget. A
 * body that loops over a guest's array calls preempt_check() between two
 * elements with what the next one costs (1: some words are read). When it
 * returns true, the body returns preempt_continue() with the arguments of what
 * is left, and the engine makes the call again after other work. These are
 * Xen's continuations; a guest does not see them.
 *
 * The budget is PREEMPT_BUDGET units of cost and PREEMPT_BUDGET_NS
 * (rs_host.budget_ticks), whichever is used up first: the units bound what one
 * run may ask of the engine, the time bounds how long others wait, whatever an
 * operation costs on this machine. The clock is read each time that
 * PREEMPT_CLOCK units were used, so an operation that enters Linux charges
 * PREEMPT_COST_SYSCALL for each system call.
 */
#ifndef RINGSIDE_PREEMPT_H
#define RINGSIDE_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define PREEMPT_BUDGET       1024u
#define PREEMPT_BUDGET_NS    50000u
#define PREEMPT_UNTIMED      UINT64_MAX /* budget_ticks: only units count */
#define PREEMPT_COST_MAP     32u        /* a change of the address space */
#define PREEMPT_COST_SYSCALL 32u        /* a system call of the hypervisor */

/* A run of v's call begins. `start`: ticks of the TSC, from which its time
 * counts; 0: from the first reading of the clock. */
void preempt_begin(struct vcpu *v, uint64_t start);
/* Charges `cost` for the next element; true: the budget is used up. */
bool preempt_check(struct vcpu *v, unsigned int cost);
/* Charges what an operation costs beyond its base cost; the next
 * preempt_check() takes it into account. */
void preempt_charge(struct vcpu *v, unsigned int cost);
/* The call is to be made again with these first arguments. Returns what the
 * body returns. */
long preempt_continue(struct vcpu *v, uint64_t a0, uint64_t a1, uint64_t a2);

#endif
