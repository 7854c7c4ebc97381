/*
 * Event channels: ports, and the eventfds between two of them. See evtchn.h.
 */
#include "evtchn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "domain.h"
#include "evtchn_bits.h"
#include "invariant.h"

/* ---- files ---- */

static int raise_file(int fd)
{
    uint64_t one = 1;

    /* EAGAIN: the counter is full, so the reader has been notified. */
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

/* What a port costs of its domain's share. */
static uint32_t files_of(const struct evtchn *e)
{
    return e->state == EVTCHNSTAT_unbound ? 2 : 1;
}

/* Takes them before the port is made; a process has no share, but all that is
 * free. */
static int charge(struct domain *d, uint32_t n)
{
    uint32_t held = d->is_process ? 0 : d->files + d->evtchn.files;
    int err = host_charge_files(d->host, n, held);

    if (!err)
        d->evtchn.files += n;
    return err;
}

static void uncharge(struct domain *d, uint32_t n)
{
    invariant(d, d->evtchn.files >= n);
    host_uncharge_files(d->host, n);
    d->evtchn.files -= n;
}

/* The state of a port that is there, which changes what it costs; the sum of
 * both ends stays what it was. */
static void set_state(struct domain *d, struct evtchn *e, uint8_t state)
{
    uint32_t before = files_of(e);

    e->state = state;
    d->evtchn.files += files_of(e) - before;
    d->host->files_used += files_of(e) - before;
}

static void channel_put(struct channel *c)
{
    assert(c->refs > 0);
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
    d->evtchn.lowest = 1;
    d->evtchn.ports = calloc(d->evtchn.nr, sizeof(struct evtchn));
    return d->evtchn.ports ? 0 : -ENOMEM;
}

struct evtchn *evtchn_of(struct domain *d, evtchn_port_t port)
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
        for (; t->lowest < t->nr; t->lowest++)
            if (t->ports[t->lowest].state == EVTCHNSTAT_closed) {
                *port = t->lowest;
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
    invariant(d, d->evtchn.ports[port].state == EVTCHNSTAT_closed);
    d->evtchn.ports[port] = e;
    d->evtchn.used++;
    *out = port;
    return 0;
}

/* ---- operations ---- */

/* A port with a channel of its own, whose end 0 it has. */
static int install_new(struct domain *d, struct evtchn e, evtchn_port_t *port)
{
    uint32_t n = files_of(&e);
    int err = charge(d, n);

    assert_host_locked(d->host);
    if (err)
        return err;
    e.channel = channel_new(n == 1);
    err = e.channel ? install(d, e, port) : -ENOMEM;
    if (err)
        uncharge(d, n);
    return err;
}

int evtchn_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port)
{
    return install_new(
        d, (struct evtchn){ .state = EVTCHNSTAT_unbound, .remote = remote },
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
        return -ESRCH; /* a dying one is there, but has no ports to bind to */
    re = rd->dying ? NULL : evtchn_of(rd, remote_port);
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
    re = evtchn_of(rd, remote_port); /* install() may have moved the table */
    invariant(rd, re && re->channel == e.channel && re->channel->refs == 2);
    d->evtchn.files++;
    d->host->files_used++;
    set_state(rd, re, EVTCHNSTAT_interdomain);
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
    err = install_new(d,
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
    return install_new(
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
    struct evtchn *e = evtchn_of(d, port);
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
    struct evtchn *re = rd ? evtchn_of(rd, e->remote_port) : NULL;

    if (re && re->channel == e->channel) {
        set_state(rd, re, EVTCHNSTAT_unbound);
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
    struct evtchn *slot = evtchn_of(d, port);
    struct evtchn e;

    if (!slot)
        return -EINVAL;
    assert_host_locked(d->host);
    e = *slot;
    memset(slot, 0, sizeof(*slot));
    invariant(d, d->evtchn.used > 0);
    d->evtchn.used--;
    uncharge(d, files_of(&e));
    if (port < d->evtchn.lowest)
        d->evtchn.lowest = port;
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

#define CLOSE_STEP 16u

bool evtchn_close_some(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;

    for (unsigned int i = 0; i < CLOSE_STEP && t->nr > 1; i++) {
        evtchn_close(d, t->nr - 1);
        t->nr--;
    }
    if (t->nr > 1)
        return true;
    free(t->ports);
    memset(t, 0, sizeof(*t));
    return false;
}

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_of(d, port);

    if (!e || e->state == EVTCHNSTAT_virq)
        return -EINVAL;
    return raise_file(tx_of(e));
}

void evtchn_raise_virq(struct vcpu *v, uint32_t virq)
{
    struct domain *d = v->domain;
    struct evtchn *e = evtchn_of(d, d->evtchn.virq_port[v->id][virq]);

    if (e)
        raise_file(e->channel->fd[0]);
}

int evtchn_fds(struct domain *d, evtchn_port_t port, int *rx, int *tx)
{
    struct evtchn *e = evtchn_of(d, port);

    if (!e)
        return -ENOENT;
    *rx = e->channel->fd[e->end];
    *tx = tx_of(e);
    return 0;
}

/*
 * If the port's vCPU is another than the caller, it may sleep: its file wakes
 * it, and a look at the pending bit that is set already harms nobody.
 */
int evtchn_unmask(struct vcpu *v, evtchn_port_t port)
{
    struct domain *d = v->domain;
    const struct evtchn *e = evtchn_of(d, port);
    struct shared_info *si;

    if (d->is_process || port >= d->evtchn.max)
        return -EINVAL;
    si = memory_own_page(d, MEMORY_OWN_SHARED_INFO);
    evtchn_bits_unmask(si, vcpu_info_of(e ? &d->vcpu[e->vcpu] : v), port);
    if (e && e->vcpu != v->id && evtchn_bits_test(si->evtchn_pending, port))
        return raise_file(e->channel->fd[e->end]);
    return 0;
}
