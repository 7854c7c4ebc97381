#include "evtchn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "domain.h"
#include "evtchn_bits.h"
#include "hypercall.h"

/* ---- files ---- */

static int raise_file(int fd)
{
    uint64_t one = 1;

    /* EAGAIN: the counter is full, so the reader has been told. */
    return write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}

static struct channel *channel_new(bool one_file)
{
    struct channel *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->refs = 1;
    c->fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->fd[1] = one_file ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd[0] >= 0 && (one_file || c->fd[1] >= 0))
        return c;
    if (c->fd[0] >= 0)
        close(c->fd[0]);
    free(c);
    return NULL;
}

static void channel_put(struct channel *c)
{
    if (--c->refs)
        return;
    for (int i = 0; i < 2; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
    free(c);
}

static int tx_of(const struct evtchn *e)
{
    return e->channel->fd[e->state == EVTCHNSTAT_ipi ? 0 : 1 - e->end];
}

/* ---- the table ---- */

int evtchn_init(struct domain *d, uint32_t max_ports)
{
    d->evtchn.max = max_ports < EVTCHN_MAX_PORTS ? max_ports : EVTCHN_MAX_PORTS;
    d->evtchn.nr = 16;
    d->evtchn.ports = calloc(d->evtchn.nr, sizeof(struct evtchn));
    return d->evtchn.ports ? 0 : -ENOMEM;
}

static struct evtchn *port_of(struct domain *d, evtchn_port_t port)
{
    struct evtchn_table *t = &d->evtchn;

    if (port == 0 || port >= t->nr || t->ports[port].state == EVTCHNSTAT_closed)
        return NULL;
    return &t->ports[port];
}

static int grow(struct evtchn_table *t)
{
    uint32_t nr = t->nr * 2 < t->max ? t->nr * 2 : t->max;
    struct evtchn *ports;

    if (nr <= t->nr)
        return -ENOSPC;
    ports = realloc(t->ports, nr * sizeof(*ports));
    if (!ports)
        return -ENOMEM;
    memset(ports + t->nr, 0, (nr - t->nr) * sizeof(*ports));
    t->ports = ports;
    t->nr = nr;
    return 0;
}

static int find_free(struct domain *d, evtchn_port_t *port)
{
    struct evtchn_table *t = &d->evtchn;
    int err;

    for (;;) {
        for (evtchn_port_t p = 1; p < t->nr; p++)
            if (t->ports[p].state == EVTCHNSTAT_closed) {
                *port = p;
                return 0;
            }
        err = grow(t);
        if (err)
            return err;
    }
}

/*
 * Fills a free port and gives its files to the engine. Takes over the
 * caller's reference of e.channel, also on failure.
 */
static int install(struct domain *d, struct evtchn e, evtchn_port_t *out)
{
    evtchn_port_t port;
    int err = find_free(d, &port);

    if (!err)
        err = d->ops->port_attach(&d->vcpu[e.vcpu], port, e.channel->fd[e.end],
                                  tx_of(&e));
    if (err) {
        channel_put(e.channel);
        return err;
    }
    d->evtchn.ports[port] = e;
    d->evtchn.used++;
    *out = port;
    return 0;
}

/* ---- operations ---- */

int evtchn_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port)
{
    struct channel *c = channel_new(false);

    if (!c)
        return -ENOMEM;
    return install(d,
                   (struct evtchn){ .state = EVTCHNSTAT_unbound,
                                    .remote = remote,
                                    .channel = c },
                   port);
}

int evtchn_bind_interdomain(struct domain *d, domid_t remote,
                            evtchn_port_t remote_port, evtchn_port_t *port)
{
    struct domain *rd;
    struct evtchn *re;
    struct evtchn e;
    int err;

    rd = remote == DOMID_SELF ? d : host_domain(d->host, remote);
    if (!rd)
        return -ESRCH; /* a dying one is there, but has no ports */
    re = port_of(rd, remote_port);
    if (!re || re->state != EVTCHNSTAT_unbound || re->remote != d->domid)
        return -EINVAL;
    re->channel->refs++;
    e = (struct evtchn){ .state = EVTCHNSTAT_interdomain,
                         .end = 1 - re->end,
                         .remote = rd->domid,
                         .remote_port = remote_port,
                         .channel = re->channel };
    err = install(d, e, port);
    if (err)
        return err;
    re = port_of(rd, remote_port); /* install() may have moved the table */
    re->state = EVTCHNSTAT_interdomain;
    re->remote = d->domid;
    re->remote_port = *port;
    /* What was sent before the bind must not be lost: as Xen, tell once. */
    return raise_file(e.channel->fd[e.end]);
}

