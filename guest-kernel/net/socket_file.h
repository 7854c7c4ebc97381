/*
 * What socket.c and socket_poll.c share: sockets as files, and lwIP's calls
 * under their own names.
 */
#ifndef RINGSIDE_NET_SOCKET_FILE_H
#define RINGSIDE_NET_SOCKET_FILE_H

#include <stdbool.h>

#include "lwip/sockets.h"

#include "guest-kernel/file.h"
#include "guest-kernel/thread.h"

extern const struct file_ops socket_ops;

/* Of the threads that want the same, one at a time. */
struct turn {
    bool taken;
    struct wait_queue queue;
};

/* What is behind a file of socket_ops. */
struct socket_file {
    int number; /* lwIP's */
    struct turn receiving, sending;
};

/* lwIP's number of the socket of a file of socket_ops. */
static inline int socket_of(const struct file *f)
{
    return ((const struct socket_file *)f->priv)->number;
}

/*
 * To programs lwip/sockets.h declares lwIP's functions under their POSIX names
 * (LWIP_COMPAT_SOCKETS 2). Here those names are ours, of the same types, and
 * lwIP's own functions have their own names back.
 */
#undef lwip_accept
#undef lwip_bind
#undef lwip_shutdown
#undef lwip_getpeername
#undef lwip_getsockname
#undef lwip_setsockopt
#undef lwip_getsockopt
#undef lwip_close
#undef lwip_connect
#undef lwip_listen
#undef lwip_recv
#undef lwip_recvmsg
#undef lwip_recvfrom
#undef lwip_send
#undef lwip_sendmsg
#undef lwip_sendto
#undef lwip_socket
#undef lwip_poll
#undef lwip_ioctl
#undef lwip_inet_ntop
#undef lwip_inet_pton

extern __typeof__(accept) lwip_accept;
extern __typeof__(bind) lwip_bind;
extern __typeof__(shutdown) lwip_shutdown;
extern __typeof__(getpeername) lwip_getpeername;
extern __typeof__(getsockname) lwip_getsockname;
extern __typeof__(setsockopt) lwip_setsockopt;
extern __typeof__(getsockopt) lwip_getsockopt;
extern __typeof__(closesocket) lwip_close;
extern __typeof__(connect) lwip_connect;
extern __typeof__(listen) lwip_listen;
extern __typeof__(recv) lwip_recv;
extern __typeof__(recvmsg) lwip_recvmsg;
extern __typeof__(recvfrom) lwip_recvfrom;
extern __typeof__(send) lwip_send;
extern __typeof__(sendmsg) lwip_sendmsg;
extern __typeof__(sendto) lwip_sendto;
extern __typeof__(socket) lwip_socket;
extern __typeof__(poll) lwip_poll;
extern __typeof__(ioctlsocket) lwip_ioctl;

#endif
