/*
 * Statistics of devices over a socket. See stats_socket.h.
 */
#include "stats_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "driver.h"
#include "list.h"
#include "socket_name.h"
#include "xenbus_backend.h"

struct stats_socket {
    struct driver *driver;
    struct xenbus_room *room;
    char *path;
    struct evconnlistener *listener;
    struct event *again; /* listens again after a failed accept() */
    struct list clients;
    unsigned int n_clients;
};

struct stats_client {
    struct stats_socket *socket;
    struct list link;
    struct bufferevent *bev;
    struct event *deadline;
};

/* ---- one client ---- */

static void client_free(struct stats_client *c)
{
    struct stats_socket *s = c->socket;

    if (c->deadline)
        event_free(c->deadline);
    bufferevent_free(c->bev);
    list_del(&c->link);
    free(c);
    s->n_clients--;
    evconnlistener_enable(s->listener);
}

/* All has left for the client's end of the socket. */
static void written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    client_free(arg);
}

static void gone(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    client_free(arg);
}

static void too_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    client_free(arg);
}

/* false: it has all already, or there is no memory for more. */
static bool answer(struct stats_client *c)
{
    struct timeval t = { .tv_sec = STATS_DEADLINE_MS / 1000,
                         .tv_usec = STATS_DEADLINE_MS % 1000 * 1000 };
    struct evbuffer *out = bufferevent_get_output(c->bev);

    c->deadline = evtimer_new(c->socket->driver->base, too_late, c);
    if (!c->deadline || event_add(c->deadline, &t))
        return false;
    bufferevent_setcb(c->bev, NULL, written, gone, c);
    xenbus_backend_tell(c->socket->room, out);
    return evbuffer_get_length(out) && !bufferevent_enable(c->bev, EV_WRITE);
}

static void came(struct evconnlistener *listener, evutil_socket_t fd,
                 struct sockaddr *address, int len, void *arg)
{
    struct stats_socket *s = arg;
    struct stats_client *c = calloc(1, sizeof(*c));

    (void)address;
    (void)len;
    if (c)
        c->bev =
            bufferevent_socket_new(s->driver->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c || !c->bev) {
        evutil_closesocket(fd);
        free(c);
        return;
    }
    c->socket = s;
    list_add_tail(&s->clients, &c->link);
    if (++s->n_clients >= STATS_CLIENTS)
        evconnlistener_disable(listener);
    if (!answer(c))
        client_free(c);
}

/* ---- the socket ---- */

static void listen_again(evutil_socket_t fd, short what, void *arg)
{
    struct stats_socket *s = arg;

    (void)fd;
    (void)what;
    if (s->n_clients < STATS_CLIENTS)
        evconnlistener_enable(s->listener);
}

/* Out of descriptors: who waits would otherwise wake us for ever. */
static void not_accepted(struct evconnlistener *listener, void *arg)
{
    struct stats_socket *s = arg;
    struct timeval t = { .tv_sec = 1 };

    evconnlistener_disable(listener);
    event_add(s->again, &t);
}

/* The file is made with the mode that the unbound socket has. */
static int bind_private(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    unlink(path);
    err = fchmod(fd, 0600) ? -errno : socket_name_bind(fd, path);
    if (err)
        close(fd);
    return err ? err : fd;
}

static int start(struct stats_socket *s)
{
    const unsigned int flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
    int fd = bind_private(s->path);

    if (fd < 0)
        return fd;
    s->listener = evconnlistener_new(s->driver->base, came, s, flags, 16, fd);
    if (!s->listener) {
        close(fd);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(s->listener, not_accepted);
    s->again = evtimer_new(s->driver->base, listen_again, s);
    return s->again ? 0 : -ENOMEM;
}

int stats_socket_open(struct driver *driver, struct xenbus_room *room,
                      struct stats_socket **out)
{
    struct stats_socket *s = calloc(1, sizeof(*s));
    int err;

    *out = NULL;
    if (!s)
        return -ENOMEM;
    s->driver = driver;
    s->room = room;
    list_init(&s->clients);
    if (asprintf(&s->path, "%s/driverd.stats", driver->rundir) < 0)
        s->path = NULL;
    err = s->path ? start(s) : -ENOMEM;
    if (err)
        stats_socket_close(s);
    else
        *out = s;
    return err;
}

void stats_socket_close(struct stats_socket *s)
{
    if (!s)
        return;
    while (!list_empty(&s->clients))
        client_free(container_of(s->clients.next, struct stats_client, link));
    if (s->listener) {
        evconnlistener_free(s->listener);
        unlink(s->path);
    }
    if (s->again)
        event_free(s->again);
    free(s->path);
    free(s);
}