/* Those that each vCPU has for itself (<xen/xen.h>, "V."). */
static bool virq_is_per_vcpu(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
           virq == VIRQ_XENPMU;
}

/* A port of one file: what `e` says, bound to e.vcpu. */
static int install_single(struct domain *d, struct evtchn e,
                          evtchn_port_t *port)
{
    e.channel = channel_new(true);
    return e.channel ? install(d, e, port) : -ENOMEM;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu,
                     evtchn_port_t *port)
{
    int err;

    if (virq >= NR_VIRQS || (vcpu && !virq_is_per_vcpu(virq)))
        return -EINVAL;
    if (!vcpu_of(d, vcpu))
        return -ENOENT;
    if (d->evtchn.virq_port[vcpu][virq])
        return -EEXIST;
    err = install_single(d,
                         (struct evtchn){ .state = EVTCHNSTAT_virq,
                                          .virq = virq,
                                          .vcpu = (uint16_t)vcpu },
                         port);
    if (!err)
        d->evtchn.virq_port[vcpu][virq] = *port;
    return err;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, evtchn_port_t *port)
{
    if (!vcpu_of(d, vcpu))
        return -ENOENT;
    return install_single(
        d, (struct evtchn){ .state = EVTCHNSTAT_ipi, .vcpu = (uint16_t)vcpu },
        port);
}

/* What belongs to one vCPU by its nature does not move. */
static bool may_move(const struct evtchn *e)
{
    return e->state == EVTCHNSTAT_unbound ||
           e->state == EVTCHNSTAT_interdomain ||
           (e->state == EVTCHNSTAT_virq && !virq_is_per_vcpu(e->virq));
}

int evtchn_bind_vcpu(struct domain *d, evtchn_port_t port, uint32_t vcpu)
{
    struct evtchn *e = port_of(d, port);
    int err = 0;

    if (!vcpu_of(d, vcpu))
        return -ENOENT;
    if (!e || !may_move(e))
        return -EINVAL;
    if (e->vcpu != vcpu && d->ops->port_move)
        err = d->ops->port_move(&d->vcpu[e->vcpu], &d->vcpu[vcpu], port,
                                e->channel->fd[e->end]);
    if (!err)
        e->vcpu = (uint16_t)vcpu;
    return err;
}

/* The other end of an interdomain port falls back to unbound, as in Xen. */
static void release_peer(struct domain *d, const struct evtchn *e)
{
    struct domain *rd = host_domain(d->host, e->remote);
    struct evtchn *re = rd ? port_of(rd, e->remote_port) : NULL;

    if (re && re->channel == e->channel) {
        re->state = EVTCHNSTAT_unbound;
        re->remote = d->domid;
        re->remote_port = 0;
    }
}

/* The next user of the port must not find its last one's event. */
static void forget_event(struct domain *d, evtchn_port_t port)
{
    if (!d->is_process)
        evtchn_bits_clear(memory_own_page(d, MEMORY_OWN_SHARED_INFO), port);
}

int evtchn_close(struct domain *d, evtchn_port_t port)
{
    struct evtchn *slot = port_of(d, port);
    struct evtchn e;

    if (!slot)
        return -EINVAL;
    e = *slot;
    memset(slot, 0, sizeof(*slot));
    d->evtchn.used--;
    if (e.state == EVTCHNSTAT_virq)
        d->evtchn.virq_port[virq_is_per_vcpu(e.virq) ? e.vcpu : 0][e.virq] = 0;
    if (e.state == EVTCHNSTAT_interdomain)
        release_peer(d, &e);
    d->ops->port_detach(&d->vcpu[e.vcpu], port, e.channel->fd[e.end],
                        tx_of(&e));
    channel_put(e.channel);
    forget_event(d, port);
    return 0;
}

void evtchn_destroy(struct domain *d)
{
    for (evtchn_port_t p = 1; p < d->evtchn.nr; p++)
        evtchn_close(d, p);
    free(d->evtchn.ports);
    memset(&d->evtchn, 0, sizeof(d->evtchn));
}

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = port_of(d, port);

    if (!e || e->state == EVTCHNSTAT_virq)
        return -EINVAL;
    return raise_file(tx_of(e));
}

