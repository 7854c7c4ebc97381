/* Requests to the store that do not wait for each other; see xs_pipeline.h. */
#include "xs_pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xenstore.h>

#include "peer.h"
#include "socket_name.h"
#include "xen_compat.h"

#define QUEUE_MAX 32768 /* a socket takes far more without a reader */
#define PARTS_MAX 10000 /* of a list: about 40 MB */

struct answer {
    size_t at; /* in the input; meaningless for an error */
    uint32_t len;
    int error; /* -errno */
};

struct bytes {
    char *data;
    size_t len, cap;
};

struct xs_pipeline {
    int fd;
    struct bytes out, in;
    struct answer *answer;
    unsigned int queued, answered, cap; /* of answer[] */
    int error;                          /* the first since the last run */
    bool broken;
    bool ran; /* and nothing was added since */
};

static int connect_store(const char *path)
{
    int fd, err;

    if (!path)
        return -EINVAL;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    err = socket_name_connect(fd, path);
    if (!err)
        err = peer_check(fd);
    if (!err)
        return fd;
    close(fd);
    return err;
}

int xs_pipeline_open(struct xs_pipeline **out)
{
    struct xs_pipeline *p = calloc(1, sizeof(*p));

    *out = NULL;
    if (!p)
        return -ENOMEM;
    p->fd = connect_store(xs_daemon_socket());
    if (p->fd < 0) {
        int err = p->fd;

        free(p);
        return err;
    }
    *out = p;
    return 0;
}

void xs_pipeline_close(struct xs_pipeline *p)
{
    if (!p)
        return;
    close(p->fd);
    free(p->out.data);
    free(p->in.data);
    free(p->answer);
    free(p);
}

bool xs_pipeline_broken(const struct xs_pipeline *p)
{
    return p->broken;
}

static int note(struct xs_pipeline *p, int err)
{
    if (!p->error)
        p->error = err;
    return err;
}

/* Nothing more can be known from this connection. */
static void give_up(struct xs_pipeline *p, int err)
{
    p->broken = true;
    note(p, err);
}

/* ---- queueing ---- */

