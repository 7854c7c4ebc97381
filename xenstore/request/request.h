/*
 * A request and the means to answer it.
 *
 * request_serve() looks the type up in one table, checks privilege and
 * transaction, and calls the handler. A handler either calls exactly one
 * reply_...() and returns 0; or returns -errno without a reply; or returns
 * REQUEST_LATER: the message stays at the head of the connection's input and is
 * served again by conn_resume().
 */
#ifndef XS_REQUEST_H
#define XS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "conn/conn.h"
#include "conn/wire.h"
#include "store/store.h"
#include "txn/txn.h"

struct request {
    struct store *s;
    struct conn *c;
    struct txn *t; /* NULL: outside */
    struct xsd_sockmsg hdr;
    const char *data;
    size_t len;
    unsigned char *reply; /* payload of the reply being written */
};

#define REQUEST_LATER 1

/* Serves one complete message. false: it must be served again later. */
bool request_serve(struct conn *c, const struct xsd_sockmsg *hdr,
                   const void *payload);

/* The version of the tree that the request works on. */
static inline struct node **request_root(struct request *rq)
{
    return rq->t ? &rq->t->root : &rq->s->root;
}

/*
 * Parses len characters into s->path, relative to the caller's home and
 * within its limits. 0, -EINVAL.
 */
int request_path(struct request *rq, const char *str, size_t len, bool special);

/* 0, or -ENOMEM, or -E2BIG. */
int reply_data(struct request *rq, const void *data, size_t len);
int reply_string(struct request *rq, const char *s); /* with its NUL */
int reply_ack(struct request *rq);                   /* "OK" */

/*
 * A reply that is written in place: reply_begin() gives room for
 * XENSTORE_PAYLOAD_MAX bytes (NULL: no memory), reply_end() sends it.
 */
char *reply_begin(struct request *rq);
int reply_end(struct request *rq, size_t len);

/* Handlers, one per message type. */
int req_directory(struct request *rq);
int req_directory_part(struct request *rq);
int req_read(struct request *rq);
int req_write(struct request *rq);
int req_mkdir(struct request *rq);
int req_rm(struct request *rq);
int req_get_perms(struct request *rq);
int req_set_perms(struct request *rq);
int req_watch(struct request *rq);
int req_unwatch(struct request *rq);
int req_reset_watches(struct request *rq);
int req_transaction_start(struct request *rq);
int req_transaction_end(struct request *rq);
int req_introduce(struct request *rq);
int req_release(struct request *rq);
int req_resume(struct request *rq);
int req_set_target(struct request *rq);
int req_is_domain_introduced(struct request *rq);
int req_get_domain_path(struct request *rq);
int req_get_feature(struct request *rq);
int req_set_feature(struct request *rq);
int req_get_quota(struct request *rq);
int req_set_quota(struct request *rq);
int req_control(struct request *rq);

#endif
