/*
 * SCHEDOP_poll: until one of some ports is pending, or for a time.
 */
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define MANY 129

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
    struct sched_poll op = { .nr_ports = n, .timeout = timeout };

    set_xen_guest_handle(op.ports, ports);
    return hypercall_sched_op(SCHEDOP_poll, &op, sizeof(op));
}

/* Our own two channels: what is sent by far[i] arrives at near[i]. Masked, so
 * that nobody takes the events away. */
static void make_channels(evtchn_port_t *far, evtchn_port_t *near)
{
    for (int i = 0; i < 2; i++) {
        hypercall_evtchn_alloc_unbound(DOMID_SELF, &far[i]);
        hypercall_evtchn_bind_interdomain(DOMID_SELF, far[i], &near[i]);
        __atomic_fetch_or(&shared_info->evtchn_mask[near[i] / 64],
                          1ul << near[i] % 64, __ATOMIC_SEQ_CST);
    }
}

static void forget(evtchn_port_t port)
{
    __atomic_fetch_and(&shared_info->evtchn_pending[port / 64],
                       ~(1ul << port % 64), __ATOMIC_SEQ_CST);
}

int main(void)
{
    evtchn_port_t far[2], near[2], many[MANY];
    uint64_t start;
    bool was;

    plan(8);
    make_channels(far, near);
    was = upcalls_mask();
    poll(near, 2, clock_now()); /* the events of binding */
    forget(near[0]);
    forget(near[1]);
    start = clock_now();
    point(poll(near, 2, start + 5 * NS_PER_MS) == 0 &&
              clock_now() >= start + 5 * NS_PER_MS,
          "nothing comes: until the time");
    point(poll(near, 2, 1) == 0, "a time that has passed");
    hypercall_evtchn_send(far[1]);
    point(poll(near, 2, start + 3600 * NS_PER_S) == 0,
          "the second of two ports");
    point(poll(near, 2, 0) == 0, "it is still pending, without a time");
    upcalls_restore(was);
    near[1] = 100000;
    point(poll(near, 2, 1) == -XEN_EINVAL, "a port that cannot be");
    memset(many, 0, sizeof(many));
    point(poll(many, MANY, 1) == -XEN_EINVAL, "more than 128 ports");
    point(poll(many, MANY - 1, 1) == 0, "128 ports");
    point(poll((void *)8, 1, 1) == -XEN_EFAULT, "ports at nowhere");
    return done();
}
