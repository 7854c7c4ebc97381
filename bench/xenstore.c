/*
 * The group xenstore: what a store daemon takes for each kind of request, from
 * 1, 8 and 64 clients.
 */
#include <stdio.h>
#include <string.h>

#include "tools/say.h"
#include "xb.h"

#define CLIENTS_MAX 64
#define CHILDREN    100 /* of the directory that is listed */

static size_t own_path(const struct xb_client *c, char *out)
{
    return (size_t)sprintf(out, "/bench/%u/v", c->id) + 1;
}

static size_t own_write(const struct xb_client *c, char *out)
{
    size_t n = own_path(c, out);

    memset(out + n, 'v', XB_VALUE);
    return n + XB_VALUE;
}

static size_t dir_path(const struct xb_client *c, char *out)
{
    (void)c;
    memcpy(out, "/bench/dir", 11);
    return 11;
}

/* A node that was never there: not in an earlier run either. */
static size_t fresh_path(const struct xb_client *c, char *out)
{
    static unsigned int serial;

    return (size_t)sprintf(out, "/bench/%u/%x", c->id, ++serial) + 1;
}

static const struct xb_load loads[] = {
    { "read", 1, { { { XS_READ, XB_VALUE, 0 }, own_path } } },
    { "write", 1, { { { XS_WRITE, 3, 0 }, own_write } } },
    { "directory100", 1, { { { XS_DIRECTORY, CHILDREN * 4, 0 }, dir_path } } },
    { "mkdir", 1, { { { XS_MKDIR, 3, 0 }, fresh_path } } },
};
#define NR_LOADS (sizeof(loads) / sizeof(loads[0]))

/* The nodes that the loads use. */
static int prepare(struct xb_pair *b)
{
    char path[32];
    struct xb_pool p;
    int err = xb_pool_open(&p, &b->store, 1);

    if (err)
        return err;
    for (unsigned int i = 0; !err && i < CLIENTS_MAX; i++) {
        snprintf(path, sizeof(path), "/bench/%u/v", i);
        err = xb_write(&p, path, XB_VALUE);
    }
    for (unsigned int i = 0; !err && i < CHILDREN; i++)
        err = xb_ask_path(&p, XS_MKDIR, "/bench/dir/n%02u", i);
    xb_pool_close(&p);
    return err;
}

/* Takes away what a load has created. */
static int clean(struct xb_pair *b)
{
    struct xb_pool p;
    int err = xb_pool_open(&p, &b->store, 1);

    if (err)
        return err;
    err = xb_ask_path(&p, XS_RM, "/bench");
    xb_pool_close(&p);
    return err ? err : prepare(b);
}

static int measure_loads(struct xb_pair *b)
{
    static const unsigned int clients[] = { 1, 8, CLIENTS_MAX };
    struct xb_samples s;
    char name[32];
    int err = 0;

    for (unsigned int i = 0; !err && i < 3 * NR_LOADS; i++) {
        const struct xb_load *load = &loads[i / 3];

        err = xb_sample(b, load, clients[i % 3], &s);
        if (!err)
            err = clean(b);
        if (err)
            break;
        snprintf(name, sizeof(name), "%s_%u", load->name, clients[i % 3]);
        xb_report(b, name, &s);
    }
    return err;
}

static int measure_all(struct xb_pair *b)
{
    int err = prepare(b);

    if (!err)
        err = measure_loads(b);
    if (!err)
        err = xb_measure_txn(b);
    if (!err)
        err = xb_measure_many(b);
    if (!err)
        err = xb_measure_watch(b);
    return err;
}

int bench_xenstore(const struct bench_options *o)
{
    struct xb_pair b = { .o = o };
    int err;

    xb_place_clients();
    err = xb_peer_start(&b.store, false);
    if (!err) {
        err = xb_peer_start(&b.echo, true);
        if (!err)
            err = measure_all(&b);
        xb_peer_end(&b.echo);
        xb_peer_end(&b.store);
    }
    xb_place_back();
    if (!err)
        err = bench_xenstore_hostile(o);
    return err;
}
