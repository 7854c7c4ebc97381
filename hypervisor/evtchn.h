/*
 * Event channels (<xen/event_channel.h>), two-level ABI.
 *
 * An interdomain channel is a pair of eventfds: end e receives on file e and
 * sends on file 1 - e. The pair belongs to the two ports together and lives
 * while either does; it is never used for another pair of domains. A VIRQ
 * port has one file of its own that only the hypervisor writes; an IPI port one
 * that the domain itself writes. Sending is a write by the Linux kernel: the
 * hypervisor carries it only for engines whose guests cannot write themselves.
 *
 * Each port is bound to the vCPU that its events notify.
 *
 * The eventfds are the hypervisor's descriptors, of which a domain has a share
 * (host.h). An unbound port is charged both of its channel, a bound one that on
 * which it receives; where there is no share left, no port can be made, as if
 * the table were full.
 */
#ifndef RINGSIDE_EVTCHN_H
#define RINGSIDE_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"
#include "xen_compat.h"

#define EVTCHN_MAX_PORTS 4096u

struct domain;
struct vcpu;

struct channel {
    int fd[2];         /* fd[1] is -1 for VIRQs and IPIs */
    unsigned int refs; /* ports, 1 or 2 */
};

struct evtchn {
    uint8_t state;  /* EVTCHNSTAT_... of <xen/event_channel.h> */
    uint8_t end;    /* which end of the channel */
    uint16_t vcpu;  /* that is notified */
    domid_t remote; /* unbound: who may bind; interdomain: the peer */
    uint32_t remote_port;
    uint32_t virq;
    struct channel *channel;
};

struct evtchn_table {
    struct evtchn *ports; /* port 0 is never used */
    uint32_t nr;          /* entries allocated */
    uint32_t max;         /* limit of this domain */
    uint32_t lowest;      /* no port below this is free */
    uint32_t used;
    uint32_t
        files; /* eventfds charged for them: 2 of an unbound port, else 1 */
    /* 0: unbound; those of the whole domain stand with vCPU 0 */
    uint32_t virq_port[DOMAIN_MAX_VCPUS][NR_VIRQS];
};

int evtchn_init(struct domain *d, uint32_t max_ports);
/* At the end of d: closes some ports, whose peers become unbound, and at last
 * frees the table; false: there are none left. */
bool evtchn_close_some(struct domain *d);

/* For the builder and the control socket; *port is set on 0. */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port);
int evtchn_bind_interdomain(struct domain *d, domid_t remote,
                            evtchn_port_t remote_port, evtchn_port_t *port);
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu,
                     evtchn_port_t *port);
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, evtchn_port_t *port);
/* The port's events notify another vCPU from now on. */
int evtchn_bind_vcpu(struct domain *d, evtchn_port_t port, uint32_t vcpu);
int evtchn_close(struct domain *d, evtchn_port_t port);
int evtchn_send(struct domain *d, evtchn_port_t port);
int evtchn_unmask(struct vcpu *v, evtchn_port_t port);

/* What is bound to a port; NULL: nothing. Good until a port is added. */
struct evtchn *evtchn_of(struct domain *d, evtchn_port_t port);

/* Raises a VIRQ of v (vCPU 0 for those of the domain) if it is bound. */
void evtchn_raise_virq(struct vcpu *v, uint32_t virq);

/* The files of a port: -ENOENT if it is free; tx -1 for a VIRQ. */
int evtchn_fds(struct domain *d, evtchn_port_t port, int *rx, int *tx);

long do_event_channel_op(struct vcpu *v, const uint64_t args[6]);

#endif
