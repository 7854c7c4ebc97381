/*
 * The connection of this process to the hypervisor, and its hypercalls.
 *
 * One connection per process, used by one thread; every exchange is a message
 * out and a message in (docs/control.md). A hypercall's argument is carried by
 * value, in as many messages as its structs need.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "host.h"
#include "connection.h"
#include "peer.h"
#include "socket_name.h"

static struct {
    int fd;
    uint32_t serial;
    domid_t domid;
    bool strict;
} conn = { .fd = -1, .domid = DOMID_INVALID };

static void close_fds(int fds[CONTROL_FDS_MAX])
{
    for (unsigned int i = 0; i < CONTROL_FDS_MAX; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static int send_request(struct control_header *h,
                        const struct control_message *m)
{
    char control[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)]
        __attribute__((aligned(8))) = { 0 };
    struct iovec iov[] = {
        { h, sizeof(*h) },
        { (void *)m->head, m->head_size },
        { (void *)m->body, m->body_size },
    };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
    struct cmsghdr *c = (struct cmsghdr *)control;
    unsigned int n = 0;

    for (unsigned int i = 0; i < CONTROL_FDS_MAX; i++) {
        if (m->fds[i] >= 0) {
            h->fds |= 1u << i;
            memcpy(CMSG_DATA(c) + n++ * sizeof(int), &m->fds[i], sizeof(int));
        }
    }
    if (n) {
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
    }
    h->size = m->head_size + m->body_size;

    ssize_t sent;
    do {
        sent = sendmsg(conn.fd, &msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Puts the descriptors of a reply into the slots that its header names. */
static int take_fds(struct msghdr *msg, uint32_t slots,
                    int fds[CONTROL_FDS_MAX])
{
    int got[CONTROL_FDS_MAX];
    unsigned int n = 0, used = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(got, CMSG_DATA(c), n * sizeof(int));
        }
    }
    for (unsigned int i = 0; i < CONTROL_FDS_MAX; i++)
        if (slots & 1u << i && used < n)
            fds[i] = got[used++];
    while (used < n)
        close(got[used++]);
    return msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : 0;
}

