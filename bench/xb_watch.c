/*
 * Watches: how soon another client hears of a write, and how many events a
 * second reach 64 of them. One client writes, the others watch; the next write
 * is sent when all have heard of the last.
 */
#include <stdio.h>
#include <string.h>

#include "tools/say.h"
#include "xb.h"

#define WATCHERS 64
#define WARM_NS  20000000
#define RUN_NS   200000000
#define NODE     "/bench/watched"

struct fan {
    unsigned int missing; /* events of this write that have not come */
    uint64_t events, ns;
};

static int on_event(struct xb_pool *p, struct xb_client *c,
                    const struct xsd_sockmsg *m, const char *payload)
{
    struct fan *f = p->arg;

    (void)c;
    if (m->type == XS_ERROR)
        return complain("watch: the store answers %.*s", (int)m->len, payload);
    if (m->type == XS_WATCH_EVENT && f->missing) {
        f->missing--;
        f->events++;
    }
    return 0;
}

/* Until a request's reply and its events have come. */
static int await(struct xb_pool *p, const struct xb_client *c,
                 const struct fan *f)
{
    int n = 1;

    while (n >= 0 && (f->missing || !c->idle))
        if ((n = xb_poll(p, 10000)) == 0)
            n = complain("watch: events are missing");
    return n < 0 ? n : 0;
}

static int one_write(struct xb_pool *p, struct fan *f)
{
    static const char payload[] = NODE "\0a value";
    struct xb_request rq = { XS_WRITE, 3, sizeof(NODE) + 2 };
    int err;

    f->missing = p->n - 1;
    err = xb_send(p, &p->client[0], &rq, payload, sizeof(payload) - 1);
    return err ? err : await(p, &p->client[0], f);
}

static int write_for(struct xb_pool *p, uint64_t ns, struct fan *f)
{
    uint64_t start = bench_now();
    int err = 0;

    *f = (struct fan){ .events = 0 };
    while (!err && bench_now() < start + ns)
        err = one_write(p, f);
    f->ns = bench_now() - start;
    return err;
}

/*
 * Each watch is acknowledged, and has one event at once. The echoing daemon
 * must have seen all connections, too, before one of them writes.
 */
static int watch_all(struct xb_pool *p, struct fan *f)
{
    static const char payload[] = NODE "\0t";
    struct xb_request rq = { .type = XS_WATCH, .reply = 3 };
    int err = 0;

    for (unsigned int i = 1; !err && i < p->n; i++) {
        f->missing = !p->peer->echo;
        err = xb_send(p, &p->client[i], &rq, payload, sizeof(payload));
        if (!err)
            err = await(p, &p->client[i], f);
    }
    return err;
}

/* Microseconds of a write's whole way; events per second, daemon's us each. */
static int sample(struct xb_peer *peer, unsigned int watchers, double *us,
                  double *rate, double *cpu)
{
    struct xb_pool p;
    struct fan f = { .events = 0 };
    int err = xb_pool_open(&p, peer, watchers + 1);

    if (err)
        return err;
    p.on = on_event;
    p.arg = &f;
    err = watch_all(&p, &f);
    if (!err)
        err = write_for(&p, WARM_NS, &f);
    *cpu = xb_peer_cpu(peer);
    if (!err)
        err = write_for(&p, RUN_NS, &f);
    *cpu = (xb_peer_cpu(peer) - *cpu) / 1e3 / (double)f.events;
    *us = (double)f.ns / 1e3 / (double)f.events * watchers;
    *rate = (double)f.events / ((double)f.ns / 1e9);
    xb_pool_close(&p);
    return err;
}

int xb_measure_watch(struct xb_pair *b)
{
    struct bench_series us[2], rate[2], cpu[2];
    struct xb_peer *peer[2] = { &b->store, &b->echo };
    double unused, x, y;
    int err = 0;

    memset(us, 0, sizeof(us));
    memset(rate, 0, sizeof(rate));
    memset(cpu, 0, sizeof(cpu));
    for (unsigned int i = 0; !err && i < 2 * b->o->runs; i++) {
        err = sample(peer[i % 2], 1, &x, &unused, &y);
        bench_add(&us[i % 2], x);
        if (!err)
            err = sample(peer[i % 2], WATCHERS, &unused, &x, &y);
        bench_add(&rate[i % 2], x);
        bench_add(&cpu[i % 2], y);
    }
    if (err)
        return err;
    bench_report(b->o, "xenstore.watch_latency_us", &us[0], "us", &us[1],
                 "echoed to two sockets");
    bench_report(b->o, "xenstore.watch_events_64", &rate[0], "1/s", &rate[1],
                 "echoed to 65 sockets");
    bench_report(b->o, "xenstore.watch_events_64_cpu_us", &cpu[0], "us",
                 &cpu[1], "the echoing daemon's");
    return 0;
}
