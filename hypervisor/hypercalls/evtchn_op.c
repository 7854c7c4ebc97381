/*
 * event_channel_op: what domains ask about their ports
 * (<xen/event_channel.h>).
 */
#include <errno.h>

#include "domain.h"
#include "hypercall.h"
#include "preempt.h"

/* The domain an operation is about; others than oneself need privilege. */
static int target(struct vcpu *v, domid_t dom, struct domain **out)
{
    *out = dom == DOMID_SELF ? v->domain : host_domain(v->domain->host, dom);
    if (!*out)
        return -ESRCH;
    if (*out != v->domain && !domain_is_privileged(v->domain))
        return -EPERM;
    return (*out)->dying ? -EINVAL : 0;
}

static int op_alloc_unbound(struct vcpu *v, void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    domid_t remote = op->remote_dom;
    struct domain *d;
    int err = target(v, op->dom, &d);

    if (remote == DOMID_SELF)
        remote = v->domain->domid; /* also when it is about another */
    return err ? err : evtchn_alloc_unbound(d, remote, &op->port);
}

static int op_bind_interdomain(struct vcpu *v, void *arg)
{
    struct evtchn_bind_interdomain *op = arg;

    return evtchn_bind_interdomain(v->domain, op->remote_dom, op->remote_port,
                                   &op->local_port);
}

static int op_bind_virq(struct vcpu *v, void *arg)
{
    struct evtchn_bind_virq *op = arg;

    return evtchn_bind_virq(v->domain, op->virq, op->vcpu, &op->port);
}

static int op_bind_ipi(struct vcpu *v, void *arg)
{
    struct evtchn_bind_ipi *op = arg;

    return evtchn_bind_ipi(v->domain, op->vcpu, &op->port);
}

static int op_bind_vcpu(struct vcpu *v, void *arg)
{
    const struct evtchn_bind_vcpu *op = arg;

    return evtchn_bind_vcpu(v->domain, op->port, op->vcpu);
}

static int op_close(struct vcpu *v, void *arg)
{
    return evtchn_close(v->domain, ((struct evtchn_close *)arg)->port);
}

static int op_send(struct vcpu *v, void *arg)
{
    return evtchn_send(v->domain, ((struct evtchn_send *)arg)->port);
}

static int op_status(struct vcpu *v, void *arg)
{
    struct evtchn_status *op = arg;
    struct domain *d;
    const struct evtchn *e;
    int err = target(v, op->dom, &d);

    if (err)
        return err;
    if (op->port >= d->evtchn.max)
        return -EINVAL;
    e = evtchn_of(d, op->port);
    op->status = e ? e->state : EVTCHNSTAT_closed;
    op->vcpu = e ? e->vcpu : 0;
    if (op->status == EVTCHNSTAT_unbound) {
        op->u.unbound.dom = e->remote;
    } else if (op->status == EVTCHNSTAT_interdomain) {
        op->u.interdomain.dom = e->remote;
        op->u.interdomain.port = e->remote_port;
    } else if (op->status == EVTCHNSTAT_virq) {
        op->u.virq = e->virq;
    }
    return 0;
}

static int op_unmask(struct vcpu *v, void *arg)
{
    return evtchn_unmask(v, ((struct evtchn_unmask *)arg)->port);
}

/* A continuation does not meet the ports that the runs before it closed. */
static int op_reset(struct vcpu *v, void *arg)
{
    struct domain *d;
    int err = target(v, ((struct evtchn_reset *)arg)->dom, &d);

    if (err)
        return err;
    if (d != v->domain && d->pause_count == 0)
        return -EINVAL;
    for (evtchn_port_t p = 1; p < d->evtchn.nr; p++) {
        if (!evtchn_of(d, p))
            continue;
        if (preempt_check(v, PREEMPT_COST_MAP))
            return -ERESTART;
        evtchn_close(d, p);
    }
    return 0;
}

/* ---- the FIFO ABI, which is not there: Xen's answers up to that point ---- */

