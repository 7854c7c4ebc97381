/*
 * The connection to the hypervisor: how it begins, as whom, and how it ends.
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

#include "internal.h"
#include "peer.h"
#include "socket_name.h"
#include "xen_compat.h"

/* A userfaultfd for the hypervisor to keep, -1 where there is none to have. */
static int make_userfaultfd(enum control_role role)
{
    const char *off = getenv("RINGSIDE_NO_USERFAULTFD");

    if (role == CONTROL_TOOL || (off && strcmp(off, "1") == 0))
        return -1;
    return syscall(SYS_userfaultfd,
                   O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
}

/* HELLO or RENEW, with a userfaultfd of this program's memory. */
static int introduce(struct rs_client *c, enum control_type type,
                     enum control_role role, const void *payload, size_t size)
{
    struct control_welcome welcome = { 0 };
    struct control_message m = CONTROL_MESSAGE(payload, size);
    struct control_reply r = CONTROL_REPLY(&welcome, sizeof(welcome));

    m.fds[0] = make_userfaultfd(role);
    long err = control_exchange(c, type, &m, &r);
    if (m.fds[0] >= 0)
        close(m.fds[0]);
    if (err)
        return err;
    if (r.size != sizeof(welcome) || welcome.version != CONTROL_VERSION)
        return -EPROTO;
    c->domid = welcome.domid;
    c->strict = welcome.strict;
    return 0;
}

static struct rs_client *client_new(int fd)
{
    struct rs_client *c = calloc(1, sizeof(*c));

    if (c) {
        c->fd = fd;
        c->domid = DOMID_INVALID;
        list_init(&c->idle);
    }
    return c;
}

static int connect_as(const char *path, enum control_role role,
                      struct rs_client **out)
{
    struct control_hello hello = { CONTROL_VERSION, role };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct rs_client *c;
    int err;

    if (fd < 0)
        return -errno;
    c = client_new(fd);
    if (!c) {
        close(fd);
        return -ENOMEM;
    }
    err = socket_name_connect(fd, path);
    if (!err)
        err = peer_check(fd);
    if (!err)
        err = introduce(c, CONTROL_HELLO, role, &hello, sizeof(hello));
    if (err)
        rs_client_disconnect(c);
    else
        *out = c;
    return err;
}

int rs_client_connect(const char *path, struct rs_client **out)
{
    return connect_as(path, CONTROL_TOOL, out);
}

/* "ROLE:SOCKET", as ringsided wrote it. */
int rs_client_join(struct rs_client **out)
{
    static const char *const roles[] = { [CONTROL_STORE] = CONTROL_STORE_NAME,
                                         [CONTROL_DRIVER] =
                                             CONTROL_DRIVER_NAME };
    const char *identity = getenv(CONTROL_IDENTITY);
    const char *colon = identity ? strchr(identity, ':') : NULL;

    if (!identity)
        return -ENOKEY;
    for (unsigned int i = CONTROL_STORE; colon && i <= CONTROL_DRIVER; i++) {
        size_t n = strlen(roles[i]);

        if (n == (size_t)(colon - identity) && !memcmp(identity, roles[i], n))
            return connect_as(colon + 1, (enum control_role)i, out);
    }
    return -EINVAL;
}

int rs_client_adopt(int fd, struct rs_client **out)
{
    struct rs_client *c = client_new(fd);
    int err;

    if (!c)
        return -ENOMEM;
    err = introduce(c, CONTROL_RENEW, CONTROL_STORE, NULL, 0);
    if (err)
        free(c);
    else
        *out = c;
    return err;
}

void rs_client_disconnect(struct rs_client *c)
{
    if (!c)
        return;
    windows_clear(c);
    ports_clear(c);
    rs_client_forget_kernel(c);
    close(c->fd);
    free(c);
}

int rs_client_fd(const struct rs_client *c)
{
    return c->fd;
}

uint16_t rs_client_domid(const struct rs_client *c)
{
    return c->domid;
}
