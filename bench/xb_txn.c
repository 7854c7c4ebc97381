/*
 * Transactions: of clients that have nothing to do with each other, and of
 * clients that meet. What a store may merge, because the outcome is the same
 * in either order, should cost no more; the rest it refuses by EAGAIN, and the
 * client begins again.
 */
#include <stdio.h>
#include <string.h>

#include "tools/say.h"
#include "xb.h"

#define TOGETHER 8 /* clients that meet */

static size_t start(const struct xb_client *c, char *out)
{
    (void)c;
    out[0] = '\0';
    return 1;
}

static size_t commit(const struct xb_client *c, char *out)
{
    (void)c;
    memcpy(out, "T", 2);
    return 2;
}

static size_t own_path(const struct xb_client *c, char *out)
{
    return (size_t)sprintf(out, "/bench/%u/v", c->id) + 1;
}

static size_t shared_path(const struct xb_client *c, char *out)
{
    (void)c;
    return (size_t)sprintf(out, "/bench/shared/v") + 1;
}

static size_t with_value(size_t n, char *out)
{
    memset(out + n, 'v', XB_VALUE);
    return n + XB_VALUE;
}

static size_t own_write(const struct xb_client *c, char *out)
{
    return with_value(own_path(c, out), out);
}

static size_t shared_write(const struct xb_client *c, char *out)
{
    return with_value(shared_path(c, out), out);
}

/* Each client's child of one directory; another one every time. */
static size_t child_write(const struct xb_client *c, char *out)
{
    static unsigned int serial;

    return with_value(
        (size_t)sprintf(out, "/bench/shared/%u-%x", c->id, ++serial) + 1, out);
}

/* Another value every time. */
static size_t shared_set(const struct xb_client *c, char *out)
{
    static unsigned int serial;
    size_t n = shared_path(c, out);

    return n + (size_t)sprintf(out + n, "%u", ++serial);
}

static size_t count_path(const struct xb_client *c, char *out)
{
    (void)c;
    return (size_t)sprintf(out, "/bench/count") + 1;
}

/* One more than what was read. */
static size_t count_write(const struct xb_client *c, char *out)
{
    size_t n = count_path(c, out);

    return n +
           (size_t)sprintf(out + n, "%llu", (unsigned long long)c->number + 1);
}

#define START                                               \
    {                                                       \
        { .type = XS_TRANSACTION_START, .reply = 4 }, start \
    }
#define COMMIT                                             \
    {                                                      \
        { .type = XS_TRANSACTION_END, .reply = 3 }, commit \
    }
#define READ(path)                                   \
    {                                                \
        { .type = XS_READ, .reply = XB_VALUE }, path \
    }
#define WRITE(payload)                            \
    {                                             \
        { .type = XS_WRITE, .reply = 3 }, payload \
    }

static const struct xb_load private = {
    "txn_private", 4, { START, READ(own_path), WRITE(own_write), COMMIT }
};

static const struct xb_load together[] = {
    /* one node, which stays what it is: reads and writes agree */
    { "txn_shared",
      4,
      { START, READ(shared_path), WRITE(shared_write), COMMIT } },
    /* different new children of one node */
    { "txn_siblings", 3, { START, WRITE(child_write), COMMIT } },
    /* one node, which everybody sets to something else: the last one would
     * win, but which one that is depends on the order */
    { "txn_set", 3, { START, WRITE(shared_set), COMMIT } },
    /* one node, which everybody changes after having read it */
    { "txn_count", 4, { START, READ(count_path), WRITE(count_write), COMMIT } },
};

static int prepare(struct xb_pair *b)
{
    struct xb_pool p;
    int err = xb_pool_open(&p, &b->store, 1);

    if (err)
        return err;
    err = xb_write(&p, "/bench/shared/v", XB_VALUE);
    if (!err)
        err = xb_write(&p, "/bench/count", 0);
    xb_pool_close(&p);
    return err;
}

/* "NAME" with its processor time, and "NAME_eagain". */
static int measure_together(struct xb_pair *b, const struct xb_load *load)
{
    struct xb_samples s;
    char name[64];
    int err = xb_sample(b, load, TOGETHER, &s);

    if (err)
        return err;
    snprintf(name, sizeof(name), "%s_%u", load->name, TOGETHER);
    xb_report(b, name, &s);
    snprintf(name, sizeof(name), "xenstore.%s_%u_eagain", load->name, TOGETHER);
    bench_report(b->o, name, &s.retries, "/commit", NULL, NULL);
    return 0;
}

int xb_measure_txn(struct xb_pair *b)
{
    static const unsigned int clients[] = { 1, 8, 64 };
    struct xb_samples s;
    char name[32];
    int err = prepare(b);

    for (unsigned int i = 0; !err && i < 3; i++) {
        err = xb_sample(b, &private, clients[i], &s);
        snprintf(name, sizeof(name), "%s_%u", private.name, clients[i]);
        if (!err)
            xb_report(b, name, &s);
    }
    for (size_t i = 0; !err && i < sizeof(together) / sizeof(together[0]); i++)
        err = measure_together(b, &together[i]);
    return err;
}