static bool reserve(struct bytes *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 1024;
    char *data;

    while (cap - b->len < n)
        cap *= 2;
    if (cap == b->cap)
        return true;
    data = realloc(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

static void append(struct bytes *b, const void *data, size_t n)
{
    if (n)
        memcpy(b->data + b->len, data, n);
    b->len += n;
}

static bool reserve_answer(struct xs_pipeline *p)
{
    unsigned int cap = p->cap ? 2 * p->cap : 32;
    struct answer *answer;

    if (p->queued < p->cap)
        return true;
    answer = realloc(p->answer, cap * sizeof(*answer));
    if (!answer)
        return false;
    p->answer = answer;
    p->cap = cap;
    return true;
}

static void forget_answers(struct xs_pipeline *p)
{
    p->in.len = 0;
    p->queued = p->answered = 0;
    p->ran = false;
}

static void exchange(struct xs_pipeline *p);

int xs_pipeline_add(struct xs_pipeline *p, uint32_t type, uint32_t tx,
                    const char *path, const void *data, size_t len)
{
    size_t path_len = strlen(path) + 1;
    struct xsd_sockmsg hdr = { .type = type,
                               .tx_id = tx,
                               .len = (uint32_t)(path_len + len) };

    if (p->ran)
        forget_answers(p);
    if (path_len > XENSTORE_PAYLOAD_MAX ||
        len > XENSTORE_PAYLOAD_MAX - path_len)
        return note(p, -E2BIG);
    if (p->out.len + sizeof(hdr) + hdr.len > QUEUE_MAX) {
        exchange(p);
        forget_answers(p);
    }
    if (!reserve_answer(p) || !reserve(&p->out, sizeof(hdr) + hdr.len))
        return note(p, -ENOMEM);
    hdr.req_id = p->queued++;
    append(&p->out, &hdr, sizeof(hdr));
    append(&p->out, path, path_len);
    append(&p->out, data, len);
    return (int)hdr.req_id;
}

/* ---- sending, and taking the answers ---- */

static int send_all(struct xs_pipeline *p)
{
    size_t at = 0;

    while (at < p->out.len) {
        ssize_t n =
            send(p->fd, p->out.data + at, p->out.len - at, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return -EPIPE;
        at += n > 0 ? (size_t)n : 0;
    }
    p->out.len = 0;
    return 0;
}

static int error_named(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (!strcmp(name, xsd_errors[i].errstring))
            return -xsd_errors[i].errnum;
    return -EINVAL;
}

/* One answer, all of which is there. -EPROTO: it is not ours. */
static int take(struct xs_pipeline *p, const struct xsd_sockmsg *hdr, size_t at)
{
    struct answer *a = &p->answer[p->answered];
    char name[32] = "";

    if (hdr->req_id != p->answered || hdr->type == XS_WATCH_EVENT)
        return -EPROTO;
    *a = (struct answer){ .at = at, .len = hdr->len };
    if (hdr->type == XS_ERROR) {
        memcpy(name, p->in.data + at,
               hdr->len < sizeof(name) ? hdr->len : sizeof(name) - 1);
        a->error = error_named(name);
        note(p, a->error);
    }
    p->answered++;
    return 0;
}

/* Receives until every request that was sent has its answer. */
static int receive_all(struct xs_pipeline *p)
{
    size_t at = 0; /* of the answer that is not complete yet */
    int err = 0;

    while (!err && p->answered < p->queued) {
        struct xsd_sockmsg hdr;
        ssize_t n;

        if (!reserve(&p->in, XENSTORE_PAYLOAD_MAX + 1))
            return -ENOMEM;
        /* But for the NUL behind the last. */
        n = recv(p->fd, p->in.data + p->in.len, p->in.cap - p->in.len - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        p->in.len += (size_t)n;
        while (!err && p->answered < p->queued &&
               p->in.len - at >= sizeof(hdr)) {
            memcpy(&hdr, p->in.data + at, sizeof(hdr));
            if (hdr.len > XENSTORE_PAYLOAD_MAX)
                return -EPROTO;
            if (p->in.len - at < sizeof(hdr) + hdr.len)
                break;
            err = take(p, &hdr, at + sizeof(hdr));
            at += sizeof(hdr) + hdr.len;
        }
    }
    return err ? err : at == p->in.len ? 0 : -EPROTO;
}

static void exchange(struct xs_pipeline *p)
{
    int err = p->broken ? -EPIPE : send_all(p);

    if (!err)
        err = receive_all(p);
    if (err)
        give_up(p, err);
    p->out.len = 0;
}

int xs_pipeline_run(struct xs_pipeline *p)
{
    int err;

    if (!p->ran)
        exchange(p);
    err = p->error;
    p->error = 0;
    p->ran = true;
    return err;
}

const char *xs_pipeline_answer(struct xs_pipeline *p, unsigned int i,
                               size_t *len)
{
    const struct answer *a;

    errno = EPIPE;
    if (!p->ran || i >= p->answered)
        return NULL;
    a = &p->answer[i];
    errno = -a->error;
    if (a->error)
        return NULL;
    /* Where the header of the next answer was, if there is one. */
    p->in.data[a->at + a->len] = '\0';
    *len = a->len;
    return p->in.data + a->at;
}

const char *xs_pipeline_ask(struct xs_pipeline *p, uint32_t type,
                            const char *path, const void *data, size_t len)
{
    size_t n;
    int err;

    xs_pipeline_add(p, type, 0, path, data, len);
    err = xs_pipeline_run(p);
    if (!err)
        return xs_pipeline_answer(p, p->answered - 1, &n);
    errno = -err;
    return NULL;
}

/* ---- lists ---- */

/* Nothing but the NUL that says so stands behind the last name. */
static bool is_last(const char *part, size_t n)
{
    return n > 0 && part[n - 1] == '\0' && (n == 1 || part[n - 2] == '\0');
}

/*
 * XS_DIRECTORY_PART: the directory's generation, then what fits of the list
 * from an offset on. True: there is more, or all of it again because the
 * directory changed. Else errno is 0 if the list is complete.
 */
static bool list_more(struct xs_pipeline *p, const char *path,
                      struct bytes *list, char generation[24])
{
    char offset[24];
    const char *answer = NULL;
    size_t len = 0, head, n;
    bool last;
    int at;

    snprintf(offset, sizeof(offset), "%zu", list->len);
    at = xs_pipeline_add(p, XS_DIRECTORY_PART, 0, path, offset,
                         strlen(offset) + 1);
    xs_pipeline_run(p);
    errno = ENOMEM;
    if (at >= 0)
        answer = xs_pipeline_answer(p, (unsigned int)at, &len);
    if (!answer)
        return false;
    head = strlen(answer) + 1;
    errno = EPROTO;
    if (head >= len || head > 24)
        return false;
    if (list->len && strcmp(answer, generation)) {
        list->len = 0;
        return true;
    }
    strcpy(generation, answer);
    n = len - head;
    last = is_last(answer + head, n);
    errno = ENOMEM;
    if (!reserve(list, n + 1))
        return false;
    append(list, answer + head, n - last);
    errno = 0;
    return !last;
}

static char *list_in_parts(struct xs_pipeline *p, const char *path, size_t *len)
{
    struct bytes list = { 0 };
    char generation[24] = "";
    bool more = true;

    for (int i = 0; i < PARTS_MAX && more; i++)
        more = list_more(p, path, &list, generation);
    if (more)
        errno = EAGAIN; /* it changes all the time */
    if (errno) {
        free(list.data);
        return NULL;
    }
    list.data[list.len] = '\0';
    *len = list.len;
    return list.data;
}

char *xs_pipeline_list(struct xs_pipeline *p, const char *path, size_t *len)
{
    const char *answer = xs_pipeline_ask(p, XS_DIRECTORY, path, NULL, 0);
    char *list;

    if (!answer)
        return errno == E2BIG ? list_in_parts(p, path, len) : NULL;
    answer = xs_pipeline_answer(p, p->answered - 1, len);
    list = malloc(*len + 1);
    return list ? memcpy(list, answer, *len + 1) : NULL;
}
