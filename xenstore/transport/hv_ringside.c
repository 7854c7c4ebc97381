/* The Ringside hypervisor as the store sees it; see hv_ringside.h. */
#include "transport/hv_ringside.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn/transport.h"
#include "hypercall.h"
#include "ringside/client.h"
#include "serve/turn.h"
#include "session/domain_life.h"
#include "session/session.h"
#include "store/store.h"
#include "transport/conn_ring.h"

struct hv_ringside {
    struct rs_client *client;
    struct event_base *base;
    struct store *store;
    evtchn_port_t virq; /* of VIRQ_DOM_EXC; 0: not bound */
    struct event *news, *end;
    struct rs_domain_info *known; /* all domains, during domains_changed() */
    size_t nr_known;
    void (*lost)(void *);
    void *lost_arg;
};

/* A mapped ring and its port: the ctx of a conn_ring. */
struct hv_ring {
    struct hv_ringside *hv;
    struct conn *conn;
    unsigned int domid;
    struct rs_client_mapping map;
    evtchn_port_t port; /* ours; 0: none */
    struct event *raised;
};

/* ---- event channels: edge-triggered, so that nobody has to read them ---- */

static void ring_raised(evutil_socket_t fd, short what, void *arg)
{
    struct hv_ring *r = arg;

    (void)fd;
    (void)what;
    conn_dirty(r->conn);
}

