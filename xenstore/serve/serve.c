/* Serving the requests of a connection, in slices; see serve.h. */
#include "serve/serve.h"

#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "conn/throttle.h"
#include "request/request.h"

/*
 * Over so many bytes of replies and events that a client leaves unread, no more
 * of its requests are served.
 */
#define OUT_HOLD (256u * 1024)
/* A guest that was held back is looked at again after this time. */
#define HELD_MS 5
/* An empty input buffer larger than this is given back. */
#define IN_KEEP 8192

/*
 * Whether the next request may be served now. A domain that is over its memory
 * quota is served if it has no replies to read: only a request of its own can
 * free memory then.
 */
static bool conn_may_serve(struct conn *c)
{
    if (outq_bytes(&c->out) > OUT_HOLD ||
        !domain_fits(c->dom, QUOTA_OUTSTANDING, 1))
        return false;
    if (outq_bytes(&c->out) && !domain_fits(c->dom, QUOTA_MEMORY, 1))
        return false;
    return throttle_ready(c);
}

static void conn_hold(struct conn *c)
{
    if (!throttle_ready(c))
        log_trace(LOG_WRL, "domain %u waits for its turn to write",
                  c->dom->domid);
    c->held = true;
    c->ops->reading(c, false);
    if (!conn_privileged(c))
        store_want_tick(c->store, HELD_MS);
}

/* Queues a connection whose complete requests wait for a slice. */
static void conn_ready(struct conn *c)
{
    c->more = true;
    c->ops->reading(c, false);
    if (c->ops->serve)
        fair_ready(c->store, c);
    else if (list_empty(&c->ready))
        list_add_tail(&c->store->ready, &c->ready);
}

/* Serves whole messages; returns how many bytes it took. */
static size_t conn_serve(struct conn *c, const unsigned char *buf, size_t len)
{
    struct xsd_sockmsg hdr;
    size_t at = 0;

    while (!c->dead) {
        enum wire_state state = wire_peek(buf + at, len - at, &hdr);

        if (state == WIRE_INCOMPLETE)
            break;
        if (state == WIRE_TOO_LONG) {
            c->ops->violation(c, XENSTORE_ERROR_PROTO);
            return len;
        }
        if (at && fair_slice_over(&c->store->fair)) {
            conn_ready(c);
            break;
        }
        if (!conn_may_serve(c) ||
            !request_serve(c, &hdr, buf + at + sizeof(hdr))) {
            conn_hold(c);
            break;
        }
        at += sizeof(hdr) + hdr.len;
    }
    return at;
}

static bool conn_store_input(struct conn *c, const void *data, size_t len)
{
    if (c->in_at && c->in_cap - c->in_at - c->in_len < len) {
        memmove(c->in, c->in + c->in_at, c->in_len);
        c->in_at = 0;
    }
    if (c->in_cap - c->in_at - c->in_len < len) {
        size_t cap = c->in_len + len;
        void *in = realloc(c->in, cap);

        if (!in)
            return false;
        c->in = in;
        c->in_cap = cap;
    }
    memcpy(c->in + c->in_at + c->in_len, data, len);
    c->in_len += len;
    return true;
}

/* Serves as much of the input buffer as may be served now. */
static void conn_drain(struct conn *c)
{
    size_t done = c->in_len ? conn_serve(c, c->in + c->in_at, c->in_len) : 0;

    /* A reset or a violation during serving has dropped the buffer. */
    if (done > c->in_len)
        return;
    c->in_len -= done;
    c->in_at = c->in_len ? c->in_at + done : 0;
    if (!c->in_len && c->in_cap > IN_KEEP) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

void conn_input(struct conn *c, const void *data, size_t len)
{
    size_t done = 0;

    if (c->dead)
        return;
    if (c->in_len == 0 && !c->held && !c->more)
        done = conn_serve(c, data, len);
    if (done < len) {
        if (!conn_store_input(c, (const char *)data + done, len - done)) {
            conn_kill(c);
            return;
        }
        if (!c->held && !c->more && done == 0)
            conn_drain(c);
    }
    conn_account(c);
}

void conn_serve_more(struct conn *c)
{
    c->more = false;
    list_del(&c->ready);
    conn_drain(c);
    conn_account(c);
    if (c->dead || c->held || c->more)
        return;
    c->ops->reading(c, true);
    conn_dirty(c);
}

void conn_resume(struct conn *c)
{
    if (!c->held || c->dead || !conn_may_serve(c))
        return;
    c->held = false;
    conn_ready(c);
}
