/*
 * Clients on the host: the UNIX socket and its connections. All of them act
 * for domain 0.
 */
#ifndef XS_CONN_SOCKET_H
#define XS_CONN_SOCKET_H

#include <event2/event.h>

struct conn;
struct store;
struct listener;

/*
 * Listens on `path`. A socket file that nobody serves is replaced. -EADDRINUSE
 * if somebody does, -ENOTSOCK if it is another kind of file.
 */
int listener_new(struct event_base *base, struct store *s, const char *path,
                 struct listener **out);
/* After a live update: the socket `fd`, which listens at `path`, is taken. */
int listener_continue(struct event_base *base, struct store *s,
                      const char *path, int fd, struct listener **out);
/* Makes a connection over a socket, which it takes. NULL: no memory. */
struct conn *listener_adopt(struct listener *l, int fd);
int listener_fd(const struct listener *l);
/* Stops listening and removes the file. */
void listener_free(struct listener *l);

#endif
