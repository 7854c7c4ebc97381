/*
 * A hundred thousand nodes: whether creating them stays as fast as it began,
 * what they weigh, and how long it takes to remove them and what others feel
 * of that. Every filling has a daemon of its own, whose memory tells.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/say.h"
#include "xb.h"

#define NODES      100000
#define PIECE      10000 /* the first ones are compared with the last */
#define CLIENTS    8
#define SETTLE_MS  100 /* in which a store frees what it has removed */
#define VALUE      16
#define IN_ONE_DIR 100

static unsigned int serial;

static size_t sibling_path(const struct xb_client *c, char *out)
{
    (void)c;
    return (size_t)sprintf(out, "/many/%x", serial++) + 1;
}

static size_t with_value(size_t n, char *out)
{
    memset(out + n, 'v', VALUE);
    return n + VALUE;
}

static size_t sibling_write(const struct xb_client *c, char *out)
{
    return with_value(sibling_path(c, out), out);
}

/* In a thousand directories. */
static size_t spread_write(const struct xb_client *c, char *out)
{
    unsigned int n = serial++;

    (void)c;
    return with_value(
        (size_t)sprintf(out, "/many/%x/%x", n / IN_ONE_DIR, n % IN_ONE_DIR) + 1,
        out);
}

static const struct xb_load siblings = {
    "mkdir", 1, { { { XS_MKDIR, 3, 0 }, sibling_path } }
};
static const struct xb_load siblings16 = {
    "write", 1, { { { XS_WRITE, 3, 0 }, sibling_write } }
};
static const struct xb_load spread16 = {
    "write", 1, { { { XS_WRITE, 3, 0 }, spread_write } }
};

struct many {
    struct xb_result first, last;
    double bytes; /* of a node */
    double rm_ms, rm_cpu_ms, stall_ms;
};

static int fill(struct xb_pool *p, const struct xb_load *load, struct many *m)
{
    struct xb_result rest;
    double before = xb_peer_memory(p->peer);
    int err;

    serial = 0;
    err = xb_run(p, load, PIECE, 0, &m->first);
    if (!err)
        err = xb_run(p, load, NODES - 2 * PIECE, 0, &rest);
    if (!err)
        err = xb_run(p, load, PIECE, 0, &m->last);
    m->bytes = (xb_peer_memory(p->peer) - before) / NODES;
    return err;
}

/* ---- removal ---- */

/* Client 0 removes; client 1, if it takes part, reads all the time. */
struct removal {
    uint64_t sent, removed; /* when; 0: not yet */
    uint64_t read, worst;   /* when the last read was sent; ns */
};

static int send_read(struct xb_pool *p, struct removal *r)
{
    struct xb_request rq = { .type = XS_READ };

    r->read = bench_now();
    return xb_send(p, &p->client[1], &rq, "/tool", 6);
}

static int on_removal(struct xb_pool *p, struct xb_client *c,
                      const struct xsd_sockmsg *m, const char *payload)
{
    struct removal *r = p->arg;
    uint64_t now = bench_now();

    if (m->type == XS_ERROR)
        return complain("rm: the store answers %.*s", (int)m->len, payload);
    if (c->id == 0) {
        r->removed = now;
        return 0;
    }
    if (now - r->read > r->worst)
        r->worst = now - r->read;
    if (r->removed && now > r->removed + SETTLE_MS * 1000000u)
        return 0;
    return send_read(p, r);
}

static int removal_run(struct xb_pool *p, bool reader, struct removal *r)
{
    struct xb_request rq = { .type = XS_RM };
    int err = 0;

    p->on = on_removal;
    p->arg = r;
    if (reader)
        err = send_read(p, r);
    r->sent = bench_now();
    if (!err)
        err = xb_send(p, &p->client[0], &rq, "/many", 6);
    while (!err && !(p->client[0].idle && p->client[1].idle))
        if (xb_poll(p, 10000) <= 0)
            err = -EINVAL;
    return err;
}

static void settle(void)
{
    const struct timespec t = { .tv_nsec = SETTLE_MS * 1000000 };

    nanosleep(&t, NULL);
}

static int remove_all(struct xb_pool *p, bool reader, struct many *m)
{
    struct removal r = { .sent = 0 };
    double cpu = xb_peer_cpu(p->peer);
    int err = removal_run(p, reader, &r);

    settle();
    m->rm_ms = (double)(r.removed - r.sent) / 1e6;
    m->rm_cpu_ms = (xb_peer_cpu(p->peer) - cpu) / 1e6;
    m->stall_ms = (double)r.worst / 1e6;
    return err;
}

/* What the C library alone takes to give back as many pieces, ms. */
static double native_free_ms(void)
{
    void **piece = calloc(NODES, sizeof(*piece));
    uint64_t start;

    for (unsigned int i = 0; piece && i < NODES; i++)
        piece[i] = malloc(64);
    start = bench_now();
    for (unsigned int i = 0; piece && i < NODES; i++)
        free(piece[i]);
    start = bench_now() - start;
    free(piece);
    return (double)start / 1e6;
}

/* ---- figures ---- */

static int one_filling(const struct xb_load *load, bool reader, struct many *m)
{
    struct xb_peer peer;
    struct xb_pool p;
    int err = xb_peer_start(&peer, false);

    if (err)
        return err;
    err = xb_pool_open(&p, &peer, CLIENTS);
    if (!err) {
        err = xb_ask_path(&p, XS_MKDIR, "/many");
        if (!err)
            err = fill(&p, load, m);
        if (!err)
            err = remove_all(&p, reader, m);
        xb_pool_close(&p);
    }
    xb_peer_end(&peer);
    return err;
}

struct many_series {
    struct bench_series first, last, bytes, bytes_siblings, rm, rm_cpu, stall,
        native;
};

static int sample(struct many_series *s)
{
    struct many m;
    int err = one_filling(&siblings, false, &m);

    if (!err) {
        bench_add(&s->first, xb_rate(&m.first));
        bench_add(&s->last, xb_rate(&m.last));
        err = one_filling(&siblings16, true, &m);
    }
    if (!err) {
        bench_add(&s->bytes_siblings, m.bytes);
        bench_add(&s->stall, m.stall_ms);
        err = one_filling(&spread16, false, &m);
    }
    if (!err) {
        bench_add(&s->bytes, m.bytes);
        bench_add(&s->rm, m.rm_ms);
        bench_add(&s->rm_cpu, m.rm_cpu_ms);
        bench_add(&s->native, native_free_ms());
    }
    return err;
}

int xb_measure_many(struct xb_pair *b)
{
    const struct bench_options *o = b->o;
    struct many_series s;
    int err = 0;

    memset(&s, 0, sizeof(s));
    for (unsigned int i = 0; !err && i < o->runs; i++)
        err = sample(&s);
    if (err)
        return err;
    bench_report(o, "xenstore.mkdir_8_last", &s.last, "1/s", &s.first,
                 "the first 10,000 of 100,000");
    bench_report(o, "xenstore.bytes_per_node", &s.bytes, "B", NULL, NULL);
    bench_report(o, "xenstore.bytes_per_sibling", &s.bytes_siblings, "B", NULL,
                 NULL);
    bench_report(o, "xenstore.rm_100000_ms", &s.rm, "ms", &s.native,
                 "free() of 100,000 pieces");
    bench_report(o, "xenstore.rm_100000_cpu_ms", &s.rm_cpu, "ms", &s.native,
                 "free() of 100,000 pieces");
    bench_report(o, "xenstore.rm_100000_stall_ms", &s.stall, "ms", NULL, NULL);
    return 0;
}
