/*
 * Event channels: making, binding and closing ports. events_dispatch.c walks
 * over what is pending.
 */
#include <errno.h>
#include <stddef.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/events.h"
#include "guest-kernel/events_dispatch.h"
#include "guest-kernel/invariant.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"

static unsigned int handlers_used;

void event_mask(evtchn_port_t port)
{
    event_bit_set(shared_info->evtchn_mask, port);
}

/* An edge that fell on the mask set no selector: the hypervisor repeats it. */
void event_unmask(evtchn_port_t port)
{
    event_bit_clear(shared_info->evtchn_mask, port);
    if (event_bit_test(shared_info->evtchn_pending, port))
        hypercall_evtchn_unmask(port);
}

int event_bind(evtchn_port_t port, event_fn *fn, void *arg)
{
    IN_KERNEL();
    if (port == 0 || port >= EVENT_PORTS)
        return -ENOSPC;
    if (events_handlers[port].fn)
        return -EBUSY;
    events_handlers[port] = (struct event_handler){ fn, arg };
    handlers_used++;
    event_unmask(port);
    return 0;
}

/* Binds a port that the hypervisor just made, or closes it again. */
static int bind_new(long err, evtchn_port_t port, event_fn *fn, void *arg)
{
    if (err)
        return errno_from_xen(err);
    err = event_bind(port, fn, arg);
    if (err)
        hypercall_evtchn_close(port);
    return (int)err;
}

int event_alloc_unbound(domid_t remote, event_fn *fn, void *arg,
                        evtchn_port_t *port)
{
    long err = hypercall_evtchn_alloc_unbound(remote, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_fn *fn, void *arg, evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_interdomain(remote, remote_port, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_virq(uint32_t virq, unsigned int vcpu, event_fn *fn, void *arg,
                    evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_virq(virq, vcpu, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_ipi(unsigned int vcpu, event_fn *fn, void *arg,
                   evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_ipi(vcpu, port);

    return bind_new(err, *port, fn, arg);
}

int event_close(evtchn_port_t port)
{
    bool was;

    if (port == 0 || port >= EVENT_PORTS || !events_handlers[port].fn)
        return -EINVAL;
    was = upcalls_mask();
    event_mask(port);
    events_handlers[port].fn = NULL;
    invariant(handlers_used > 0);
    handlers_used--;
    event_bit_clear(shared_info->evtchn_pending, port);
    upcalls_restore(was);
    return errno_from_xen(hypercall_evtchn_close(port));
}

unsigned int event_count(void)
{
    return handlers_used;
}

/* Every port starts masked, so no event comes before its handler. */
void events_init(void)
{
    for (unsigned int i = 0; i < EVENT_PORTS / EVENT_WORD_BITS; i++)
        WRITE_ONCE(shared_info->evtchn_mask[i], ~0ul);
    arch_events_init();
    upcalls_unmask();
}
