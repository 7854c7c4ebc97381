/*
 * Serving the requests of a connection.
 *
 * Bytes come in from a transport and are cut into messages; each whole message
 * is a request, which request_serve() answers. Serving stops when the slice is
 * over (fair.h), when the client must first read its replies, when it has to
 * wait for its turn to write (throttle.h), or when a request asks to be served
 * later. What is left waits in the connection's input buffer.
 */
#ifndef XS_SERVE_H
#define XS_SERVE_H

#include <stddef.h>

struct conn;

/*
 * Bytes came in: serves the requests they complete until the slice is over.
 * The rest waits; conn_serve_more() goes on with it.
 */
void conn_input(struct conn *c, const void *data, size_t len);

/* The next slice of requests that wait in the input buffer. */
void conn_serve_more(struct conn *c);

/* Serves a connection that was held back, if nothing is in the way any more. */
void conn_resume(struct conn *c);

#endif
