/*
 * Event channels of this guest.
 *
 * A port has a handler: it runs in upcall context (upcalls masked, on whatever
 * stack was current), must be short, may send events and wake threads, and may
 * not block or allocate. The pending bit is cleared before the handler runs, so
 * an event that arrives meanwhile runs it again. Spurious calls are legal.
 * Handlers run on vCPU 0, but for those of VIRQs and IPIs of another.
 * Functions return 0 or -errno (the C library's).
 */
#ifndef RINGSIDE_GUEST_EVENTS_H
#define RINGSIDE_GUEST_EVENTS_H

#include <stdint.h>

#include "libhypercall/hypercall.h"

#define EVENT_PORTS 4096 /* the 2-level ABI's limit */

typedef void event_fn(evtchn_port_t port, void *arg);

/* Gives a port that exists already a handler, and unmasks it. */
int event_bind(evtchn_port_t port, event_fn *fn, void *arg);
/* A new port that domain `remote` may bind to. */
int event_alloc_unbound(domid_t remote, event_fn *fn, void *arg,
                        evtchn_port_t *port);
int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_fn *fn, void *arg, evtchn_port_t *port);
int event_bind_virq(uint32_t virq, unsigned int vcpu, event_fn *fn, void *arg,
                    evtchn_port_t *port);
/* A port that we send to ourselves; its handler runs on `vcpu`. */
int event_bind_ipi(unsigned int vcpu, event_fn *fn, void *arg,
                   evtchn_port_t *port);
/* Masks, closes and forgets. No handler of this port runs afterwards. */
int event_close(evtchn_port_t port);

/* A masked port collects its event until it is unmasked. */
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port);

/* Raises the event at the other end; to one that is gone it does nothing. */
static inline void event_notify(evtchn_port_t port)
{
    hypercall_evtchn_send(port);
}

/* Ports with a handler; the leak tests compare it. */
unsigned int event_count(void);

void events_init(void);
/* Walks the pending bits and calls handlers; upcalls are masked. */
void events_dispatch(void);

#endif
