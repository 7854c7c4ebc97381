/*
 * A program that has used up all event channels before it uses the network for
 * the first time: the card comes up when there are channels again.
 *
 * run-guest: --memory 32 --vif type=nat
 */
#include <ringside/guest.h>
#include <ringside/net.h>

#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define SECOND 1000000000ull
#define MOST   4096

int main(void)
{
    static evtchn_port_t ports[MOST];
    unsigned int n = 0;

    plan(3);
    while (n < MOST && hypercall_evtchn_alloc_unbound(1, &ports[n]) == 0)
        n++;
    point(n > 0 && n < MOST, "%u event channels, until there is none", n);
    point(rs_net_up(SECOND) != 0, "the card is not there");
    while (n > 0)
        hypercall_evtchn_close(ports[--n]);
    point(rs_net_up(20 * SECOND) == 0, "with event channels it comes up");
    return done();
}
