/*
 * Event channels: a pair of ports within this domain.
 */
#include <errno.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"
#include "tests/guest/tap.h"

#define MANY 1000

static struct semaphore came = SEMAPHORE_INIT(came, 0);
static unsigned int calls;
static bool seen_in_upcall;

static void handler(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    calls++;
    seen_in_upcall = in_upcall();
    semaphore_up(&came);
}

static bool wait_one(void)
{
    return semaphore_down(&came, clock_deadline_ms(2000)) == 0;
}

static void drain(void)
{
    thread_sleep(10 * NS_PER_MS);
    while (semaphore_try_down(&came))
        ;
}

static void masking(evtchn_port_t near, evtchn_port_t far)
{
    event_mask(far);
    event_notify(near);
    point(semaphore_down(&came, clock_deadline_ms(30)) == -ETIMEDOUT,
          "a masked port is silent");
    event_unmask(far);
    point(wait_one(), "and delivers when it is unmasked");
    drain();
}

static void ping_pong(evtchn_port_t near)
{
    unsigned int n = 0;

    for (; n < MANY; n++) {
        event_notify(near);
        if (!wait_one())
            break;
    }
    point(n == MANY, "%d events, each one waited for", MANY);
    drain();
}

int main(void)
{
    unsigned int before = event_count();
    evtchn_port_t near, far;
    bool was;
    long err;

    plan(12);
    if (!point(event_alloc_unbound(DOMID_SELF, handler, NULL, &far) == 0,
               "an unbound port"))
        return 1;
    if (!point(event_bind_interdomain(DOMID_SELF, far, handler, NULL, &near) ==
                   0,
               "and the other end of it"))
        return 1;
    drain();
    event_notify(near);
    point(wait_one(), "an event arrives");
    point(seen_in_upcall, "in upcall context");
    drain();
    event_notify(far);
    point(wait_one(), "and one in the other direction");
    masking(near, far);
    ping_pong(near);
    was = upcalls_mask();
    calls = 0;
    event_notify(near);
    event_notify(near);
    point(calls == 0, "nothing is delivered under the upcall mask");
    upcalls_restore(was);
    point(wait_one(), "but afterwards");
    event_close(near);
    event_close(far);
    err = hypercall_evtchn_send(near);
    point(err == -XEN_EINVAL, "a closed port cannot send: %ld", err);
    point(event_count() == before, "no port is left over");
    return done();
}