/* Listens on a local port. */
static int port_listen(struct hv_ringside *hv, evtchn_port_t port,
                       event_callback_fn fn, void *arg, struct event **out)
{
    int rx, tx, err = rs_client_port_fds(hv->client, port, &rx, &tx);

    if (err)
        return err;
    *out = event_new(hv->base, rx, EV_READ | EV_ET | EV_PERSIST, fn, arg);
    if (!*out)
        return -ENOMEM;
    if (event_add(*out, NULL)) {
        event_free(*out);
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

static void ring_unbind(struct hv_ring *r)
{
    if (r->raised)
        event_free(r->raised);
    r->raised = NULL;
    if (r->port)
        (void)hypercall_evtchn_close(r->port);
    r->port = 0;
}

static int ring_listen(struct hv_ring *r)
{
    int err = port_listen(r->hv, r->port, ring_raised, r, &r->raised);

    if (err)
        ring_unbind(r);
    return err;
}

static int ring_bind(struct hv_ring *r, uint32_t remote)
{
    int err = (int)hypercall_evtchn_bind_interdomain((domid_t)r->domid, remote,
                                                     &r->port);

    if (err) {
        r->port = 0;
        return -EINVAL; /* the only answer INTRODUCE has for a bad port */
    }
    return ring_listen(r);
}

/* ---- rings ---- */

static int ring_map(struct hv_ring *r)
{
    const grant_ref_t ref = GNTTAB_RESERVED_XENSTORE;
    int n = rs_client_map_grants(r->hv->client, (domid_t)r->domid, &ref, 1,
                                 false, &r->map);

    if (n == 1)
        return 0;
    log_line("domain %u: its store ring cannot be mapped (%d, status %d)",
             r->domid, n, n < 0 ? 0 : r->map.status);
    return n == -ENOMEM ? -ENOMEM : -EINVAL;
}

static void ring_notify(void *ctx)
{
    struct hv_ring *r = ctx;

    if (r->port)
        (void)rs_client_notify(r->hv->client, r->port);
}

static void ring_release(void *ctx)
{
    struct hv_ring *r = ctx;

    ring_unbind(r);
    (void)rs_client_unmap_grants(r->hv->client, &r->map, 1);
    free(r);
}

static void ring_save(void *ctx, struct transport *t)
{
    const struct hv_ring *r = ctx;

    t->port = r->port;
    if (r->port)
        (void)rs_client_port_fds(r->hv->client, r->port, &t->rx, &t->tx);
}

static const struct ring_ops hv_ring_ops = { ring_notify, ring_release,
                                             ring_save };

static int hv_connect(void *ctx, struct store *s, unsigned int domid,
                      uint32_t port, struct conn **conn)
{
    struct hv_ring *r = calloc(1, sizeof(*r));
    int err;

    if (!r)
        return -ENOMEM;
    r->hv = ctx;
    r->domid = domid;
    err = ring_map(r);
    if (err)
        goto out_free;
    err = ring_bind(r, port);
    if (err)
        goto out_unmap;
    r->conn =
        conn_ring_new(s, domain_find(s, domid), r->map.addr, &hv_ring_ops, r);
    if (r->conn) {
        *conn = r->conn;
        return 0;
    }
    err = -ENOMEM;
    ring_unbind(r);
out_unmap:
    (void)rs_client_unmap_grants(r->hv->client, &r->map, 1);
out_free:
    free(r);
    return err;
}

static int hv_rebind(void *ctx, struct conn *conn, uint32_t port)
{
    struct hv_ring *r = conn_ring_ctx(conn);

    (void)ctx;
    ring_unbind(r);
    return ring_bind(r, port);
}

/* ---- domains ---- */

/*
 * Lists all domains with one call, since one call for each may take longer than
 * a slice. If the list fails or may be incomplete, each domain is queried.
 */
static void list_domains(struct hv_ringside *hv)
{
    struct rs_host_info host;
    unsigned int max;
    int n;

    if (rs_client_host_info(hv->client, &host))
        return;
    max = host.domains + 8;
    hv->known = calloc(max, sizeof(*hv->known));
    if (!hv->known)
        return;
    n = rs_client_domain_list(hv->client, hv->known, max);
    if (n >= 0 && (unsigned int)n < max) {
        hv->nr_known = (size_t)n;
        return;
    }
    free(hv->known);
    hv->known = NULL;
}

static int by_domid(const void *key, const void *element)
{
    unsigned int a = *(const unsigned int *)key;
    unsigned int b = ((const struct rs_domain_info *)element)->domid;

    return (a > b) - (a < b);
}

static int domain_info(const struct hv_ringside *hv, unsigned int domid,
                       struct rs_domain_info *info)
{
    const struct rs_domain_info *known;

    if (!hv->known)
        return rs_client_domain_info(hv->client, (domid_t)domid, info);
    known = bsearch(&domid, hv->known, hv->nr_known, sizeof(*known), by_domid);
    if (!known)
        return -ESRCH;
    *info = *known;
    return 0;
}

/*
 * The driver domain keeps its number and its nodes when its process restarts,
 * so that frontends find them again: it always counts as alive.
 */
static int hv_query(void *ctx, unsigned int domid, struct hv_domain *out)
{
    struct rs_domain_info info;
    int err;

    *out = (struct hv_domain){ .state = HV_RUNNING };
    if (domid == RS_DOMID_DRIVER)
        return 0;
    err = domain_info(ctx, domid, &info);
    if (err)
        return err;
    out->birth = info.created_ns;
    if (info.state == RS_DOMAIN_SHUTDOWN)
        out->state = HV_SHUTDOWN;
    else if (info.state == RS_DOMAIN_DYING)
        out->state = HV_DYING;
    return 0;
}

const struct hv_ops hv_ringside_ops = { hv_query, hv_connect, hv_rebind };

/* ---- the connection ---- */

static void domains_changed(evutil_socket_t fd, short what, void *arg)
{
    struct hv_ringside *hv = arg;

    (void)fd;
    (void)what;
    store_clock(hv->store);
    list_domains(hv);
    domain_check_all(hv->store);
    free(hv->known);
    hv->known = NULL;
}

static void hypervisor_gone(evutil_socket_t fd, short what, void *arg)
{
    struct hv_ringside *hv = arg;

    (void)fd;
    (void)what;
    log_line("the hypervisor is gone");
    hv->lost(hv->lost_arg);
}

int hv_ringside_open(struct event_base *base, struct hv_ringside **out)
{
    struct hv_ringside *hv = calloc(1, sizeof(*hv));
    int err;

    if (!hv)
        return -ENOMEM;
    hv->base = base;
    err = rs_client_join(&hv->client);
    if (err) {
        free(hv);
        return err;
    }
    hypercall_carry_over(hv->client);
    *out = hv;
    return 0;
}

int hv_ringside_start(struct hv_ringside *hv, struct store *s,
                      void (*lost)(void *), void *arg)
{
    int err;

    hv->store = s;
    hv->lost = lost;
    hv->lost_arg = arg;
    hv->end = event_new(hv->base, rs_client_fd(hv->client),
                        EV_READ | EV_PERSIST, hypervisor_gone, hv);
    if (!hv->end || event_add(hv->end, NULL))
        return -ENOMEM;
    err = hv->virq
              ? 0
              : (int)hypercall_evtchn_bind_virq(VIRQ_DOM_EXC, 0, &hv->virq);
    if (err)
        return err;
    return port_listen(hv, hv->virq, domains_changed, hv, &hv->news);
}

/* ---- live update ---- */

void hv_ringside_save(const struct hv_ringside *hv, struct hv_link *link)
{
    int tx;

    link->fd = rs_client_fd(hv->client);
    link->virq = hv->virq;
    (void)rs_client_port_fds(hv->client, hv->virq, &link->virq_rx, &tx);
}

static struct hv_ring *ring_of_domain(struct list *pos)
{
    struct conn *c = domain_of(pos)->ring;

    return c ? conn_ring_ctx(c) : NULL;
}

void hv_ringside_unmap(struct hv_ringside *hv)
{
    struct hv_ring *r;
    struct list *pos;

    list_for_each(pos, &hv->store->domain_list) {
        r = ring_of_domain(pos);
        if (r)
            (void)rs_client_unmap_grants(r->hv->client, &r->map, 1);
    }
}

void hv_ringside_remap(struct hv_ringside *hv)
{
    struct list *pos, *tmp;
    struct hv_ring *r;

    list_for_each_safe(pos, tmp, &hv->store->domain_list)
    {
        r = ring_of_domain(pos);
        if (r && ring_map(r))
            conn_end(r->conn);
        else if (r)
            conn_ring_move(r->conn, r->map.addr);
    }
}

int hv_ringside_adopt(struct event_base *base, const struct hv_link *link,
                      struct hv_ringside **out)
{
    struct hv_ringside *hv = calloc(1, sizeof(*hv));
    int err;

    if (!hv)
        return -ENOMEM;
    hv->base = base;
    hv->virq = link->virq;
    err = rs_client_adopt(link->fd, &hv->client);
    if (!err)
        err = rs_client_port_adopt(hv->client, link->virq, link->virq_rx, -1);
    if (err) {
        rs_client_disconnect(hv->client);
        free(hv);
        return err;
    }
    hypercall_carry_over(hv->client);
    *out = hv;
    return 0;
}

/* Binds it to a port that is bound already; a ring may have none. */
static int ring_adopt_port(struct hv_ring *r, const struct transport *t)
{
    int err;

    if (!t->port)
        return 0;
    err = rs_client_port_adopt(r->hv->client, t->port, t->rx, t->tx);
    if (err)
        return err;
    r->port = t->port;
    return ring_listen(r);
}

struct conn *hv_ringside_ring(struct hv_ringside *hv, struct store *s,
                              struct domain *d, const struct transport *t)
{
    struct hv_ring *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->hv = hv;
    r->domid = d->domid;
    if (ring_adopt_port(r, t) || ring_map(r))
        goto out_free;
    r->conn = conn_ring_adopt(s, d, r->map.addr, t, &hv_ring_ops, r);
    if (r->conn)
        return r->conn;
    (void)rs_client_unmap_grants(r->hv->client, &r->map, 1);
out_free:
    ring_unbind(r);
    free(r);
    return NULL;
}

void hv_ringside_poll(struct hv_ringside *hv)
{
    struct list *pos;

    list_for_each(pos, &hv->store->domain_list)
        if (domain_of(pos)->ring)
            conn_dirty(domain_of(pos)->ring);
}

void hv_ringside_close(struct hv_ringside *hv)
{
    if (hv->news)
        event_free(hv->news);
    if (hv->end)
        event_free(hv->end);
    hypercall_carry_over(NULL);
    rs_client_disconnect(hv->client);
    free(hv);
}
