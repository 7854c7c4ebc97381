/*
 * Blocking in an event handler is a bug that is named.
 * run-guest-expect: 134 guest panic: .*assertion failed: !in_upcall
 */
#include "guest-kernel/events.h"
#include "guest-kernel/thread.h"

static void handler(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    thread_sleep(1);
}

int main(void)
{
    evtchn_port_t near, far;

    event_alloc_unbound(DOMID_SELF, handler, NULL, &far);
    event_bind_interdomain(DOMID_SELF, far, handler, NULL, &near);
    event_notify(near);
    thread_sleep(NEVER);
    return 0;
}
