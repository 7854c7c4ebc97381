/*
 * What every part of the driver domain shares: the event loop, the store, the
 * runtime directory, the log.
 *
 * One process, one loop thread. Only that thread touches the structures of
 * this directory, the store and the hypervisor; other threads (disk I/O, a NAT
 * network) hand their results to the loop through an eventfd.
 */
#ifndef RINGSIDE_BACKENDS_DRIVER_H
#define RINGSIDE_BACKENDS_DRIVER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct disk_async;
struct event_base;
struct poll_room;
struct rs_client;
struct slow_calls;
struct store;

struct driver {
    struct event_base *base;
    struct rs_client *client; /* to the hypervisor */
    struct store *store;
    struct poll_room *poll; /* ring polling, see ring_poll.h */
    const char *rundir;     /* absolute path of the runtime directory */
    int disk_io;            /* enum disk_io_mode, see disk.h */
    struct disk_async *disk_async;
    struct slow_calls *slow; /* NULL: they are made in the loop */
};

/*
 * One line on the log (standard error or --log): "driverd: " and the text.
 * For what the host does; what a guest can cause goes through dev_log() of
 * xenbus_backend.h, which is bounded.
 */
void driver_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void driver_vlog(const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Where lines go instead of standard error: a bounded log (log_file.h). */
struct log_file;
void driver_log_to(struct log_file *log);

/* Monotonic time in nanoseconds (no system call). */
uint64_t driver_now(void);

#endif