void evtchn_raise_virq(struct vcpu *v, uint32_t virq)
{
    struct domain *d = v->domain;
    struct evtchn *e = port_of(d, d->evtchn.virq_port[v->id][virq]);

    if (e)
        raise_file(e->channel->fd[0]);
}

int evtchn_fds(struct domain *d, evtchn_port_t port, int *rx, int *tx)
{
    struct evtchn *e = port_of(d, port);

    if (!e)
        return -ENOENT;
    *rx = e->channel->fd[e->end];
    *tx = tx_of(e);
    return 0;
}

/* ---- the hypercall ---- */

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
    struct evtchn *e;
    int err = target(v, op->dom, &d);

    if (err)
        return err;
    if (op->port >= d->evtchn.max)
        return -EINVAL;
    e = port_of(d, op->port);
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

/*
 * If the port's vCPU is another than the caller, it may sleep: its file wakes
 * it, and a look at the pending bit that is set already harms nobody.
 */
static int op_unmask(struct vcpu *v, void *arg)
{
    evtchn_port_t port = ((struct evtchn_unmask *)arg)->port;
    const struct evtchn *e = port_of(v->domain, port);
    struct shared_info *si;

    if (v->domain->is_process || !e)
        return -EINVAL;
    si = memory_own_page(v->domain, MEMORY_OWN_SHARED_INFO);
    evtchn_bits_unmask(si, vcpu_info_of(&v->domain->vcpu[e->vcpu]), port);
    if (e->vcpu != v->id && evtchn_bits_test(si->evtchn_pending, port))
        return raise_file(e->channel->fd[e->end]);
    return 0;
}

/* Several turns: what was closed in one is not met in the next. */
static int op_reset(struct vcpu *v, void *arg)
{
    struct domain *d;
    int err = target(v, ((struct evtchn_reset *)arg)->dom, &d);

    if (err)
        return err;
    if (d != v->domain && d->pause_count == 0)
        return -EINVAL;
    for (evtchn_port_t p = 1; p < d->evtchn.nr; p++) {
        if (!port_of(d, p))
            continue;
        if (hypercall_turn_over(v, HYPERCALL_CHANGE))
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

/* ---- all of them ---- */

static const struct {
    int (*fn)(struct vcpu *v, void *arg);
    size_t size;
} ops[] = {
    [EVTCHNOP_alloc_unbound] = { op_alloc_unbound,
                                 sizeof(struct evtchn_alloc_unbound) },
    [EVTCHNOP_bind_interdomain] = { op_bind_interdomain,
                                    sizeof(struct evtchn_bind_interdomain) },
    [EVTCHNOP_bind_virq] = { op_bind_virq, sizeof(struct evtchn_bind_virq) },
    [EVTCHNOP_bind_ipi] = { op_bind_ipi, sizeof(struct evtchn_bind_ipi) },
    [EVTCHNOP_bind_vcpu] = { op_bind_vcpu, sizeof(struct evtchn_bind_vcpu) },
    [EVTCHNOP_close] = { op_close, sizeof(struct evtchn_close) },
    [EVTCHNOP_send] = { op_send, sizeof(struct evtchn_send) },
    [EVTCHNOP_status] = { op_status, sizeof(struct evtchn_status) },
    [EVTCHNOP_unmask] = { op_unmask, sizeof(struct evtchn_unmask) },
    [EVTCHNOP_reset] = { op_reset, sizeof(struct evtchn_reset) },
    [EVTCHNOP_init_control] = { op_init_control,
                                sizeof(struct evtchn_init_control) },
    [EVTCHNOP_expand_array] = { op_expand_array,
                                sizeof(struct evtchn_expand_array) },
    [EVTCHNOP_set_priority] = { op_set_priority,
                                sizeof(struct evtchn_set_priority) },
};

/* HYPERVISOR_event_channel_op(cmd, arg): copy in, act, copy back. */
long do_event_channel_op(struct vcpu *v, const uint64_t args[6])
{
    uint64_t arg[8]; /* larger than any of the structures */
    uint64_t cmd = args[0];
    int err;

    if (cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[cmd].fn)
        return -ENOSYS;
    if (copy_from_guest(v, arg, guest_addr(args[1]), ops[cmd].size))
        return -EFAULT;
    err = ops[cmd].fn(v, arg);
    if (err == -ERESTART)
        return hypercall_continue(v, cmd, args[1], 0);
    if (!err && copy_to_guest(v, guest_addr(args[1]), arg, ops[cmd].size))
        return -EFAULT;
    return err;
}
