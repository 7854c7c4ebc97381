/*
 * A crash in an event handler says so.
 * run-guest-expect: 134 guest crash: invalid instruction
 * run-guest-expect: 134 in thread main, in an event handler
 * run-guest-expect: 134 at [0-9a-f]* handler\+0x
 */
#include "guest-kernel/events.h"
#include "guest-kernel/thread.h"

static void handler(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    __asm__ __volatile__("ud2");
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
