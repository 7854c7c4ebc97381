/*
 * A guest that does not keep its promise to its watchdog is ended.
 * run-guest-expect: 134 watchdog fired
 * run-guest-expect: 134 kept so far
 */
#include <stdio.h>

#include "libhypercall/hypercall.h"

static long watchdog(unsigned int id, unsigned int seconds)
{
    struct sched_watchdog op = { .id = id, .timeout = seconds };

    return hypercall_sched_op(SCHEDOP_watchdog, &op, sizeof(op));
}

int main(void)
{
    long id = watchdog(0, 100);

    if (id < 1 || watchdog((unsigned int)id, 100))
        return 1;
    puts("kept so far");
    fflush(stdout);
    if (watchdog((unsigned int)id, 1))
        return 1;
    for (;;)
        ;
}
