/*
 * One exchange with the hypervisor: a message out and a message in, with the
 * descriptors that travel with them (docs/control.md).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

static void close_fds(int fds[CONTROL_FDS_MAX])
{
    for (unsigned int i = 0; i < CONTROL_FDS_MAX; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static int send_request(int fd, struct control_header *h,
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
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
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

static long receive_reply(int fd, const struct control_header *request,
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
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
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

long control_exchange(struct rs_client *c, enum control_type type,
                      const struct control_message *m, struct control_reply *r)
{
    struct control_header h = { .type = type, .serial = ++c->serial };
    int err = send_request(c->fd, &h, m);

    return err ? err : receive_reply(c->fd, &h, r);
}
