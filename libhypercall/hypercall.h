/*
 * Hypercalls as typed functions: one API for guests and for host processes.
 *
 * Each inline does one hypercall of Xen's public ABI and returns what the
 * hypervisor returned: 0 or a positive result, or a negative errno value
 * (Xen's numbers, which are Linux's where both exist). Structures are those
 * of <xen/...>; addresses in them are guest-physical (= virtual) addresses.
 *
 * Below the API stands a carrier, chosen by the include path:
 *   libhypercall/guest/carrier.h  calls the hypercall page (guest kernels);
 *   libhypercall/host/carrier.h   sends the call over the control socket, for
 *                                 processes that are domains (the store, the
 *                                 driver domain), by libringside-client.
 * A carrier supplies
 *   long hypercall_op(nr, cmd, arg, size)       arg: one struct of size bytes
 *   long hypercall_op_n(nr, cmd, arg, size, n)  arg: n structs of size bytes
 */
#ifndef RINGSIDE_HYPERCALL_H
#define RINGSIDE_HYPERCALL_H

#include "xen_compat.h"

#include "carrier.h"

/* ---- event channels: <xen/event_channel.h> ---- */

/* A new port that domain `remote` may bind; -ENOSPC when none is free. */
static inline long hypercall_evtchn_alloc_unbound(domid_t remote,
                                                  evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF,
                                       .remote_dom = remote };
    long err = hypercall_op(__HYPERVISOR_event_channel_op,
                            EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return err;
}

/* Connects a new local port to an unbound port of domain `remote`. */
static inline long hypercall_evtchn_bind_interdomain(domid_t remote,
                                                     evtchn_port_t remote_port,
                                                     evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote,
                                          .remote_port = remote_port };
    long err = hypercall_op(__HYPERVISOR_event_channel_op,
                            EVTCHNOP_bind_interdomain, &op, sizeof(op));

    *port = op.local_port;
    return err;
}

/* A new port on which VIRQ_... `virq` of `vcpu` arrives. */
static inline long hypercall_evtchn_bind_virq(uint32_t virq, uint32_t vcpu,
                                              evtchn_port_t *port)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    long err = hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
                            &op, sizeof(op));

    *port = op.port;
    return err;
}

/* A new port whose events, sent by anyone here, are told to `vcpu`. */
static inline long hypercall_evtchn_bind_ipi(uint32_t vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    long err = hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi,
                            &op, sizeof(op));

    *port = op.port;
    return err;
}

/* The port's events are told to `vcpu` from now on. */
static inline long hypercall_evtchn_bind_vcpu(evtchn_port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, &op,
                        sizeof(op));
}

static inline long hypercall_evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = { .port = port };

    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &op,
                        sizeof(op));
}

/* Raises the event on the other end. In host processes see rs_client_notify().
 */
static inline long hypercall_evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = { .port = port };

    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &op,
                        sizeof(op));
}

static inline long hypercall_evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = { .port = port };

    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, &op,
                        sizeof(op));
}

/* In: dom, port. Out: EVTCHNSTAT_... and its details. */
static inline long hypercall_evtchn_status(struct evtchn_status *op)
{
    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_status, op,
                        sizeof(*op));
}

/* Closes all ports of the domain: ours, or a paused one's. */
static inline long hypercall_evtchn_reset(struct evtchn_reset *op)
{
    return hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, op,
                        sizeof(*op));
}

/* ---- grant tables: <xen/grant_table.h> ---- */

/* Maps or unmaps n grants; each op carries its own status. */
static inline long hypercall_grant_map(struct gnttab_map_grant_ref *ops,
                                       unsigned int n)
{
    return hypercall_op_n(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                          ops, sizeof(*ops), n);
}

static inline long hypercall_grant_unmap(struct gnttab_unmap_grant_ref *ops,
                                         unsigned int n)
{
    return hypercall_op_n(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                          ops, sizeof(*ops), n);
}

/* Copies between pages, each named by a grant or as a frame of ours. */
static inline long hypercall_grant_copy(struct gnttab_copy *ops, unsigned int n)
{
    return hypercall_op_n(__HYPERVISOR_grant_table_op, GNTTABOP_copy, ops,
                          sizeof(*ops), n);
}

/* Out: nr_frames, max_nr_frames, status. */
static inline long hypercall_grant_query_size(struct gnttab_query_size *op)
{
    return hypercall_op_n(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, op,
                          sizeof(*op), 1);
}

/* ---- the rest: version, time, memory, scheduling ---- */

static inline long hypercall_xen_version(int cmd, void *out, size_t size)
{
    return hypercall_op(__HYPERVISOR_xen_version, cmd, out, size);
}

/* op: the struct that XENMEM_... `cmd` takes, of size bytes. */
static inline long hypercall_memory_op(unsigned int cmd, void *op, size_t size)
{
    return hypercall_op(__HYPERVISOR_memory_op, cmd, op, size);
}

/* cmd SCHEDOP_yield, SCHEDOP_block (no struct), _poll, _shutdown... */
static inline long hypercall_sched_op(int cmd, void *op, size_t size)
{
    return hypercall_op(__HYPERVISOR_sched_op, cmd, op, size);
}

#endif
