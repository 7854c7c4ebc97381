/*
 * 100,000 hypercalls while a timer fires a thousand times a second: none is
 * lost, none is done twice. Each call opens a port, and the hypervisor's answer
 * tells whether it was done once.
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define CALLS 100000

static volatile unsigned int ticks;

/* The periodic timer of the vCPU; re-armed where there is none. */
static void tick(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    ticks++;
    hypercall_set_timer(clock_now() + NS_PER_MS);
}

/*
 * Opening and closing in turn: a lost open makes the close fail, a repeated
 * open makes the port number grow, a repeated close fails.
 */
static unsigned int wrong_answers(evtchn_port_t expected)
{
    unsigned int wrong = 0;

    for (int i = 0; i < CALLS / 2; i++) {
        evtchn_port_t port;

        if (hypercall_evtchn_alloc_unbound(0, &port) || port != expected ||
            hypercall_evtchn_close(port))
            wrong++;
    }
    return wrong;
}

int main(void)
{
    evtchn_port_t debug, first;

    plan(3);
    /* VIRQ_TIMER is the idle loop's; take it over, nothing sleeps here. */
    for (debug = 1; debug < 64; debug++) {
        struct evtchn_status s = { .dom = DOMID_SELF, .port = debug };

        if (hypercall_evtchn_status(&s) == 0 && s.status == EVTCHNSTAT_virq &&
            s.u.virq == VIRQ_TIMER)
            break;
    }
    event_close(debug);
    if (!point(event_bind_virq(VIRQ_TIMER, 0, tick, NULL, &debug) == 0,
               "the timer is ours"))
        return 1;
    hypercall_evtchn_alloc_unbound(0, &first);
    hypercall_evtchn_close(first);
    hypercall_set_timer(clock_now() + NS_PER_MS);
    point(wrong_answers(first) == 0, "%d hypercalls, each done once", CALLS);
    hypercall_set_timer(0);
    point(ticks > 50, "%u timer events meanwhile", ticks);
    return done();
}
