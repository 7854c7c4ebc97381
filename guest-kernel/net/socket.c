/*
 * Sockets as descriptors of the guest kernel.
 *
 * lwIP numbers its sockets by itself; here each becomes a struct file, so that
 * read(), write(), close(), fcntl() and select() work on sockets, and sockets
 * and files share one table. lwIP's calls set errno and return -1; file
 * operations return -errno.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/socket_file.h"
#include "guest-kernel/vcpu.h"

/* ---- a socket as a file ---- */

static ssize_t result(ssize_t n)
{
    return n < 0 ? -errno : n;
}

/*
 * lwIP has one place for what a recv() left of a packet, and one for a send()
 * under way: a second thread would lose data, or be refused. So threads take
 * turns, each direction by itself.
 */
static struct turn *receiving(const struct file *f)
{
    return &((struct socket_file *)f->priv)->receiving;
}

static struct turn *sending(const struct file *f)
{
    return &((struct socket_file *)f->priv)->sending;
}

/* When a call that waits now is to give up, by SO_RCVTIMEO or SO_SNDTIMEO. */
static uint64_t deadline_of(int s, int option)
{
    struct timeval t = { 0 };
    socklen_t len = sizeof(t);

    if (lwip_getsockopt(s, SOL_SOCKET, option, &t, &len) ||
        (!t.tv_sec && !t.tv_usec))
        return NEVER;
    return clock_deadline((uint64_t)t.tv_sec * NS_PER_S +
                          (uint64_t)t.tv_usec * 1000);
}

/* Somebody has the turn, who waits: whoever does not want to, would have to. */
static bool wait_turn(struct turn *turn, int s, int option, int flags)
{
    bool waits =
        !(flags & MSG_DONTWAIT) && !(lwip_fcntl(s, F_GETFL, 0) & O_NONBLOCK);

    if (waits &&
        !wait_event(&turn->queue, !turn->taken, deadline_of(s, option)))
        return true;
    errno = EAGAIN;
    return false;
}

static bool take_turn(struct turn *turn, int s, int option, int flags)
{
    if (turn->taken && !wait_turn(turn, s, option, flags))
        return false;
    turn->taken = true;
    return true;
}

static void give_turn(struct turn *turn)
{
    turn->taken = false;
    wait_queue_wake(&turn->queue);
}

/* Returns `call`, made when it is our turn, or -1 and EAGAIN. */
#define IN_TURN(which, s, option, flags, call)          \
    ({                                                  \
        struct turn *turn_ = (which);                   \
        ssize_t did_ = -1;                              \
        if (take_turn(turn_, (s), (option), (flags))) { \
            did_ = (call);                              \
            give_turn(turn_);                           \
        }                                               \
        did_;                                           \
    })

#define RECEIVING(f, s, flags, call) \
    IN_TURN(receiving(f), s, SO_RCVTIMEO, flags, call)
#define SENDING(f, s, flags, call) \
    IN_TURN(sending(f), s, SO_SNDTIMEO, flags, call)

static ssize_t socket_read(struct file *f, void *buf, size_t n)
{
    int s = socket_of(f);

    return result(RECEIVING(f, s, 0, lwip_read(s, buf, n)));
}

static ssize_t sent(int s, ssize_t ret);

static ssize_t socket_write(struct file *f, const void *buf, size_t n)
{
    int s = socket_of(f);

    return result(SENDING(f, s, 0, sent(s, lwip_send(s, buf, n, 0))));
}

static int socket_fstat(struct file *f, struct stat *st)
{
    (void)f;
    memset(st, 0, sizeof(*st));
    st->st_mode = S_IFSOCK | 0600;
    st->st_blksize = 4096;
    return 0;
}

static int socket_fcntl(struct file *f, int cmd, long arg)
{
    return (int)result(lwip_fcntl(socket_of(f), cmd, (int)arg));
}

static void socket_hangup(struct file *f)
{
    lwip_shutdown(socket_of(f), SHUT_RDWR);
}

/* Maybe at the end of another call, whose errno it leaves. */
static int socket_close(struct file *f)
{
    int err = errno, ret = (int)result(lwip_close(socket_of(f)));

    free(f->priv);
    errno = err;
    return ret;
}

