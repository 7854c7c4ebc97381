/*
 * vchan: a stream of bytes between two guests, without a driver domain.
 *
 * One guest, the server, makes two rings in its own memory, grants them to the
 * other and announces them in the store; the client maps them. From then on
 * the two talk through memory, and an event channel wakes whoever sleeps. The
 * layout is that of Xen's libxenvchan (<xen/io/libxenvchan.h>), so the other
 * end may be any program that speaks it.
 *
 * A channel is for one thread that reads and one that writes at a time.
 * Calls return what is said, or -errno. Timeouts are in ns, as in
 * <ringside/guest.h>. Nothing here may be called from an event handler.
 */
#ifndef RINGSIDE_VCHAN_H
#define RINGSIDE_VCHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_vchan;

/*
 * The server's end, for domain `domid` alone, which must exist: the store gives
 * no rights to one that comes later. read_size and write_size are the
 * least that the rings hold, in bytes, up to 1 MiB; they are rounded up to
 * powers of two. `path` is a directory in the store that the server may write
 * ("data/pipe"; relative to its own), where the client finds `ring-ref` and
 * `event-channel`. Does not wait for the client: rs_vchan_accept() does, and
 * bytes may be written before. Waits for the store, if many do this at once.
 */
int rs_vchan_listen(unsigned int domid, const char *path, size_t read_size,
                    size_t write_size, struct rs_vchan **out);

/* 0 when the client is there, or was; -ETIMEDOUT. */
int rs_vchan_accept(struct rs_vchan *v, uint64_t timeout);

/*
 * The client's end: of what domain `domid` announced under `path` (relative to
 * that domain's directory). Waits until it is there. -ETIMEDOUT; -EINVAL: what
 * was found there makes no sense; -EACCES: the rings are not for us.
 */
int rs_vchan_connect(unsigned int domid, const char *path, uint64_t timeout,
                     struct rs_vchan **out);

/*
 * Reads at least one byte and at most n, and waits for the first. 0: the other
 * end closed the channel, or died, and everything is read. -EPROTO: the other
 * end broke the ring.
 */
long rs_vchan_read(struct rs_vchan *v, void *buf, size_t n);

/* Writes all n bytes, and waits for room. n; -EPIPE: the other end is gone. */
long rs_vchan_write(struct rs_vchan *v, const void *buf, size_t n);

/* What could be read, or written, without waiting. */
size_t rs_vchan_readable(struct rs_vchan *v);
size_t rs_vchan_writable(struct rs_vchan *v);

/* Whether the other end is there, or has yet to come. */
bool rs_vchan_is_open(struct rs_vchan *v);

/*
 * Ends it. What was written stays readable for a client that has it mapped.
 * The server's announcement is removed, with the directories that were made for
 * it and are empty. NULL is ignored.
 */
void rs_vchan_close(struct rs_vchan *v);

#ifdef __cplusplus
}
#endif

#endif
