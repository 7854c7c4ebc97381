/*
 * Requests to the store that do not wait for each other.
 *
 * libxenstore sends a request, waits for its answer, then sends the next: two
 * context switches each, and a new domain takes two hundred. The protocol
 * (docs/misc/xenstore.txt) lets requests follow each other, and daemons answer
 * those of a connection in order. So here they queue up, leave with one
 * system call, and their answers come with one. Watches are libxenstore's.
 */
#ifndef RINGSIDE_COMMON_XS_PIPELINE_H
#define RINGSIDE_COMMON_XS_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xs_pipeline;

/* Connects to $XENSTORED_PATH, else the system's socket. 0 or -errno. */
int xs_pipeline_open(struct xs_pipeline **out);
void xs_pipeline_close(struct xs_pipeline *p);

/* It is of no use any more: the store is gone, or has answered nonsense. */
bool xs_pipeline_broken(const struct xs_pipeline *p);

/*
 * Queues a request of a type of <xen/io/xs_wire.h> in a transaction (0: none).
 * Its payload is `path` with its NUL, then the `len` bytes of `data`: the value
 * of a WRITE, nothing for a READ, further strings for others. Copied. Answers
 * of the last xs_pipeline_run() are forgotten.
 *
 * Returns its place among the answers, or -errno, which the next
 * xs_pipeline_run() returns, too. When 32 KiB wait they are sent, so that
 * neither end waits for the other to make room: then places begin with 0 anew,
 * and the answers so far are not kept.
 */
int xs_pipeline_add(struct xs_pipeline *p, uint32_t type, uint32_t tx,
                    const char *path, const void *data, size_t len);

/*
 * Sends what waits and takes the answers. Returns 0, or -errno of the first
 * request since the last run that was refused (those behind it were tried all
 * the same), or -EPIPE: the store is gone, as for all that follows.
 */
int xs_pipeline_run(struct xs_pipeline *p);

/*
 * What the i-th request of the last run was answered with, NUL-terminated for
 * convenience, valid until the next one is added; its length in *len. NULL
 * with errno if it was refused or not made.
 */
const char *xs_pipeline_answer(struct xs_pipeline *p, unsigned int i,
                               size_t *len);

/*
 * One request outside a transaction and, if neither it nor one that waited
 * before it was refused, its answer; else NULL with errno.
 */
const char *xs_pipeline_ask(struct xs_pipeline *p, uint32_t type,
                            const char *path, const void *data, size_t len);

/*
 * The names in a directory, each with its NUL, however many they are: one
 * allocation of *len bytes, to be freed; NULL with errno.
 */
char *xs_pipeline_list(struct xs_pipeline *p, const char *path, size_t *len);

#endif
