/*
 * The baseline of the group xenstore: the least that a daemon can do for the
 * same messages on as many sockets.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xb.h"

#define CONNS_MAX 128
#define BATCH     64

struct echo {
    int epoll, listener;
    int conn[CONNS_MAX];
    unsigned int n;
};

static void echo_watch(const struct echo *e, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

    if (fd < 0 || epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev))
        _exit(1);
}

static void echo_accept(struct echo *e)
{
    int fd = accept(e->listener, NULL, NULL);

    if (e->n == CONNS_MAX)
        _exit(1);
    echo_watch(e, fd);
    e->conn[e->n++] = fd;
}

static void echo_close(struct echo *e, int fd)
{
    unsigned int i = 0;

    while (i < e->n && e->conn[i] != fd)
        i++;
    e->conn[i] = e->conn[--e->n];
    close(fd);
}

static void echo_send(int fd, uint32_t type, uint32_t len)
{
    static struct {
        struct xsd_sockmsg hdr;
        char payload[XENSTORE_PAYLOAD_MAX];
    } out;

    out.hdr.type = type;
    out.hdr.len = len;
    send(fd, &out, sizeof(out.hdr) + len, MSG_NOSIGNAL);
}

/* A client has one request outstanding: what came is one message, whole. */
static void echo_serve(struct echo *e, int fd)
{
    static char in[65536];
    struct xsd_sockmsg hdr;
    ssize_t n = recv(fd, in, sizeof(in), 0);

    if (n < (ssize_t)sizeof(hdr)) {
        echo_close(e, fd);
        return;
    }
    memcpy(&hdr, in, sizeof(hdr));
    for (unsigned int i = 0; hdr.tx_id && i < e->n; i++)
        if (e->conn[i] != fd)
            echo_send(e->conn[i], XS_WATCH_EVENT, hdr.tx_id);
    echo_send(fd, hdr.type, hdr.req_id);
}

_Noreturn void xb_echo_serve(int listener)
{
    struct echo e = { .epoll = epoll_create1(0), .listener = listener };
    struct epoll_event ready[BATCH];

    echo_watch(&e, listener);
    for (;;) {
        int n = epoll_wait(e.epoll, ready, BATCH, -1);

        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                echo_accept(&e);
            else
                echo_serve(&e, ready[i].data.fd);
        }
    }
}
