/* Requests: the table and the dispatch; see request.h. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "request/request.h"
#include "txn/txn_snapshot.h"

#define PRIVILEGED 1 /* refused to guests: EACCES */
#define NO_TXN     2 /* the transaction id does not matter */

/* Characters of a payload that a trace shows. */
#define TRACE_TEXT_MAX 160

struct request_type {
    const char *name;
    int (*serve)(struct request *rq);
    unsigned int flags;
};

static const struct request_type request_types[] = {
    [XS_CONTROL] = { "CONTROL", req_control, PRIVILEGED },
    [XS_DIRECTORY] = { "DIRECTORY", req_directory, 0 },
    [XS_READ] = { "READ", req_read, 0 },
    [XS_GET_PERMS] = { "GET_PERMS", req_get_perms, 0 },
    [XS_WATCH] = { "WATCH", req_watch, NO_TXN },
    [XS_UNWATCH] = { "UNWATCH", req_unwatch, NO_TXN },
    [XS_TRANSACTION_START] = { "TRANSACTION_START", req_transaction_start, 0 },
    [XS_TRANSACTION_END] = { "TRANSACTION_END", req_transaction_end, 0 },
    [XS_INTRODUCE] = { "INTRODUCE", req_introduce, PRIVILEGED },
    [XS_RELEASE] = { "RELEASE", req_release, PRIVILEGED },
    [XS_GET_DOMAIN_PATH] = { "GET_DOMAIN_PATH", req_get_domain_path, 0 },
    [XS_WRITE] = { "WRITE", req_write, 0 },
    [XS_MKDIR] = { "MKDIR", req_mkdir, 0 },
    [XS_RM] = { "RM", req_rm, 0 },
    [XS_SET_PERMS] = { "SET_PERMS", req_set_perms, 0 },
    [XS_IS_DOMAIN_INTRODUCED] = { "IS_DOMAIN_INTRODUCED",
                                  req_is_domain_introduced, PRIVILEGED },
    [XS_RESUME] = { "RESUME", req_resume, PRIVILEGED },
    [XS_SET_TARGET] = { "SET_TARGET", req_set_target, PRIVILEGED },
    [XS_RESET_WATCHES] = { "RESET_WATCHES", req_reset_watches, 0 },
    [XS_DIRECTORY_PART] = { "DIRECTORY_PART", req_directory_part, 0 },
    [RS_XS_GET_FEATURE] = { "GET_FEATURE", req_get_feature, 0 },
    [RS_XS_SET_FEATURE] = { "SET_FEATURE", req_set_feature, PRIVILEGED },
    [RS_XS_GET_QUOTA] = { "GET_QUOTA", req_get_quota, PRIVILEGED },
    [RS_XS_SET_QUOTA] = { "SET_QUOTA", req_set_quota, PRIVILEGED },
};

static const struct request_type *request_type(uint32_t type)
{
    if (type >= sizeof(request_types) / sizeof(request_types[0]) ||
        !request_types[type].serve)
        return NULL;
    return &request_types[type];
}

static void reply_error(struct request *rq, int err)
{
    const char *name = wire_error(err);

    rq->hdr.type = XS_ERROR;
    if (reply_string(rq, name))
        conn_kill(rq->c); /* without memory for an error the client cannot be
                             told anything */
}

/*
 * A transaction in which memory ran out cannot be committed: a request may be
 * half done, or not be accounted for. What a quota refuses is not done at all.
 */
static int request_run(struct request *rq)
{
    const struct request_type *type = request_type(rq->hdr.type);
    int err;

    if (!type)
        return -ENOSYS;
    if ((type->flags & PRIVILEGED) && !conn_privileged(rq->c))
        return -EACCES;
    if (rq->hdr.tx_id && !(type->flags & NO_TXN)) {
        rq->t = txn_find(rq->c, rq->hdr.tx_id);
        if (!rq->t)
            return -ENOENT;
    }
    err = type->serve(rq);
    txn_snapshot_trim(rq->s);
    if (rq->t && err == -ENOMEM)
        rq->t->failed = true;
    return err;
}

/*
 * `text` was made before the request was served, which may have changed the
 * buffer.
 */
static void trace(const struct request *rq, uint32_t asked, const char *text,
                  int err)
{
    const struct request_type *type = request_type(asked);
    const char *name = type ? type->name : "unknown request";

    log_trace(LOG_IO, "connection %llu, domain %u: %s tx %u '%s': %s",
              (unsigned long long)rq->c->id, rq->c->dom->domid, name,
              rq->hdr.tx_id, text, err ? wire_error(err) : "OK");
    if (err == -ENOSPC)
        log_trace(LOG_ACC, "domain %u: %s goes over a quota", rq->c->dom->domid,
                  name);
}

bool request_serve(struct conn *c, const struct xsd_sockmsg *hdr,
                   const void *payload)
{
    struct request rq = {
        .s = c->store, .c = c, .hdr = *hdr, .data = payload, .len = hdr->len
    };
    uint32_t replies = c->out.replies;
    char text[TRACE_TEXT_MAX];
    int err;

    text[0] = '\0';
    if (log_active)
        log_set_source(c->dom->domid);
    if (log_wants(LOG_IO))
        log_text(text, sizeof(text), payload, hdr->len);
    err = request_run(&rq);
    if (err == REQUEST_LATER) {
        log_set_source(0);
        return false;
    }
    c->store->requests++;
    if (log_active)
        trace(&rq, hdr->type, text, err);
    log_set_source(0);
    if (err)
        reply_error(&rq, err);
    assert(c->dead || c->out.replies == replies + 1);
    (void)replies;
    return true;
}
