/* Queues of outgoing messages; see outq.h. */
#include "conn/outq.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conn/wire.h"

#define OUTQ_MIN  1024
#define OUTQ_KEEP 65536 /* an empty queue gives back a larger buffer */
#define INDEX_MIN 16

void outq_free(struct outq *q)
{
    free(q->buf);
    free(q->index);
    *q = (struct outq){ 0 };
}

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

static bool outq_compacts(const struct outq *q, size_t n)
{
    return q->start && q->end - q->start + n <= q->cap / 2;
}

/* The capacity with which n more bytes fit. */
static size_t outq_enough(const struct outq *q, size_t n)
{
    size_t cap = q->cap ? q->cap : OUTQ_MIN;

    if (q->cap - q->end >= n || outq_compacts(q, n))
        return q->cap;
    while (cap < q->end - q->start + n)
        cap *= 2;
    return cap;
}

size_t outq_growth(const struct outq *q)
{
    return outq_enough(q, MESSAGE_MAX) - q->cap;
}

/* Room for n more bytes after end. */
static int outq_reserve(struct outq *q, size_t n)
{
    size_t used = q->end - q->start, cap = outq_enough(q, n);
    unsigned char *buf;

    if (q->cap - q->end >= n)
        return 0;
    if (outq_compacts(q, n)) {
        memmove(q->buf, q->buf + q->start, used);
        q->start = 0;
        q->end = used;
        return 0;
    }
    buf = malloc(cap);
    if (!buf)
        return -ENOMEM;
    if (used)
        memcpy(buf, q->buf + q->start, used);
    free(q->buf);
    q->buf = buf;
    q->cap = cap;
    q->start = 0;
    q->end = used;
    return 0;
}

void *outq_begin(struct outq *q, uint32_t type, uint32_t req_id, uint32_t tx_id)
{
    struct xsd_sockmsg hdr = { .type = type, .req_id = req_id, .tx_id = tx_id };

    if (outq_reserve(q, MESSAGE_MAX))
        return NULL;
    memcpy(q->buf + q->end, &hdr, sizeof(hdr));
    return q->buf + q->end + sizeof(hdr);
}

void outq_end(struct outq *q, size_t len)
{
    struct xsd_sockmsg hdr;

    memcpy(&hdr, q->buf + q->end, sizeof(hdr));
    hdr.len = (uint32_t)len;
    memcpy(q->buf + q->end, &hdr, sizeof(hdr));
    q->end += sizeof(hdr) + len;
    assert(q->end <= q->cap);
    if (hdr.type == XS_WATCH_EVENT)
        q->events++;
    else
        q->replies++;
}

/* ---- the index of waiting events ---- */

static struct outq_event *index_slot(struct outq_event *index, uint32_t cap,
                                     uint32_t hash)
{
    uint32_t i = hash & (cap - 1);

    while (index[i].at)
        i = (i + 1) & (cap - 1);
    return &index[i];
}

static bool event_waits(const struct outq *q, const struct outq_event *e)
{
    return e->at > q->base + (q->part ? 1 : 0);
}

/* Room for one more entry; entries of sent events are dropped. */
static int index_reserve(struct outq *q)
{
    uint32_t cap = INDEX_MIN, live = 0;
    struct outq_event *index;

    if (q->index && q->index_used < q->index_cap / 2)
        return 0;
    for (uint32_t i = 0; i < q->index_cap; i++)
        live += q->index[i].at && event_waits(q, &q->index[i]);
    while (cap < 4 * (live + 1))
        cap *= 2;
    index = calloc(cap, sizeof(*index));
    if (!index)
        return -ENOMEM;
    for (uint32_t i = 0; i < q->index_cap; i++)
        if (q->index[i].at && event_waits(q, &q->index[i]))
            *index_slot(index, cap, q->index[i].hash) = q->index[i];
    free(q->index);
    q->index = index;
    q->index_cap = cap;
    q->index_used = live;
    return 0;
}

/* All events were sent or dropped. */
static void index_clear(struct outq *q)
{
    if (!q->index_used)
        return;
    q->index_used = 0;
    if (q->index_cap <= 4 * INDEX_MIN) {
        memset(q->index, 0, q->index_cap * sizeof(*q->index));
        return;
    }
    free(q->index);
    q->index = NULL;
    q->index_cap = 0;
}

static bool event_is(const struct outq *q, const struct outq_event *e,
                     const void *payload, size_t len)
{
    size_t off = q->start + (size_t)(e->at - 1 - q->base);
    struct xsd_sockmsg hdr;

    memcpy(&hdr, q->buf + off, sizeof(hdr));
    return hdr.len == len && !memcmp(q->buf + off + sizeof(hdr), payload, len);
}

static bool event_known(const struct outq *q, uint32_t hash,
                        const void *payload, size_t len)
{
    if (!q->index_used)
        return false;
    for (uint32_t i = hash & (q->index_cap - 1); q->index[i].at;
         i = (i + 1) & (q->index_cap - 1))
        if (q->index[i].hash == hash && event_waits(q, &q->index[i]) &&
            event_is(q, &q->index[i], payload, len))
            return true;
    return false;
}

/* The message after `end` is an event; there is room for its entry. */
static void index_add(struct outq *q, uint32_t hash, uint64_t now_ms)
{
    *index_slot(q->index, q->index_cap, hash) = (struct outq_event){
        .hash = hash,
        .queued_ms = (uint32_t)now_ms,
        .at = q->base + (q->end - q->start) + 1,
    };
    q->index_used++;
}

