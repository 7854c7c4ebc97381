/*
 * Checks whether this program can take over a store: it builds the whole of it
 * in memory, over transports that do nothing; see state.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "conn/conn.h"
#include "conn/transport.h"
#include "serve/store_life.h"
#include "state/state.h"
#include "store/hv.h"
#include "store/store.h"

static void null_flush(struct conn *c)
{
    (void)c;
}

static void null_reading(struct conn *c, bool on)
{
    (void)c;
    (void)on;
}

static void null_violation(struct conn *c, uint32_t error)
{
    (void)error;
    conn_kill(c);
}

static void null_free(struct conn *c)
{
    if (c->dom->ring == c)
        c->dom->ring = NULL;
    free(c);
}

static void null_save(const struct conn *c, struct transport *t)
{
    (void)c;
    (void)t;
}

static const struct conn_ops null_ops = {
    .kind = "none",
    .flush = null_flush,
    .reading = null_reading,
    .violation = null_violation,
    .restart = null_flush,
    .free = null_free,
    .save = null_save,
};

static struct conn *null_adopt(void *ctx, struct store *s, struct domain *d,
                               const struct transport *t)
{
    struct conn *c = calloc(1, sizeof(*c));

    (void)ctx;
    (void)t;
    if (c)
        conn_init(c, s, d, &null_ops);
    return c;
}

int state_check(const void *data, size_t len, state_daemon_fn *daemon,
                void *ctx, char why[STATE_WHY_MAX])
{
    const struct state_ops ops = { daemon, null_adopt };
    struct store *s = store_new(&hv_none, NULL);
    int err = s ? state_load(s, data, len, &ops, ctx, why) : -ENOMEM;

    if (!s)
        snprintf(why, STATE_WHY_MAX, "no memory");
    else if (!err)
        state_summary(s, why, STATE_WHY_MAX);
    if (s)
        store_free(s);
    return err;
}
