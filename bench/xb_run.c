/* Loads: operations that all clients of a pool repeat; see xb.h. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/say.h"
#include "xb.h"

#define PATIENCE_MS 10000

struct run {
    const struct xb_load *load;
    uint64_t ops, done, retries, until; /* CLOCK_MONOTONIC; 0: no limit */
    bool over;
};

static int run_step(struct xb_pool *p, struct xb_client *c)
{
    struct run *r = p->arg;
    const struct xb_step *s = &r->load->step[c->step];
    char payload[XENSTORE_PAYLOAD_MAX];

    return xb_send(p, c, &s->rq, payload, s->payload(c, payload));
}

/* The reply's part in the operation. Returns 1 if it is to begin again. */
static int run_take(const struct xb_load *load, struct xb_client *c,
                    const struct xsd_sockmsg *m, const char *payload)
{
    uint32_t type = load->step[c->step].rq.type;

    if (type == XS_TRANSACTION_END)
        c->tx = 0;
    if (m->type == XS_ERROR && type == XS_TRANSACTION_END && m->len == 7 &&
        payload[0] == 'E' && payload[2] == 'G')
        return 1;
    if (m->type != type)
        return complain("%s: the store answers %.*s", load->name, (int)m->len,
                        payload);
    if (type == XS_TRANSACTION_START)
        c->tx = (uint32_t)strtoul(payload, NULL, 10);
    if (type == XS_READ)
        xb_take_number(c, payload, m->len);
    return 0;
}

static int on_reply(struct xb_pool *p, struct xb_client *c,
                    const struct xsd_sockmsg *m, const char *payload)
{
    struct run *r = p->arg;
    int again = 0;

    if (m->type == XS_WATCH_EVENT)
        return 0;
    if (!p->peer->echo)
        again = run_take(r->load, c, m, payload);
    if (again < 0)
        return again;
    r->retries += (uint64_t)again;
    if (again || ++c->step == r->load->nr_steps)
        c->step = 0;
    if (c->step == 0 && !again) {
        c->seq++;
        r->done++;
    }
    if (c->step == 0 && r->over)
        return 0;
    return run_step(p, c);
}

static bool all_idle(const struct xb_pool *p)
{
    for (unsigned int i = 0; i < p->n; i++)
        if (!p->client[i].idle)
            return false;
    return true;
}

/* Stops in time: those that are at work finish an operation each. */
static void look_at_clock(const struct xb_pool *p, struct run *r)
{
    if (r->done + p->n >= r->ops || (r->until && bench_now() >= r->until))
        r->over = true;
}

int xb_run(struct xb_pool *p, const struct xb_load *load, uint64_t ops,
           uint64_t ns, struct xb_result *res)
{
    struct run r = { .load = load, .ops = ops };
    double cpu = xb_peer_cpu(p->peer);
    uint64_t start = bench_now();
    int err = 0, n;

    r.until = ns ? start + ns : 0;
    p->on = on_reply;
    p->arg = &r;
    for (unsigned int i = 0; !err && i < p->n; i++) {
        p->client[i].step = 0;
        err = run_step(p, &p->client[i]);
    }
    do {
        look_at_clock(p, &r);
        n = err ? err : xb_poll(p, PATIENCE_MS);
    } while (n > 0 && !(r.over && all_idle(p)));
    *res = (struct xb_result){ .ops = (double)r.done,
                               .retries = (double)r.retries,
                               .ns = (double)(bench_now() - start),
                               .cpu_ns = xb_peer_cpu(p->peer) - cpu };
    if (n == 0)
        return complain("%s: the bench's daemon does not answer", load->name);
    return n < 0 ? n : 0;
}

double xb_rate(const struct xb_result *r)
{
    return r->ops / (r->ns / 1e9);
}

double xb_cpu_us(const struct xb_result *r)
{
    return r->cpu_ns / 1e3 / r->ops;
}

/* ---- samples ---- */

#define WARM_NS 20000000
#define RUN_NS  200000000

static int sample_one(struct xb_peer *peer, const struct xb_load *load,
                      unsigned int n, struct xb_result *r)
{
    struct xb_pool p;
    int err = xb_pool_open(&p, peer, n);

    if (err)
        return err;
    err = xb_run(&p, load, UINT64_MAX, WARM_NS, r);
    if (!err)
        err = xb_run(&p, load, UINT64_MAX, RUN_NS, r);
    xb_pool_close(&p);
    return err;
}

int xb_sample(struct xb_pair *b, const struct xb_load *load, unsigned int n,
              struct xb_samples *s)
{
    struct xb_peer *peer[2] = { &b->store, &b->echo };
    struct xb_result r;
    int err = 0;

    *s = (struct xb_samples){ .retries.n = 0 };
    for (unsigned int i = 0; i < 2 * b->o->runs && !err; i++) {
        err = sample_one(peer[i % 2], load, n, &r);
        if (err)
            break;
        bench_add(&s->rate[i % 2], xb_rate(&r));
        bench_add(&s->cpu[i % 2], xb_cpu_us(&r));
        if (i % 2 == 0)
            bench_add(&s->retries, r.retries / r.ops);
    }
    return err;
}

void xb_report(const struct xb_pair *b, const char *name,
               const struct xb_samples *s)
{
    char full[64];

    snprintf(full, sizeof(full), "xenstore.%s", name);
    bench_report(b->o, full, &s->rate[0], "1/s", &s->rate[1],
                 "the same messages echoed");
    snprintf(full, sizeof(full), "xenstore.%s_cpu_us", name);
    bench_report(b->o, full, &s->cpu[0], "us", &s->cpu[1],
                 "the echoing daemon's");
}
