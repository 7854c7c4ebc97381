/*
 * What waits to be sent on a connection: replies and events, as the bytes
 * they will be on the wire, so that many go out with one write.
 *
 * The queue knows which of its messages are replies and which are events, and
 * finds an event that is already waiting without looking at all of them.
 */
#ifndef XS_OUTQ_H
#define XS_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

struct outq_event {
    uint32_t hash;
    uint32_t queued_ms; /* the clock's low half */
    uint64_t at;        /* 1 + offset in the stream; 0: a free entry */
};

struct outq {
    unsigned char *buf;
    size_t start, end, cap; /* buf[start]: the first message not yet gone */
    size_t part;            /* how much of that message is sent */
    uint64_t base;          /* stream offset of buf[start] */
    uint32_t replies, events;
    struct outq_event *index; /* of waiting events, open addressing */
    uint32_t index_cap, index_used;
};

/* What remains to be sent. */
static inline size_t outq_bytes(const struct outq *q)
{
    return q->end - q->start - q->part;
}

static inline const void *outq_data(const struct outq *q)
{
    return q->buf + q->start + q->part;
}

/* What the queue holds of memory. */
static inline size_t outq_memory(const struct outq *q)
{
    return q->cap + q->index_cap * sizeof(struct outq_event);
}

/* How much of that the next message adds. */
size_t outq_growth(const struct outq *q);

void outq_free(struct outq *q);

/*
 * Begins a message and returns the place of its payload (room for
 * XENSTORE_PAYLOAD_MAX), or NULL for want of memory. Nothing is queued before
 * outq_end(), which tells how long the payload is.
 */
void *outq_begin(struct outq *q, uint32_t type, uint32_t req_id,
                 uint32_t tx_id);
void outq_end(struct outq *q, size_t len);

/*
 * Queues a watch event. -E2BIG: it does not fit a message; -EEXIST: the same
 * event waits already (never for `@` paths); -ENOMEM.
 */
int outq_event(struct outq *q, const char *path, size_t path_len,
               const char *token, size_t token_len, uint64_t now_ms);

/*
 * Drops the events that have waited for `age_ms` or longer; one of which a
 * part is sent stays, and replies do. Returns how many. It looks at all that
 * the queue holds.
 */
uint32_t outq_expire(struct outq *q, uint64_t now_ms, uint32_t age_ms);

/*
 * Fills an empty queue with whole messages, of the first of which `part` bytes
 * are sent; events count as queued now. 0, -EINVAL (they are not that),
 * -ENOMEM.
 */
int outq_restore(struct outq *q, const void *data, size_t len, size_t part,
                 uint64_t now_ms);

/* The first n bytes of outq_data() were sent. */
void outq_sent(struct outq *q, size_t n);

#endif
