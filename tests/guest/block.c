/*
 * Sleep by hypercall ends when the timer fires, whatever timer the kernel has:
 * of a native one it is the board's, which is no event channel.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define HOUR (3600 * NS_PER_S)

static long poll_for_an_hour(evtchn_port_t port)
{
    struct sched_poll op = { .nr_ports = 1, .timeout = clock_now() + HOUR };

    set_xen_guest_handle(op.ports, &port);
    return hypercall_sched_op(SCHEDOP_poll, &op, sizeof(op));
}

int main(void)
{
    evtchn_port_t silent;

    plan(2);
    hypercall_evtchn_alloc_unbound(DOMID_SELF, &silent);
    arch_timer_set(clock_now() + 20 * NS_PER_MS);
    point(hypercall_sched_op(SCHEDOP_block, NULL, 0) == 0, "block ends");
    arch_timer_set(clock_now() + 20 * NS_PER_MS);
    point(poll_for_an_hour(silent) == 0, "poll ends, with upcalls on");
    return done();
}
