/*
 * The control socket: tools, the store and the driver domain (docs/control.md).
 */
#ifndef RINGSIDE_CONTROL_H
#define RINGSIDE_CONTROL_H

#define CONTROL_CLIENTS_MAX 2048u /* fewer where descriptors are few */

struct rs_host;

/* Listens at `path`; 0 or -errno with host_error() set. */
int control_listen(struct rs_host *h, const char *path);

/* Drops every client and the socket; harmless without one. */
void control_close(struct rs_host *h);

#endif
