/* Messages over a connection; see stream.h. */
#include "tests/probe/stream.h"

#include <stdlib.h>
#include <string.h>

static bool read_all(struct stream *st, void *data, size_t len)
{
    char *p = data;

    for (size_t n; len; p += n, len -= n) {
        n = st->read(st, p, len);
        if (!n)
            return false;
    }
    return true;
}

static bool next(struct stream *st, struct message *m)
{
    if (!read_all(st, &m->hdr, sizeof(m->hdr)) ||
        m->hdr.len > XENSTORE_PAYLOAD_MAX || !read_all(st, m->data, m->hdr.len))
        return false;
    m->data[m->hdr.len] = '\0';
    return true;
}

static bool put_aside(struct stream *st, const struct message *m)
{
    struct message **events =
        realloc(st->events, (st->nr_events + 1) * sizeof(*events));
    struct message *copy = malloc(sizeof(*copy));

    if (events)
        st->events = events;
    if (!events || !copy) {
        free(copy);
        return false;
    }
    *copy = *m;
    st->events[st->nr_events++] = copy;
    return true;
}

bool stream_get(struct stream *st, struct message *m)
{
    while (next(st, m)) {
        if (m->hdr.type != XS_WATCH_EVENT)
            return true;
        if (!put_aside(st, m))
            return false;
    }
    return false;
}

bool stream_ask(struct stream *st, struct message *m)
{
    uint32_t id = m->hdr.req_id = ++st->last_id;

    return st->write(st, m, sizeof(m->hdr) + m->hdr.len) && stream_get(st, m) &&
           m->hdr.req_id == id;
}

/* The reply to any request comes behind the events that were queued before. */
static bool collect(struct stream *st)
{
    struct message m = { .hdr = { .type = XS_GET_DOMAIN_PATH, .len = 2 },
                         .data = "0" };

    return stream_ask(st, &m);
}

void stream_clear(struct stream *st)
{
    while (st->nr_events)
        free(st->events[--st->nr_events]);
    free(st->events);
    st->events = NULL;
    st->events_at = 0;
}

bool stream_event(struct stream *st, struct message *m)
{
    if (!collect(st) || st->events_at == st->nr_events) {
        stream_clear(st);
        return false;
    }
    *m = *st->events[st->events_at];
    free(st->events[st->events_at++]);
    st->events[st->events_at - 1] = NULL;
    return true;
}
