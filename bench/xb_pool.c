/* Clients of a store: connections and messages; see xb.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/say.h"
#include "xb.h"

#define PATIENCE_MS 10000
#define BATCH       64

static int connect_client(const struct xb_pool *p, struct xb_client *c)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

    strcpy(addr.sun_path, p->peer->socket);
    c->idle = true;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &ev))
        return complain("cannot connect to the bench's daemon: %s",
                        strerror(errno));
    return 0;
}

int xb_pool_open(struct xb_pool *p, struct xb_peer *peer, unsigned int n)
{
    int err = 0;

    *p = (struct xb_pool){ .peer = peer, .n = n };
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->client = calloc(n, sizeof(*p->client));
    if (p->epoll < 0 || !p->client)
        err = complain("no memory");
    for (unsigned int i = 0; p->client && i < n; i++) {
        p->client[i].id = i;
        p->client[i].fd = -1;
    }
    for (unsigned int i = 0; !err && i < n; i++)
        err = connect_client(p, &p->client[i]);
    if (err)
        xb_pool_close(p);
    return err;
}

void xb_pool_close(struct xb_pool *p)
{
    for (unsigned int i = 0; p->client && i < p->n; i++)
        if (p->client[i].fd >= 0)
            close(p->client[i].fd);
    free(p->client);
    p->client = NULL;
    if (p->epoll >= 0)
        close(p->epoll);
    p->epoll = -1;
}

int xb_send(struct xb_pool *p, struct xb_client *c, const struct xb_request *rq,
            const void *payload, size_t len)
{
    struct {
        struct xsd_sockmsg hdr;
        char payload[XENSTORE_PAYLOAD_MAX];
    } out;

    out.hdr = (struct xsd_sockmsg){ .type = rq->type,
                                    .tx_id = c->tx,
                                    .len = (uint32_t)len };
    if (p->peer->echo) {
        out.hdr.req_id = rq->reply;
        out.hdr.tx_id = rq->event;
    }
    memcpy(out.payload, payload, len);
    len += sizeof(out.hdr);
    c->idle = false;
    if (send(c->fd, &out, len, MSG_NOSIGNAL) != (ssize_t)len)
        return complain("cannot send to the bench's daemon: %s",
                        strerror(errno));
    return 0;
}

/* Hands out the whole messages that c->in has. */
static int take_messages(struct xb_pool *p, struct xb_client *c)
{
    struct xsd_sockmsg m;
    size_t at = 0;
    int err = 0;

    while (!err && c->have - at >= sizeof(m)) {
        memcpy(&m, c->in + at, sizeof(m));
        if (m.len > XENSTORE_PAYLOAD_MAX)
            return complain("the bench's daemon sends nonsense");
        if (c->have - at < sizeof(m) + m.len)
            break;
        if (m.type != XS_WATCH_EVENT)
            c->idle = true;
        err = p->on(p, c, &m, (const char *)c->in + at + sizeof(m));
        at += sizeof(m) + m.len;
    }
    c->have -= at;
    memmove(c->in, c->in + at, c->have);
    return err;
}

int xb_poll(struct xb_pool *p, int ms)
{
    struct epoll_event ready[BATCH];
    int n, err = 0;

    do
        n = epoll_wait(p->epoll, ready, BATCH, ms);
    while (n < 0 && errno == EINTR);
    for (int i = 0; !err && i < n; i++) {
        struct xb_client *c = ready[i].data.ptr;
        ssize_t got = recv(c->fd, c->in + c->have, XB_IN_MAX - c->have, 0);

        if (got <= 0)
            return complain("the bench's daemon closed a connection");
        c->have += (size_t)got;
        err = take_messages(p, c);
    }
    return err ? err : n;
}

/* ---- one request ---- */

void xb_take_number(struct xb_client *c, const char *value, size_t len)
{
    c->number = 0;
    for (size_t i = 0; i < len && value[i] >= '0' && value[i] <= '9'; i++)
        c->number = c->number * 10 + (uint64_t)(value[i] - '0');
}

/* Client p->arg has its reply. */
static int on_answer(struct xb_pool *p, struct xb_client *c,
                     const struct xsd_sockmsg *m, const char *payload)
{
    if (c == p->arg && m->type == XS_ERROR)
        return complain("the store answers %.*s", (int)m->len, payload);
    if (c == p->arg && m->type == XS_READ)
        xb_take_number(c, payload, m->len);
    return 0;
}

int xb_ask(struct xb_pool *p, struct xb_client *c, uint32_t type,
           const void *payload, size_t len)
{
    struct xb_request rq = { .type = type, .reply = 3 };
    int n = 1, err;

    p->on = on_answer;
    p->arg = c;
    err = xb_send(p, c, &rq, payload, len);
    while (!err && !c->idle && n > 0)
        n = xb_poll(p, PATIENCE_MS);
    if (err || n < 0)
        return -EINVAL;
    return n ? 0 : complain("the bench's daemon does not answer");
}

int xb_ask_path(struct xb_pool *p, uint32_t type, const char *fmt, ...)
{
    char path[128];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return xb_ask(p, &p->client[0], type, path, (size_t)n + 1);
}

int xb_write(struct xb_pool *p, const char *path, unsigned int len)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    size_t n = (size_t)snprintf(payload, 256, "%s", path) + 1;

    memset(payload + n, 'v', len);
    return xb_ask(p, &p->client[0], XS_WRITE, payload, n + len);
}
