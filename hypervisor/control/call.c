/*
 * Process domains: their hypercalls, which come as bytes, and their engine,
 * which has nothing to run.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "hypercalls/hypercall.h"

/* ---- the engine of processes ---- */

static void nothing(struct domain *d)
{
    (void)d;
}

static bool no_process(struct domain *d)
{
    (void)d;
    return true;
}

static int attach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    (void)v, (void)port, (void)rx, (void)tx;
    return 0;
}

static void detach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    (void)v, (void)port, (void)rx, (void)tx;
}

static struct window_set *windows_of(struct vcpu *v)
{
    return &((struct client *)v->domain->process)->windows;
}

static int grant_open(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                      int readonly, uint64_t *address)
{
    return window_show(windows_of(v), granter, gfn, readonly, address);
}

static int grant_close(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                       int readonly)
{
    return window_hide(windows_of(v), granter, gfn, readonly);
}

const struct engine_ops process_ops = {
    .name = "process",
    .domain_resume = nothing,
    .domain_pause = nothing,
    .domain_kill = no_process,
    .domain_free = nothing,
    .port_attach = attach,
    .port_detach = detach,
    .grant_open = grant_open,
    .grant_close = grant_close,
    .cpu_ns = domain_process_cpu_ns,
};

/* ---- hypercalls ---- */

/*
 * What a process may call: what makes sense without memory and vCPUs of one's
 * own. Whether the argument array has a count, third, is the call's ABI.
 */
static bool may_call(unsigned int nr)
{
    return nr == __HYPERVISOR_event_channel_op ||
           nr == __HYPERVISOR_grant_table_op || nr == __HYPERVISOR_xen_version;
}

static bool is_own(const struct domain *d, domid_t domid)
{
    return domid == DOMID_SELF || domid == d->domid;
}

/* The port that a successful call gave its caller, 0: none. */
static evtchn_port_t port_given(const struct domain *d, unsigned int nr,
                                unsigned int cmd, const void *arg)
{
    if (nr != __HYPERVISOR_event_channel_op)
        return 0;
    if (cmd == EVTCHNOP_bind_interdomain)
        return ((const struct evtchn_bind_interdomain *)arg)->local_port;
    if (cmd == EVTCHNOP_bind_virq)
        return ((const struct evtchn_bind_virq *)arg)->port;
    if (cmd == EVTCHNOP_alloc_unbound &&
        is_own(d, ((const struct evtchn_alloc_unbound *)arg)->dom))
        return ((const struct evtchn_alloc_unbound *)arg)->port;
    return 0;
}

/* All turns of a call at once: what came with it is never much. */
static long dispatch(struct vcpu *v, unsigned int nr, uint64_t args[6])
{
    long ret;

    do {
        ret = hypercall_dispatch(v, nr, args);
        memcpy(args, v->continuation, sizeof(v->continuation));
    } while (v->continued);
    return ret;
}

long control_hypercall(struct request *rq)
{
    struct domain *d = rq->client->domain;
    struct vcpu *v = &d->vcpu[0];
    struct control_hypercall *call = rq->reply;
    uint8_t *space = (uint8_t *)rq->reply + sizeof(*call);
    uint64_t args[6] = { 0 };
    long ret = -ENOSYS;

    memcpy(rq->reply, rq->payload, rq->size);
    if ((uint64_t)call->size * call->count != rq->size - sizeof(*call))
        return CONTROL_DROP;
    rq->reply_size = rq->size;
    call->port = 0;
    args[0] = call->cmd;
    args[2] = call->count;
    v->space = space;
    v->space_size = rq->size - sizeof(*call);
    if (may_call(call->nr))
        ret = dispatch(v, call->nr, args);
    v->space = NULL;
    v->space_size = 0;
    if (window_flush(&rq->client->windows))
        return CONTROL_DROP;
    if (!ret)
        call->port = port_given(d, call->nr, call->cmd, space);
    if (call->port &&
        evtchn_fds(d, call->port, &rq->reply_fds[0], &rq->reply_fds[1]))
        call->port = 0;
    return ret;
}

/* ---- windows ---- */

static struct domain *granter_of(struct request *rq)
{
    const struct control_window *w = rq->payload;

    return w->domid < DOMID_FIRST_RESERVED
               ? host_domain(rq->host, (domid_t)w->domid)
               : NULL;
}

long control_window_file(struct request *rq)
{
    struct control_window *w = rq->reply;
    int err;

    memcpy(w, rq->payload, sizeof(*w));
    err =
        window_file(&rq->client->windows, granter_of(rq), w, &rq->reply_fds[0]);
    rq->reply_size = sizeof(*w);
    return err;
}

long control_window_open(struct request *rq)
{
    return window_open(&rq->client->windows, granter_of(rq), rq->payload);
}

/* Everything that the process had mapped of one granter. */
static void release_all(struct domain *d, domid_t granter)
{
    for (grant_handle_t h = 0; h < d->grants.nr_maps; h++) {
        struct grant_map *m = grant_map_of(d, h);

        if (m && m->granter == granter)
            grant_release_map(d, h);
    }
}

long control_window_close(struct request *rq)
{
    const struct control_window *w = rq->payload;
    int shown = window_close(&rq->client->windows, w);

    /* A granter with mappings keeps its domid, so there is but one of it. */
    if (shown > 0)
        release_all(rq->client->domain, (domid_t)w->domid);
    return shown < 0 ? shown : 0;
}
