/*
 * The control socket itself: who comes, messages in and out, who goes.
 *
 * Nothing here waits for a client. Each has at most one request in work and
 * one reply under way; while its reply is not taken it is not read.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "socket_name.h"

/* Requests of one client served before others have their turn. */
#define BURST 16

#define ROLE_TOOL     (1u << CONTROL_TOOL)
#define ROLE_STORE    (1u << CONTROL_STORE)
#define ROLE_DRIVER   (1u << CONTROL_DRIVER)
#define ROLES_CONTROL (ROLE_TOOL | ROLE_STORE)
#define ROLES_DOMAIN  (ROLE_STORE | ROLE_DRIVER)
#define ROLES_ALL     (ROLES_CONTROL | ROLES_DOMAIN)

static const struct {
    control_fn *fn;
    uint32_t size; /* of the request */
    uint32_t fds;  /* slots that may be filled */
    uint32_t roles;
    bool longer; /* more bytes may follow */
} requests[CONTROL_TYPES] = {
    [CONTROL_HELLO] = { control_hello, sizeof(struct control_hello), 1, 0,
                        false },
    [CONTROL_RENEW] = { control_renew, 0, 1, ROLE_STORE, false },
    [CONTROL_HYPERCALL] = { control_hypercall, sizeof(struct control_hypercall),
                            0, ROLES_DOMAIN, true },
    [CONTROL_WINDOW_FILE] = { control_window_file,
                              sizeof(struct control_window), 0, ROLES_DOMAIN,
                              false },
    [CONTROL_WINDOW_OPEN] = { control_window_open,
                              sizeof(struct control_window), 0, ROLES_DOMAIN,
                              false },
    [CONTROL_WINDOW_CLOSE] = { control_window_close,
                               sizeof(struct control_window), 0, ROLES_DOMAIN,
                               false },
    [CONTROL_HOST_INFO] = { control_host_info, 0, 0, ROLES_ALL, false },
    [CONTROL_CREATE] = { control_create, sizeof(struct control_create), 7,
                         ROLES_CONTROL, false },
    [CONTROL_LIST] = { control_list, sizeof(struct control_domain), 0,
                       ROLES_CONTROL, false },
    [CONTROL_INFO] = { control_info, sizeof(struct control_domain), 0,
                       ROLES_CONTROL, false },
    [CONTROL_PAUSE] = { control_pause, sizeof(struct control_domain), 0,
                        ROLES_CONTROL, false },
    [CONTROL_UNPAUSE] = { control_unpause, sizeof(struct control_domain), 0,
                          ROLES_CONTROL, false },
    [CONTROL_VCPUS] = { control_vcpus, sizeof(struct control_domain), 0,
                        ROLES_CONTROL, false },
    [CONTROL_VCPU_PIN] = { control_vcpu_pin, sizeof(struct control_vcpu_pin), 0,
                           ROLES_CONTROL, false },
    [CONTROL_STATS] = { control_stats, sizeof(struct control_domain), 0,
                        ROLES_CONTROL, false },
    [CONTROL_DESTROY] = { control_destroy, sizeof(struct control_domain), 0,
                          ROLES_CONTROL, false },
};

/* ---- clients ---- */

struct client *control_client_of(struct control *ctl, enum control_role role)
{
    struct list *pos;

    list_for_each(pos, &ctl->clients) {
        struct client *c = container_of(pos, struct client, link);

        if (c->greeted && c->role == role)
            return c;
    }
    return NULL;
}

static void backlog_free(struct client *c)
{
    struct control_backlog *b = c->backlog;

    for (unsigned int i = 0; b && i < b->nr_fds; i++)
        close(b->fds[i]);
    free(b);
    c->backlog = NULL;
}

static void client_free(struct client *c)
{
    host_unwatch(c->control->host, &c->exit);
    if (c->pidfd >= 0)
        close(c->pidfd);
    windows_free(&c->windows);
    list_del(&c->waiter.link);
    list_del(&c->link);
    c->control->nr_clients--;
    free(c);
}

static void disconnect(struct client *c)
{
    if (c->socket.fd < 0)
        return;
    host_unwatch(c->control->host, &c->socket);
    close(c->socket.fd);
    c->socket.fd = -1;
    backlog_free(c);
}

void control_reap(struct client *c)
{
    disconnect(c);
    if (!peer_leave(c))
        client_free(c);
}

/* ---- replies ---- */

