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

#include "guest-kernel/net/net.h"
#include "guest-kernel/net/socket_file.h"
#include "guest-kernel/vcpu.h"

/* ---- a socket as a file ---- */

static ssize_t result(ssize_t n)
{
    return n < 0 ? -errno : n;
}

static ssize_t socket_read(struct file *f, void *buf, size_t n)
{
    return result(lwip_read(socket_of(f), buf, n));
}

static ssize_t socket_write(struct file *f, const void *buf, size_t n)
{
    return result(lwip_write(socket_of(f), buf, n));
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

static int socket_close(struct file *f)
{
    return (int)result(lwip_close(socket_of(f)));
}

const struct file_ops socket_ops = {
    .name = "socket",
    .read = socket_read,
    .write = socket_write,
    .fstat = socket_fstat,
    .fcntl = socket_fcntl,
    .close = socket_close,
};

/* A descriptor for lwIP's socket s, which is closed if there is none left. */
static int new_descriptor(int s)
{
    int fd;

    if (s < 0)
        return -1;
    fd = file_open(&socket_ops, (void *)(intptr_t)s, O_RDWR);
    if (fd >= 0)
        return fd;
    lwip_close(s);
    errno = -fd;
    return -1;
}

/* The file of a socket's descriptor, or NULL with errno. */
static struct file *take(int fd)
{
    struct file *f = file_get(fd, &socket_ops);

    if (!f)
        errno = ENOTSOCK;
    return f;
}

/* Returns `call`, in which s is lwIP's socket, made while holding the file. */
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

/* ---- POSIX names ---- */

int socket(int domain, int type, int protocol)
{
    IN_KERNEL();
    if (net_want()) {
        errno = ENOMEM;
        return -1;
    }
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
    ON_SOCKET(fd, lwip_bind(s, name, len));
}

/* lwIP tells of a reset, also of one that answers the first segment. */
static int connect_socket(int s, const struct sockaddr *name, socklen_t len)
{
    int ret = lwip_connect(s, name, len);

    if (ret < 0 && errno == ECONNRESET)
        errno = ECONNREFUSED;
    return ret;
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

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    ON_SOCKET(fd, lwip_recv(s, buf, n, flags));
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
                 socklen_t *len)
{
    ON_SOCKET(fd, lwip_recvfrom(s, buf, n, flags, from, len));
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    ON_SOCKET(fd, lwip_recvmsg(s, msg, flags));
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    ON_SOCKET(fd, lwip_send(s, buf, n, flags));
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags,
               const struct sockaddr *to, socklen_t len)
{
    ON_SOCKET(fd, lwip_sendto(s, buf, n, flags, to, len));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ON_SOCKET(fd, lwip_sendmsg(s, msg, flags));
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