static int op_init_control(struct vcpu *v, void *arg)
{
    const struct evtchn_init_control *op = arg;
    const size_t block = sizeof(struct evtchn_fifo_control_block);

    if (op->vcpu >= v->domain->nr_vcpus)
        return -ENOENT;
    if (op->offset > PAGE_SIZE - block || op->offset % 8 ||
        !memory_is_ram(v->domain, op->control_gfn))
        return -EINVAL;
    return -ENOSYS;
}

static int op_expand_array(struct vcpu *v, void *arg)
{
    (void)v, (void)arg;
    return -EOPNOTSUPP;
}

static int op_set_priority(struct vcpu *v, void *arg)
{
    const struct evtchn_set_priority *op = arg;

    return op->port < v->domain->evtchn.max ? -ENOSYS : -EINVAL;
}

/* ---- the hypercall ---- */

/* Costs in system calls: files are made, given to the guest, watched. */
#define MAKE_COST  (4 * PREEMPT_COST_SYSCALL)
#define CLOSE_COST (4 * PREEMPT_COST_SYSCALL)
#define BIND_COST  (3 * PREEMPT_COST_SYSCALL)
#define MOVE_COST  (2 * PREEMPT_COST_SYSCALL)

static const struct {
    int (*fn)(struct vcpu *v, void *arg);
    size_t size;
    unsigned int cost; /* charged beside the base cost of an entry */
} ops[] = {
    [EVTCHNOP_alloc_unbound] = { op_alloc_unbound,
                                 sizeof(struct evtchn_alloc_unbound),
                                 MAKE_COST },
    [EVTCHNOP_bind_interdomain] = { op_bind_interdomain,
                                    sizeof(struct evtchn_bind_interdomain),
                                    BIND_COST },
    [EVTCHNOP_bind_virq] = { op_bind_virq, sizeof(struct evtchn_bind_virq),
                             MAKE_COST },
    [EVTCHNOP_bind_ipi] = { op_bind_ipi, sizeof(struct evtchn_bind_ipi),
                            MAKE_COST },
    [EVTCHNOP_bind_vcpu] = { op_bind_vcpu, sizeof(struct evtchn_bind_vcpu),
                             MOVE_COST },
    [EVTCHNOP_close] = { op_close, sizeof(struct evtchn_close), CLOSE_COST },
    [EVTCHNOP_send] = { op_send, sizeof(struct evtchn_send),
                        PREEMPT_COST_SYSCALL },
    [EVTCHNOP_status] = { op_status, sizeof(struct evtchn_status), 1 },
    [EVTCHNOP_unmask] = { op_unmask, sizeof(struct evtchn_unmask),
                          PREEMPT_COST_SYSCALL },
    [EVTCHNOP_reset] = { op_reset, sizeof(struct evtchn_reset), 1 },
    [EVTCHNOP_init_control] = { op_init_control,
                                sizeof(struct evtchn_init_control), 1 },
    [EVTCHNOP_expand_array] = { op_expand_array,
                                sizeof(struct evtchn_expand_array), 1 },
    [EVTCHNOP_set_priority] = { op_set_priority,
                                sizeof(struct evtchn_set_priority), 1 },
};

/* HYPERVISOR_event_channel_op(cmd, arg): copy in, act, copy back. */
long do_event_channel_op(struct vcpu *v, const uint64_t args[6])
{
    uint64_t arg[8]; /* larger than any of the structures */
    uint64_t cmd = args[0];
    int err;

    if (cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[cmd].fn)
        return -ENOSYS;
    preempt_charge(v, ops[cmd].cost);
    if (copy_from_guest(v, arg, guest_addr(args[1]), ops[cmd].size))
        return -EFAULT;
    err = ops[cmd].fn(v, arg);
    if (err == -ERESTART)
        return preempt_continue(v, cmd, args[1], 0);
    if (!err && copy_to_guest(v, guest_addr(args[1]), arg, ops[cmd].size))
        return -EFAULT;
    return err;
}