const struct file_ops socket_ops = {
    .name = "socket",
    .read = socket_read,
    .write = socket_write,
    .fstat = socket_fstat,
    .fcntl = socket_fcntl,
    .hangup = socket_hangup,
    .close = socket_close,
};

/* A descriptor for lwIP's socket s, which is closed if there is none left. */
static int new_descriptor(int s)
{
    struct socket_file *socket;
    int fd = -ENOMEM;

    if (s < 0)
        return -1;
    socket = calloc(1, sizeof(*socket));
    if (socket) {
        socket->number = s;
        wait_queue_init(&socket->receiving.queue);
        wait_queue_init(&socket->sending.queue);
        fd = file_open(&socket_ops, socket, O_RDWR);
    }
    if (fd >= 0)
        return fd;
    free(socket);
    lwip_close(s);
    errno = -fd;
    return -1;
}

static int fail(int err)
{
    errno = err;
    return -1;
}

/* The file of a socket's descriptor, or NULL with errno. */
static struct file *take(int fd)
{
    struct file *f = file_get(fd, NULL);

    if (f && f->ops == &socket_ops)
        return f;
    errno = f ? ENOTSOCK : EBADF;
    if (f)
        file_put(f);
    return NULL;
}

/* Returns `call`, in which s is lwIP's socket and f_ its file, which is held.
 */
#define ON_SOCKET(fd, call)             \
    do {                                \
        IN_KERNEL();                    \
        struct file *f_ = take(fd);     \
        int s = f_ ? socket_of(f_) : 0; \
        __typeof__(call) ret_ = -1;     \
                                        \
        if (f_) {                       \
            ret_ = (call);              \
            file_put(f_);               \
        }                               \
        return ret_;                    \
    } while (0)

/* ---- arguments that lwIP takes for something else ---- */

/* For lwIP every family is IPv4, and every protocol the type's own. */
static int check_kind(int domain, int type, int protocol)
{
    int own = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;

    if (domain != AF_INET)
        return EAFNOSUPPORT;
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return ESOCKTNOSUPPORT;
    return protocol && protocol != own ? EPROTONOSUPPORT : 0;
}

static int check_name(const struct sockaddr *name, socklen_t len)
{
    if (!name)
        return EFAULT;
    if (len < sizeof(struct sockaddr_in))
        return EINVAL;
    return name->sa_family == AF_INET ? 0 : EAFNOSUPPORT;
}

static bool is_stream(int s)
{
    socklen_t len = sizeof(int);
    int type = 0;

    return !lwip_getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &len) &&
           type == SOCK_STREAM;
}

/* ---- POSIX names ---- */

int socket(int domain, int type, int protocol)
{
    IN_KERNEL();
    int err = check_kind(domain, type, protocol);

    if (err)
        return fail(err);
    if (net_want())
        return fail(ENOMEM);
    return new_descriptor(lwip_socket(domain, type, protocol));
}

int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    IN_KERNEL();
    struct file *f = take(fd);
    int s;

    if (!f)
        return -1;
    s = lwip_accept(socket_of(f), addr, len);
    file_put(f);
    return new_descriptor(s);
}

int bind(int fd, const struct sockaddr *name, socklen_t len)
{
    int err = check_name(name, len);

    ON_SOCKET(fd, err ? fail(err) : lwip_bind(s, name, len));
}

/* A datagram socket is disconnected by AF_UNSPEC. */
static int connect_socket(int s, const struct sockaddr *name, socklen_t len)
{
    int err = check_name(name, len);

    if (err == EAFNOSUPPORT && name->sa_family == AF_UNSPEC && !is_stream(s))
        err = 0;
    return err ? fail(err) : lwip_connect(s, name, len);
}

int connect(int fd, const struct sockaddr *name, socklen_t len)
{
    ON_SOCKET(fd, connect_socket(s, name, len));
}

int listen(int fd, int backlog)
{
    ON_SOCKET(fd, lwip_listen(s, backlog));
}

int shutdown(int fd, int how)
{
    ON_SOCKET(fd, lwip_shutdown(s, how));
}

int getpeername(int fd, struct sockaddr *name, socklen_t *len)
{
    ON_SOCKET(fd, lwip_getpeername(s, name, len));
}