static long receive_reply(const struct control_header *request,
                          struct control_reply *r)
{
    char control[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)]
        __attribute__((aligned(8)));
    struct control_header h;
    struct iovec iov[] = {
        { &h, sizeof(h) },
        { r->head, r->head_size },
        { r->body, r->body_size },
    };
    struct msghdr msg = { .msg_iov = iov,
                          .msg_iovlen = 3,
                          .msg_control = control,
                          .msg_controllen =
                              CMSG_LEN(sizeof(int) * CONTROL_FDS_MAX) };

    ssize_t got;
    do {
        got = recvmsg(conn.fd, &msg, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 && errno != ECONNRESET ? -errno : -EPIPE;
    int err = take_fds(&msg, (size_t)got >= sizeof(h) ? h.fds : 0, r->fds);
    if (!err &&
        ((size_t)got < sizeof(h) || h.type != request->type ||
         h.serial != request->serial || h.size != (size_t)got - sizeof(h)))
        err = -EPROTO;
    if (err || h.result < 0)
        close_fds(r->fds);
    r->size = err ? 0 : h.size;
    return err ? err : h.result;
}

long control_exchange(enum control_type type, const struct control_message *m,
                      struct control_reply *r)
{
    if (conn.fd < 0)
        return -ENOTCONN;
    struct control_header h = { .type = type, .serial = ++conn.serial };
    int err = send_request(&h, m);

    return err ? err : receive_reply(&h, r);
}

/* A userfaultfd for the hypervisor to keep, -1 where there is none to have. */
static int make_userfaultfd(enum hypercall_role role)
{
    const char *off = getenv("RINGSIDE_NO_USERFAULTFD");

    if (role == HYPERCALL_ROLE_TOOL || (off && strcmp(off, "1") == 0))
        return -1;
    return syscall(SYS_userfaultfd,
                   O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
}

/* HELLO or RENEW, with a userfaultfd of this program's memory. */
static int introduce(enum control_type type, enum hypercall_role role,
                     const void *payload, size_t size)
{
    struct control_welcome welcome = { 0 };
    struct control_message m = CONTROL_MESSAGE(payload, size);
    struct control_reply r = CONTROL_REPLY(&welcome, sizeof(welcome));

    m.fds[0] = make_userfaultfd(role);
    long err = control_exchange(type, &m, &r);
    if (m.fds[0] >= 0)
        close(m.fds[0]);
    if (err)
        return err;
    if (r.size != sizeof(welcome) || welcome.version != CONTROL_VERSION)
        return -EPROTO;
    conn.domid = welcome.domid;
    conn.strict = welcome.strict;
    return 0;
}

static int say_hello(enum hypercall_role role)
{
    struct control_hello hello = { CONTROL_VERSION, role };

    return introduce(CONTROL_HELLO, role, &hello, sizeof(hello));
}

int hypercall_connect(const char *path, enum hypercall_role role)
{
    if (conn.fd >= 0)
        return -EISCONN;
    conn.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (conn.fd < 0)
        return -errno;
    int err = socket_name_connect(conn.fd, path);
    if (!err)
        err = peer_check(conn.fd);
    if (!err)
        err = say_hello(role);
    if (err)
        hypercall_disconnect();
    return err;
}

int hypercall_adopt(int fd)
{
    if (conn.fd >= 0)
        return -EISCONN;
    conn.fd = fd;
    int err = introduce(CONTROL_RENEW, HYPERCALL_ROLE_STORE, NULL, 0);
    if (err)
        conn.fd = -1;
    return err;
}

void hypercall_disconnect(void)
{
    windows_clear();
    ports_clear();
    if (conn.fd >= 0)
        close(conn.fd);
    conn.fd = -1;
    conn.domid = DOMID_INVALID;
    conn.strict = false;
}

int hypercall_fd(void)
{
    return conn.fd;
}

domid_t hypercall_domid(void)
{
    return conn.domid;
}

bool grant_window_is_strict(void)
{
    return conn.strict;
}

/* One message of a hypercall: `count` structs, changed in place. */
static long hypercall_once(unsigned int nr, unsigned int cmd, void *arg,
                           size_t size, unsigned int count)
{
    struct control_hypercall out = {
        .nr = nr, .cmd = cmd, .size = size, .count = count
    };
    struct control_hypercall in = { 0 };
    struct control_message m = CONTROL_MESSAGE(&out, sizeof(out));
    struct control_reply r = CONTROL_REPLY(&in, sizeof(in));

    m.body = r.body = arg;
    m.body_size = r.body_size = size * count;
    long ret = control_exchange(CONTROL_HYPERCALL, &m, &r);
    if (ret >= 0 && in.port) {
        int err = ports_add(in.port, r.fds[0], r.fds[1]);
        if (err) {
            struct evtchn_close op = { .port = in.port };

            hypercall_once(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &op,
                           sizeof(op), 1);
            return err;
        }
    }
    return ret;
}

long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size)
{
    if (size > CONTROL_ARGS_MAX)
        return -E2BIG;
    long ret = hypercall_once(nr, cmd, arg, size, 1);

    if (!ret && nr == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_close)
        ports_remove(((const struct evtchn_close *)arg)->port);
    return ret;
}

long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg, size_t size,
                    unsigned int n)
{
    unsigned int most = size ? CONTROL_ARGS_MAX / size : 0;

    if (!most)
        return -EINVAL;
    for (unsigned int done = 0; done < n;) {
        unsigned int count = n - done < most ? n - done : most;
        long ret =
            hypercall_once(nr, cmd, (char *)arg + done * size, size, count);

        if (ret < 0)
            return ret;
        done += count;
    }
    return 0;
}
