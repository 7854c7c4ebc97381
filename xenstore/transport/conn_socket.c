/* Clients on the host; see conn_socket.h. */
#include "transport/conn_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/conn.h"
#include "conn/transport.h"
#include "serve/serve.h"
#include "serve/turn.h"
#include "socket_name.h"
#include "store/store.h"

/* Read at once: many small requests, or a few large ones. */
#define READ_MAX 65536
#define BACKLOG  128

struct sock {
    struct conn c;
    int fd;
    struct event *in, *out;
};

struct listener {
    struct event_base *base;
    struct store *store;
    int fd;
    struct event *accept, *retry;
    char *path;
};

static struct sock *sock_of(struct conn *c)
{
    return container_of(c, struct sock, c);
}

static void sock_flush(struct conn *c)
{
    struct sock *k = sock_of(c);
    ssize_t n;

    while (outq_bytes(&c->out)) {
        n = send(k->fd, outq_data(&c->out), outq_bytes(&c->out), MSG_NOSIGNAL);
        if (n > 0) {
            outq_sent(&c->out, (size_t)n);
        } else if (errno == EAGAIN) {
            event_add(k->out, NULL);
            return;
        } else if (errno != EINTR) {
            conn_kill(c);
            return;
        }
    }
}

static void sock_reading(struct conn *c, bool on)
{
    if (on)
        event_add(sock_of(c)->in, NULL);
    else
        event_del(sock_of(c)->in);
}

static bool sock_gone(const struct conn *c)
{
    struct pollfd p = { .fd = container_of(c, struct sock, c)->fd };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* Sends the replies to earlier requests before the connection ends. */
static void sock_violation(struct conn *c, uint32_t error)
{
    (void)error;
    store_save(c->store);
    sock_flush(c);
    conn_kill(c);
}

static void sock_free(struct conn *c)
{
    struct sock *k = sock_of(c);

    if (k->in)
        event_free(k->in);
    if (k->out)
        event_free(k->out);
    close(k->fd);
    free(k);
}

static void sock_save(const struct conn *c, struct transport *t)
{
    t->fd = container_of(c, struct sock, c)->fd;
}

static const struct conn_ops sock_ops = {
    .kind = "socket",
    .flush = sock_flush,
    .reading = sock_reading,
    .gone = sock_gone,
    .violation = sock_violation,
    .free = sock_free,
    .save = sock_save,
};

static void sock_readable(evutil_socket_t fd, short what, void *arg)
{
    static char buf[READ_MAX];
    struct sock *k = arg;
    ssize_t n = recv(fd, buf, sizeof(buf), 0);

    (void)what;
    store_clock(k->c.store);
    fair_slice(&k->c.store->fair);
    if (n > 0) {
        conn_input(&k->c, buf, (size_t)n);
        store_answer(&k->c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn_kill(&k->c);
    }
}

static void sock_writable(evutil_socket_t fd, short what, void *arg)
{
    struct sock *k = arg;

    (void)fd;
    (void)what;
    conn_dirty(&k->c);
}

struct conn *listener_adopt(struct listener *l, int fd)
{
    struct sock *k = calloc(1, sizeof(*k));

    if (!k) {
        close(fd);
        return NULL;
    }
    conn_init(&k->c, l->store, l->store->dom0, &sock_ops);
    k->fd = fd;
    k->in = event_new(l->base, fd, EV_READ | EV_PERSIST, sock_readable, k);
    k->out = event_new(l->base, fd, EV_WRITE, sock_writable, k);
    if (!k->in || !k->out || event_add(k->in, NULL))
        conn_kill(&k->c);
    return &k->c;
}

/*
 * Stops accepting while there are no descriptors; clients wait in the backlog.
 */
static void accept_later(struct listener *l)
{
    static const struct timeval soon = { 0, 100000 };

    log_line("cannot accept a connection: %s", strerror(errno));
    event_del(l->accept);
    event_add(l->retry, &soon);
}

static void accept_ready(evutil_socket_t lfd, short what, void *arg)
{
    struct listener *l = arg;
    int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd >= 0)
        listener_adopt(l, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        accept_later(l);
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    event_add(l->accept, NULL);
}

/* Whether somebody serves this socket already. */
static bool is_served(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool served;

    if (fd < 0)
        return false;
    served = socket_name_connect(fd, path) == 0;
    close(fd);
    return served;
}

/* Removes a socket file that nobody serves. */
static int remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        return 0; /* bind() will say what is wrong, if anything is */
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK; /* not a socket: the path is a mistake */
    return unlink(path) ? -errno : 0;
}

static int listener_bind(struct listener *l)
{
    mode_t mask;
    int err;

    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return -errno;
    if (is_served(l->path))
        return -EADDRINUSE;
    err = remove_stale(l->path);
    if (err)
        return err;
    mask = umask(0077);
    err = socket_name_bind(l->fd, l->path);
    umask(mask);
    if (!err && listen(l->fd, BACKLOG))
        err = -errno;
    return err;
}

/* `fd` listens at `path` already, or is -1. */
static int listener_make(struct event_base *base, struct store *s,
                         const char *path, int fd, struct listener **out)
{
    struct listener *l = calloc(1, sizeof(*l));
    int err = -ENOMEM;

    if (!l)
        return err;
    l->base = base;
    l->store = s;
    l->fd = fd;
    l->path = strdup(path);
    if (!l->path)
        goto fail;
    err = fd < 0 ? listener_bind(l) : 0;
    if (err)
        goto fail;
    err = -ENOMEM;
    l->accept = event_new(base, l->fd, EV_READ | EV_PERSIST, accept_ready, l);
    l->retry = evtimer_new(base, accept_again, l);
    if (!l->accept || !l->retry || event_add(l->accept, NULL)) {
        listener_free(l);
        return err;
    }
    *out = l;
    return 0;
fail:
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    free(l);
    return err;
}

int listener_new(struct event_base *base, struct store *s, const char *path,
                 struct listener **out)
{
    return listener_make(base, s, path, -1, out);
}

int listener_continue(struct event_base *base, struct store *s,
                      const char *path, int fd, struct listener **out)
{
    return listener_make(base, s, path, fd, out);
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

void listener_free(struct listener *l)
{
    if (l->accept)
        event_free(l->accept);
    if (l->retry)
        event_free(l->retry);
    close(l->fd);
    unlink(l->path);
    free(l->path);
    free(l);
}
