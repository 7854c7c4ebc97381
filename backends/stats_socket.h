/*
 * What the devices did, for whoever asks: $RUNDIR/driverd.stats.
 *
 * A UNIX stream socket of mode 0600. Who connects gets a line for each device,
 * "vbd 5 51712 reads=12 read_bytes=49152 …" (type, the guest's domid, devid,
 * then what the kind of device counts), and the end; nothing is read. Names
 * stay; new ones may come. A few clients are served at a time, others wait;
 * one that does not take its lines in time is dropped. Nothing runs while
 * nobody asks.
 */
#ifndef RINGSIDE_BACKENDS_STATS_SOCKET_H
#define RINGSIDE_BACKENDS_STATS_SOCKET_H

#define STATS_CLIENTS     4
#define STATS_DEADLINE_MS 1000

struct driver;
struct stats_socket;
struct xenbus_room;

/* Listens; takes the place of a predecessor's socket. -errno; *out is NULL
 * then. */
int stats_socket_open(struct driver *driver, struct xenbus_room *room,
                      struct stats_socket **out);

/* Drops clients and removes the socket. NULL: nothing. */
void stats_socket_close(struct stats_socket *s);

#endif
