/*
 * The primary console, and what is left of it in a crash: its output has a few
 * ms to be read before the report. No thread waits for that, since none may run
 * any more.
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/console_ring.h"
#include "libhypercall/hypercall.h"

#define DRAIN_NS (20 * NS_PER_MS)

struct console console_primary = { .patience = CONSOLE_PATIENCE };

void console_drain(void)
{
    uint64_t deadline = clock_now() + DRAIN_NS;

    while (consfront_unread(&console_primary.front) && clock_now() < deadline)
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
}