static ssize_t send_bytes(int fd, const void *bytes, size_t size,
                          const int *fds, unsigned int n)
{
    char control[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)]
        __attribute__((aligned(8))) = { 0 };
    struct iovec iov = { (void *)bytes, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;

    if (n) {
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Keeps a reply until its client takes it; descriptors are duplicated. */
static int keep_reply(struct client *c, const void *bytes, size_t size,
                      const int *fds, unsigned int n)
{
    struct control_backlog *b = calloc(1, sizeof(*b) + size);

    if (!b)
        return -ENOMEM;
    c->backlog = b;
    b->size = size;
    memcpy(b->bytes, bytes, size);
    for (unsigned int i = 0; i < n; i++) {
        b->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (b->fds[i] < 0)
            return -errno;
        b->nr_fds++;
    }
    return host_rewatch(c->control->host, &c->socket, EPOLLOUT);
}

static int send_reply(struct client *c, const struct request *rq, long result)
{
    struct control_buffer *out = &c->control->out;
    int fds[CONTROL_FDS_MAX];
    unsigned int n = 0;

    out->h = (struct control_header){ .type = c->type,
                                      .serial = c->serial,
                                      .size = rq->reply_size,
                                      .result = result };
    for (unsigned int i = 0; i < CONTROL_FDS_MAX; i++)
        if (rq->reply_fds[i] >= 0) {
            out->h.fds |= 1u << i;
            fds[n++] = rq->reply_fds[i];
        }
    if (send_bytes(c->socket.fd, out, sizeof(out->h) + rq->reply_size, fds,
                   n) >= 0)
        return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return -errno;
    return keep_reply(c, out, sizeof(out->h) + rq->reply_size, fds, n);
}

void control_reply_later(struct client *c, long result)
{
    const struct request rq = { .reply_fds = { -1, -1, -1 } };
    int err = host_rewatch(c->control->host, &c->socket, EPOLLIN);

    c->waits = false;
    if (!err)
        err = send_reply(c, &rq, result);
    if (err)
        control_reap(c);
}

/* 0 when the waiting reply has gone, -EAGAIN when it must wait on. */
static int send_backlog(struct client *c)
{
    struct control_backlog *b = c->backlog;

    if (send_bytes(c->socket.fd, b->bytes, b->size, b->fds, b->nr_fds) < 0)
        return -errno;
    backlog_free(c);
    return host_rewatch(c->control->host, &c->socket, EPOLLIN);
}

/* ---- requests ---- */

static void close_all(int *fds, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/*
 * One message into ctl->in, its descriptors into got; > 0: bytes. The length
 * given for descriptors must be exact: CMSG_SPACE() has room for one more.
 */
static ssize_t receive(struct client *c, int *got, unsigned int *n)
{
    struct control_buffer *in = &c->control->in;
    char control[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)]
        __attribute__((aligned(8)));
    struct iovec iov = { in, CONTROL_MESSAGE_MAX };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen =
                              CMSG_LEN(sizeof(int) * CONTROL_FDS_MAX) };
    ssize_t size = recvmsg(c->socket.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *n = 0;
    if (size < 0)
        return -errno;
    for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m; m = CMSG_NXTHDR(&msg, m))
        if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_RIGHTS) {
            *n = (unsigned int)((m->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(got, CMSG_DATA(m), *n * sizeof(int));
        }
    return msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : size;
}

/* Is it a message that an honest client of this role may send now? */
static bool well_formed(const struct client *c, const struct control_header *h,
                        size_t size, unsigned int nr_fds)
{
    uint32_t roles;

    if (size < sizeof(*h) || h->size != size - sizeof(*h) ||
        h->type >= CONTROL_TYPES || !requests[h->type].fn)
        return false;
    if (h->size < requests[h->type].size ||
        (h->size > requests[h->type].size && !requests[h->type].longer))
        return false;
    if (h->fds & ~requests[h->type].fds ||
        (unsigned int)__builtin_popcount(h->fds) != nr_fds)
        return false;
    roles = requests[h->type].roles;
    return c->greeted ? roles & 1u << c->role : h->type == CONTROL_HELLO;
}

static long serve(struct client *c, int *got)
{
    struct control *ctl = c->control;
    int slots[CONTROL_FDS_MAX];
    struct request rq = {
        .client = c,
        .host = ctl->host,
        .payload = ctl->in.payload,
        .size = ctl->in.h.size,
        .fds = slots,
        .reply = ctl->out.payload,
        .reply_fds = { -1, -1, -1 },
    };
    long ret;

    for (unsigned int i = 0, used = 0; i < CONTROL_FDS_MAX; i++)
        slots[i] = ctl->in.h.fds & 1u << i ? got[used++] : -1;
    c->type = ctl->in.h.type;
    c->serial = ctl->in.h.serial;
    ret = requests[ctl->in.h.type].fn(&rq);
    close_all(slots, CONTROL_FDS_MAX);
    if (ret == CONTROL_LATER) {
        c->waits = true;
        return host_rewatch(ctl->host, &c->socket, 0); /* but for its end */
    }
    return ret == CONTROL_DROP ? -EPROTO : send_reply(c, &rq, ret);
}

/* 0, -EAGAIN: nothing there, or anything else: the connection is over. */
static int read_request(struct client *c)
{
    int got[CONTROL_FDS_MAX];
    unsigned int n;
    ssize_t size = receive(c, got, &n);

    if (size <= 0 || !well_formed(c, &c->control->in.h, (size_t)size, n)) {
        close_all(got, n);
        return size < 0 ? (int)size : -EPROTO;
    }
    return (int)serve(c, got);
}

static void client_ready(void *data, uint32_t events)
{
    struct client *c = data;
    int err = 0;

    if (c->waits)
        err = events & (EPOLLHUP | EPOLLERR) ? -EPIPE : 0;
    else if (c->backlog)
        err = send_backlog(c);
    for (int i = 0; !err && !c->backlog && !c->waits && i < BURST; i++)
        err = read_request(c);
    if (err && err != -EAGAIN && err != -EINTR)
        control_reap(c);
}

static uint32_t clients_max(const struct rs_host *h)
{
    uint32_t n = host_clients_max(h);

    return n < CONTROL_CLIENTS_MAX ? n : CONTROL_CLIENTS_MAX;
}

/* ---- coming ---- */

static int client_new(struct control *ctl, int fd)
{
    struct client *c;
    int err;

    if (ctl->nr_clients >= clients_max(ctl->host))
        return -EUSERS;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->control = ctl;
    c->pidfd = -1;
    windows_init(&c->windows, ctl->host, -1, 0);
    list_init(&c->link);
    list_init(&c->waiter.link);
    ctl->nr_clients++;
    err = peer_identify(c, fd);
    if (!err)
        err = host_watch(ctl->host, &c->socket, fd, EPOLLIN, client_ready, c);
    if (err) {
        client_free(c);
        return err;
    }
    list_add_tail(&ctl->clients, &c->link);
    return 0;
}

/* Out of descriptors: takes the caller in and shows it out, with the spare. */
static void refuse(struct control *ctl)
{
    int fd;

    close(ctl->spare);
    fd = accept4(ctl->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    ctl->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void knock(void *data, uint32_t events)
{
    struct control *ctl = data;
    int fd = accept4(ctl->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            refuse(ctl);
        return;
    }
    if (client_new(ctl, fd))
        close(fd);
}

/* ---- life ---- */

/* The file is made with the mode that the unbound socket has. */
static int bind_private(int fd, const char *path)
{
    return fchmod(fd, 0600) ? -errno : socket_name_bind(fd, path);
}

int control_listen(struct rs_host *h, const char *path)
{
    struct control *ctl;
    int fd, err;

    if (h->control)
        return host_error(h, -EBUSY, "the host listens already");
    ctl = calloc(1, sizeof(*ctl));
    if (ctl)
        ctl->path = strdup(path);
    if (!ctl || !ctl->path) {
        free(ctl);
        return host_error(h, -ENOMEM, "no memory for the control socket");
    }
    ctl->host = h;
    list_init(&ctl->clients);
    ctl->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    err = fd < 0 ? -errno : bind_private(fd, path);
    if (!err && listen(fd, 16))
        err = -errno;
    if (!err)
        err = host_watch(h, &ctl->listen, fd, EPOLLIN, knock, ctl);
    if (err) {
        if (fd >= 0)
            close(fd);
        close(ctl->spare);
        free(ctl->path);
        free(ctl);
        return host_error(h, err, "control socket %s: %s", path,
                          strerror(-err));
    }
    h->control = ctl;
    return 0;
}

void control_close(struct rs_host *h)
{
    struct control *ctl = h->control;

    if (!ctl)
        return;
    while (!list_empty(&ctl->clients)) {
        struct client *c = container_of(ctl->clients.next, struct client, link);

        disconnect(c);
        peer_leave_now(c);
        client_free(c);
    }
    host_unwatch(h, &ctl->listen);
    close(ctl->listen.fd);
    close(ctl->spare);
    unlink(ctl->path);
    free(ctl->path);
    free(ctl);
    h->control = NULL;
}
