/*
 * Sockets by names of any length. An address has room for 107 bytes; a socket
 * with a longer name is reached through a descriptor of its directory, by
 * /proc/self/fd/N/NAME. So nothing else has to be made where others might have
 * prepared it.
 */
#ifndef RINGSIDE_SOCKET_NAME_H
#define RINGSIDE_SOCKET_NAME_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct socket_name {
    struct sockaddr_un address; /* good until socket_name_close() */
    int dir;                    /* -1: the name itself fits */
};

static inline int socket_name_shorten(struct socket_name *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int n;

    if (!slash || slash - path >= PATH_MAX)
        return -ENAMETOOLONG;
    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
    s->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0)
        return -errno;
    n = snprintf(s->address.sun_path, sizeof(s->address.sun_path),
                 "/proc/self/fd/%d/%s", s->dir, slash + 1);
    if (n < (int)sizeof(s->address.sun_path))
        return 0;
    close(s->dir);
    s->dir = -1;
    return -ENAMETOOLONG;
}

/* The address of a socket, to bind or to connect. 0 or -errno: then it is
 * closed. */
static inline int socket_name_open(struct socket_name *s, const char *path)
{
    *s = (struct socket_name){ .address.sun_family = AF_UNIX, .dir = -1 };
    if (strlen(path) >= sizeof(s->address.sun_path))
        return socket_name_shorten(s, path);
    memcpy(s->address.sun_path, path, strlen(path) + 1);
    return 0;
}

static inline void socket_name_close(struct socket_name *s)
{
    if (s->dir >= 0)
        close(s->dir);
    s->dir = -1;
}

/* Binds or connects a socket: 0 or -errno. */
static inline int socket_name_bind(int fd, const char *path)
{
    struct socket_name s;
    int err = socket_name_open(&s, path);

    if (!err && bind(fd, (struct sockaddr *)&s.address, sizeof(s.address)))
        err = -errno;
    socket_name_close(&s);
    return err;
}

static inline int socket_name_connect(int fd, const char *path)
{
    struct socket_name s;
    int err = socket_name_open(&s, path);

    if (!err && connect(fd, (struct sockaddr *)&s.address, sizeof(s.address)))
        err = -errno;
    socket_name_close(&s);
    return err;
}

#endif
