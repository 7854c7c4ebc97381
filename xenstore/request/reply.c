/* Replies: what a handler answers with; see request.h. */
#include <errno.h>
#include <string.h>

#include "request/request.h"

char *reply_begin(struct request *rq)
{
    rq->reply =
        outq_begin(&rq->c->out, rq->hdr.type, rq->hdr.req_id, rq->hdr.tx_id);
    return (char *)rq->reply;
}

int reply_end(struct request *rq, size_t len)
{
    outq_end(&rq->c->out, len);
    conn_account(rq->c);
    conn_dirty(rq->c);
    return 0;
}

int reply_data(struct request *rq, const void *data, size_t len)
{
    char *out;

    if (len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    out = reply_begin(rq);
    if (!out)
        return -ENOMEM;
    if (len)
        memcpy(out, data, len);
    return reply_end(rq, len);
}

int reply_string(struct request *rq, const char *s)
{
    return reply_data(rq, s, strlen(s) + 1);
}

int reply_ack(struct request *rq)
{
    return reply_data(rq, "OK", sizeof("OK"));
}
