/*
 * The queue of replies and events that wait to be sent on a connection. They
 * are stored as the bytes that go over the wire, so that one write sends many.
 *
 * The queue counts its replies and events, and finds a waiting duplicate of an
 * event by hash.
 */
#ifndef XS_OUTQ_H
#define XS_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

struct outq_event {
    uint32_t hash;
    uint32_t queued_ms; /* low half of the clock */
    uint64_t at;        /* 1 + offset in the stream; 0: a free entry */
};

struct outq {
    unsigned char *buf;
    size_t start, end, cap; /* buf[start]: the first message not sent in full */
    size_t part;            /* bytes of that message that are sent */
    uint64_t base;          /* stream offset of buf[start] */
    uint32_t replies, events;
    struct outq_event *index; /* of waiting events: open addressing */
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

/* Bytes that the queue has allocated. */
static inline size_t outq_memory(const struct outq *q)
{
    return q->cap + q->index_cap * sizeof(struct outq_event);
}

/* Bytes that the queue must allocate for the next message. */
size_t outq_growth(const struct outq *q);

void outq_free(struct outq *q);

/*
 * Begins a message and returns where its payload goes (room for
 * XENSTORE_PAYLOAD_MAX); NULL: no memory. outq_end() queues the message, with
 * the length of its payload.
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
 * Drops the events that have waited for `age_ms` or longer, except one that is
 * sent in part; replies stay. Returns how many. Walks through the whole queue.
 */
uint32_t outq_expire(struct outq *q, uint64_t now_ms, uint32_t age_ms);

/*
 * Fills an empty queue with whole messages, the first of which is sent up to
 * `part` bytes. The events count as queued now. 0, -EINVAL (not whole
 * messages), -ENOMEM.
 */
int outq_restore(struct outq *q, const void *data, size_t len, size_t part,
                 uint64_t now_ms);

/* The first n bytes of outq_data() were sent. */
void outq_sent(struct outq *q, size_t n);

#endif
