/* Requests about the session: watches and transactions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "request/request.h"
#include "session/session.h"

/* Parses path and token of WATCH and UNWATCH, and a depth if one may be. */
static int watch_args(struct request *rq, const char **token, uint64_t *depth)
{
    const char *arg[3];
    int n = wire_strings(rq->data, rq->len, arg, 3);

    if (n < 2 || n > (rq->hdr.type == XS_WATCH ? 3 : 2))
        return -EINVAL;
    *depth = WATCH_ANY_DEPTH;
    if (n == 3 && (!(rq->c->dom->features & XS_FEATURE_WATCH_DEPTH) ||
                   wire_number(arg[2], WATCH_ANY_DEPTH - 1, depth)))
        return -EINVAL;
    *token = arg[1];
    return request_path(rq, arg[0], strlen(arg[0]), true);
}

/* The acknowledgement, then one event for the path itself. */
int req_watch(struct request *rq)
{
    const struct path *p = &rq->s->path;
    const char *token;
    uint64_t depth;
    int err = watch_args(rq, &token, &depth);

    if (!err)
        err = watch_add(rq->s, rq->c, p, token, strlen(token), (uint32_t)depth);
    if (!err)
        err = reply_ack(rq);
    if (!err)
        conn_event(rq->c, p->str + p->prefix, (size_t)p->len - p->prefix, token,
                   strlen(token));
    return err;
}

int req_unwatch(struct request *rq)
{
    const char *token;
    uint64_t depth;
    int err = watch_args(rq, &token, &depth);

    if (!err)
        err = watch_del(rq->s, rq->c, &rq->s->path, token, strlen(token));
    return err ? err : reply_ack(rq);
}

int req_reset_watches(struct request *rq)
{
    conn_reset_watches(rq->c);
    rq->t = NULL;
    return reply_ack(rq);
}

int req_transaction_start(struct request *rq)
{
    struct txn *t;
    char id[16];
    int err;

    if (rq->t)
        return -EBUSY;
    if (update_holds(rq->c))
        return REQUEST_LATER;
    err = txn_start(rq->c, &t);
    if (err)
        return err;
    snprintf(id, sizeof(id), "%u", t->id);
    return reply_string(rq, id);
}

int req_transaction_end(struct request *rq)
{
    bool commit;
    int err = 0;

    if (rq->len != 2 || rq->data[1] ||
        (rq->data[0] != 'T' && rq->data[0] != 'F'))
        return -EINVAL;
    if (!rq->t)
        return -ENOENT;
    commit = rq->data[0] == 'T';
    if (commit)
        err = txn_commit(rq->t);
    txn_end(rq->t);
    rq->t = NULL;
    return err ? err : reply_ack(rq);
}