int getsockname(int fd, struct sockaddr *name, socklen_t *len)
{
    ON_SOCKET(fd, lwip_getsockname(s, name, len));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    ON_SOCKET(fd, lwip_setsockopt(s, level, name, value, len));
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    ON_SOCKET(fd, lwip_getsockopt(s, level, name, value, len));
}

/* ---- receiving and sending ---- */

#define RECEIVE_FLAGS (MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL)
#define SEND_FLAGS    (MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL)

/* Until all n bytes are there, or an end or an error. */
static ssize_t receive_all(int s, char *buf, size_t n)
{
    size_t got = 0;
    ssize_t ret;

    do {
        ret = lwip_recv(s, buf + got, n - got, 0);
        got += ret > 0 ? (size_t)ret : 0;
    } while (ret > 0 && got < n);
    return got ? (ssize_t)got : ret;
}

static ssize_t receive(int s, void *buf, size_t n, int flags,
                       struct sockaddr *from, socklen_t *len)
{
    if (flags & ~RECEIVE_FLAGS)
        return fail(EOPNOTSUPP);
    if (flags & MSG_WAITALL && !(flags & (MSG_PEEK | MSG_DONTWAIT)) && !from &&
        is_stream(s))
        return receive_all(s, buf, n);
    flags &= ~(MSG_WAITALL | MSG_NOSIGNAL);
    return lwip_recvfrom(s, buf, n, flags, from, len);
}

/* What can be sent no more, or not yet: EPIPE. There are no signals. */
static ssize_t sent(int s, ssize_t ret)
{
    if (ret < 0 && errno == ENOTCONN && is_stream(s))
        errno = EPIPE;
    return ret;
}

static ssize_t send_to(int s, const void *buf, size_t n, int flags,
                       const struct sockaddr *to, socklen_t len)
{
    int err = to ? check_name(to, len) : 0;

    if (flags & ~SEND_FLAGS)
        err = EOPNOTSUPP;
    if (err)
        return fail(err);
    flags &= ~MSG_NOSIGNAL;
    return sent(s, to ? lwip_sendto(s, buf, n, flags, to, len)
                      : lwip_send(s, buf, n, flags));
}

static ssize_t send_message(int s, const struct msghdr *msg, int flags)
{
    if (flags & ~SEND_FLAGS)
        return fail(EOPNOTSUPP);
    return sent(s, lwip_sendmsg(s, msg, flags & ~MSG_NOSIGNAL));
}

static ssize_t receive_message(int s, struct msghdr *msg, int flags)
{
    if (flags & ~(RECEIVE_FLAGS & ~MSG_WAITALL))
        return fail(EOPNOTSUPP);
    return lwip_recvmsg(s, msg, flags & ~MSG_NOSIGNAL);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    ON_SOCKET(fd,
              RECEIVING(f_, s, flags, receive(s, buf, n, flags, NULL, NULL)));
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
                 socklen_t *len)
{
    ON_SOCKET(fd,
              RECEIVING(f_, s, flags, receive(s, buf, n, flags, from, len)));
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    ON_SOCKET(fd, RECEIVING(f_, s, flags, receive_message(s, msg, flags)));
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    ON_SOCKET(fd, SENDING(f_, s, flags, send_to(s, buf, n, flags, NULL, 0)));
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags,
               const struct sockaddr *to, socklen_t len)
{
    ON_SOCKET(fd, SENDING(f_, s, flags, send_to(s, buf, n, flags, to, len)));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ON_SOCKET(fd, SENDING(f_, s, flags, send_message(s, msg, flags)));
}

int ioctlsocket(int fd, long cmd, void *arg)
{
    ON_SOCKET(fd, lwip_ioctl(s, cmd, arg));
}

int closesocket(int fd)
{
    IN_KERNEL();
    int err = file_close(fd);

    if (!err)
        return 0;
    errno = -err;
    return -1;
}

const char *inet_ntop(int af, const void *src, char *dst, socklen_t size)
{
    const char *text = NULL;

    if (af != AF_INET)
        errno = EAFNOSUPPORT;
    else if (!(text = ip4addr_ntoa_r(src, dst, (int)size)))
        errno = ENOSPC;
    return text;
}

int inet_pton(int af, const char *src, void *dst)
{
    if (af == AF_INET)
        return ip4addr_aton(src, dst);
    errno = EAFNOSUPPORT;
    return -1;
}
