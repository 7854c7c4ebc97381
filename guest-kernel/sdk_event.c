/*
 * <ringside/guest.h>: event channels that a thread waits for.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdlib.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/thread.h"

struct rs_event {
    evtchn_port_t port;
    bool pending;
    struct wait_queue queue;
};

static void event_came(evtchn_port_t port, void *arg)
{
    struct rs_event *e = arg;

    (void)port;
    e->pending = true;
    wait_queue_wake_all(&e->queue);
}

static struct rs_event *event_new(void)
{
    struct rs_event *e = calloc(1, sizeof(*e));

    if (e)
        wait_queue_init(&e->queue);
    return e;
}

/* Keeps the new event, or frees it when it could not be bound. */
static int event_result(int err, struct rs_event *e, struct rs_event **out)
{
    if (err)
        free(e);
    else
        *out = e;
    return err;
}

int rs_event_listen(unsigned int domid, struct rs_event **out)
{
    IN_KERNEL();
    struct rs_event *e = event_new();
    int err;

    if (!e)
        return -ENOMEM;
    err = event_alloc_unbound((domid_t)domid, event_came, e, &e->port);
    return event_result(err, e, out);
}

int rs_event_connect(unsigned int domid, uint32_t port, struct rs_event **out)
{
    IN_KERNEL();
    struct rs_event *e = event_new();
    int err;

    if (!e)
        return -ENOMEM;
    err = event_bind_interdomain((domid_t)domid, port, event_came, e, &e->port);
    return event_result(err, e, out);
}

uint32_t rs_event_port(const struct rs_event *e)
{
    return e->port;
}

void rs_event_notify(struct rs_event *e)
{
    event_notify(e->port);
}

int rs_event_wait(struct rs_event *e, uint64_t timeout)
{
    int err = wait_event(&e->queue, e->pending, clock_deadline(timeout));

    if (!err)
        e->pending = false;
    return err;
}

void rs_event_close(struct rs_event *e)
{
    IN_KERNEL();
    event_close(e->port);
    free(e);
}