int outq_event(struct outq *q, const char *path, size_t path_len,
               const char *token, size_t token_len, uint64_t now_ms)
{
    size_t len = path_len + token_len + 2;
    uint32_t hash;
    char *payload;

    if (len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    payload = outq_begin(q, XS_WATCH_EVENT, 0, 0);
    if (!payload || index_reserve(q))
        return -ENOMEM;
    memcpy(payload, path, path_len);
    payload[path_len] = '\0';
    memcpy(payload + path_len + 1, token, token_len);
    payload[len - 1] = '\0';
    hash = hash_bytes(payload, len);
    if (path[0] != '@' && event_known(q, hash, payload, len))
        return -EEXIST;
    index_add(q, hash, now_ms);
    outq_end(q, len);
    return 0;
}

/* Takes the complete message after end into the queue. */
static int restore_one(struct outq *q, const struct xsd_sockmsg *hdr,
                       uint64_t now_ms)
{
    size_t len = hdr->len;
    uint32_t hash;

    if (hdr->type == XS_WATCH_EVENT) {
        if (index_reserve(q))
            return -ENOMEM;
        hash = hash_bytes(q->buf + q->end + sizeof(*hdr), len);
        index_add(q, hash, now_ms);
    }
    outq_end(q, len);
    return 0;
}

int outq_restore(struct outq *q, const void *data, size_t len, size_t part,
                 uint64_t now_ms)
{
    struct xsd_sockmsg hdr;
    int err = outq_reserve(q, len);

    if (err)
        return err;
    if (len)
        memcpy(q->buf + q->end, data, len);
    for (size_t at = 0; !err && at < len; at += sizeof(hdr) + hdr.len) {
        if (wire_peek((const char *)data + at, len - at, &hdr) != WIRE_MESSAGE)
            return -EINVAL;
        if (at == 0 && part >= sizeof(hdr) + hdr.len)
            return -EINVAL;
        err = restore_one(q, &hdr, now_ms);
    }
    if (part && !len)
        return -EINVAL;
    q->part = part;
    return err;
}

/* Resets an empty queue to the start of its buffer. */
static void outq_rewind(struct outq *q)
{
    if (q->start < q->end)
        return;
    assert(!q->part && !q->replies && !q->events);
    q->start = q->end = 0;
    if (q->cap > OUTQ_KEEP) {
        free(q->buf);
        q->buf = NULL;
        q->cap = 0;
    }
}

void outq_sent(struct outq *q, size_t n)
{
    struct xsd_sockmsg hdr;

    assert(n <= outq_bytes(q));
    q->part += n;
    while (q->start < q->end) {
        memcpy(&hdr, q->buf + q->start, sizeof(hdr));
        if (q->part < sizeof(hdr) + hdr.len)
            break;
        q->part -= sizeof(hdr) + hdr.len;
        q->start += sizeof(hdr) + hdr.len;
        q->base += sizeof(hdr) + hdr.len;
        if (hdr.type == XS_WATCH_EVENT)
            q->events--;
        else
            q->replies--;
    }
    if (!q->events)
        index_clear(q);
    outq_rewind(q);
}

/* ---- events that waited too long ---- */

static bool event_expired(const struct outq_event *e, uint64_t now_ms,
                          uint32_t age_ms)
{
    return (uint32_t)now_ms - e->queued_ms >= age_ms;
}

/*
 * The offset in the buffer of the first event that has not expired. Events
 * before it were queued earlier, so they have.
 */
static size_t expired_end(const struct outq *q, uint64_t now_ms,
                          uint32_t age_ms)
{
    uint64_t first = q->base + (q->end - q->start) + 1;

    for (uint32_t i = 0; i < q->index_cap; i++) {
        const struct outq_event *e = &q->index[i];

        if (e->at && event_waits(q, e) && !event_expired(e, now_ms, age_ms) &&
            e->at < first)
            first = e->at;
    }
    return q->start + (size_t)(first - 1 - q->base);
}

/* Moves what stays of buf[start..end) to its front; returns the new end. */
static size_t squeeze_events(struct outq *q, size_t end, uint32_t *gone)
{
    struct xsd_sockmsg hdr;
    size_t keep = q->start, len;

    for (size_t at = q->start; at < end; at += len) {
        memcpy(&hdr, q->buf + at, sizeof(hdr));
        len = sizeof(hdr) + hdr.len;
        if (hdr.type == XS_WATCH_EVENT && !(at == q->start && q->part)) {
            (*gone)++;
            continue;
        }
        memmove(q->buf + keep, q->buf + at, len);
        keep += len;
    }
    return keep;
}

/*
 * Entries of dropped events stay in the table, so that probing finds the
 * entries after them, but their offset becomes 1: the first byte of the stream,
 * which was sent long ago.
 */
static void index_forget(struct outq *q, uint64_t before)
{
    for (uint32_t i = 0; i < q->index_cap; i++)
        if (q->index[i].at && q->index[i].at < before)
            q->index[i].at = 1;
}

uint32_t outq_expire(struct outq *q, uint64_t now_ms, uint32_t age_ms)
{
    size_t end = expired_end(q, now_ms, age_ms), keep, dropped;
    uint32_t gone = 0;

    keep = squeeze_events(q, end, &gone);
    dropped = end - keep;
    if (!gone)
        return 0;
    assert(gone <= q->events);
    index_forget(q, q->base + (end - q->start) + 1);
    memmove(q->buf + q->start + dropped, q->buf + q->start, keep - q->start);
    q->start += dropped;
    q->base += dropped;
    q->events -= gone;
    if (!q->events)
        index_clear(q);
    outq_rewind(q);
    return gone;
}
