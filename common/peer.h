/*
 * Whom a client may talk to: a process of its own user, or of root. Anybody
 * else at the other end of a socket is a stranger, however the socket came to
 * have that name.
 */
#ifndef RINGSIDE_PEER_H
#define RINGSIDE_PEER_H

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether user `self` may trust what belongs to `owner`. */
static inline bool user_is_trusted(uid_t owner, uid_t self)
{
    return owner == self || owner == 0;
}

/*
 * Of a connected socket: 0 if the process that listens is trusted, else -EPERM;
 * -errno. Nothing may be sent before.
 */
static inline int peer_check(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n))
        return -errno;
    return user_is_trusted(cred.uid, geteuid()) ? 0 : -EPERM;
}

#endif
