/*
 * The store's ring. There is no thread that reads it: whoever waits for
 * something takes in what has arrived, for himself and for others, and wakes
 * them. Nothing blocks between the parts of a message coming in, so the state
 * below needs no lock; outgoing messages may have to wait for room and do.
 *
 * All of the page is the store's to change. What is read of it only says where
 * in the ring's own bytes to read or write next, and messages are taken apart
 * after they were copied. An index or a length that cannot be ends the
 * connection: requests under way fail, and so do later ones until the store
 * has granted a new beginning (its page's `connection`), which is asked for
 * with the next request, or by whoever waits for events after a second.
 */
#include "guest-kernel/xenbus_ring.h"

#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/events.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

#define RETRY NS_PER_S /* between requests for a new beginning, and for one */

static struct {
    struct xenstore_domain_interface *page;
    evtchn_port_t port;
    struct mutex sending;
    struct wait_queue changed; /* the other end moved, or a reply was found */
    struct list requests;
    struct list events;
    uint32_t last_id;
    bool dead; /* the store broke the protocol */
    bool kicked;
    unsigned int connection, told; /* xs_connection(), the last one told */
} ring;

/* The message that is coming in. */
static struct {
    struct xsd_sockmsg header;
    size_t have; /* bytes of header and body so far */
    char body[XENSTORE_PAYLOAD_MAX + 1];
} in;

static void ring_event(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    idle_unpolled_event();
    wait_queue_wake_all(&ring.changed);
}

int xs_ring_init(const struct start_info *si)
{
    if (!si->store_evtchn)
        return -ENODEV;
    ring.dead = ring.kicked = false;
    ring.told = ring.connection;
    in.have = 0;
    ring.page = (void *)(si->store_mfn << PAGE_SHIFT);
    ring.port = si->store_evtchn;
    mutex_init(&ring.sending);
    wait_queue_init(&ring.changed);
    list_init(&ring.requests);
    list_init(&ring.events);
    return event_bind(ring.port, ring_event, NULL);
}

struct xs_part xs_string(const char *s)
{
    return (struct xs_part){ s, strlen(s) + 1 };
}

/* ---- the end of a connection ---- */

static void end_request(struct xs_request *r, int err)
{
    r->err = err;
    r->done = true;
    list_del(&r->link);
}

/* The store broke the protocol; in any context. */
static void give_up(const char *why)
{
    if (ring.dead)
        return;
    console_report("xenbus: the store broke the protocol: %s\n", why);
    ring.dead = true;
    while (!list_empty(&ring.requests))
        end_request(container_of(ring.requests.next, struct xs_request, link),
                    -EIO);
    wait_queue_wake_all(&ring.changed);
}

/* ---- in ---- */

/* Bytes that can be read. */
static uint32_t arrived(void)
{
    uint32_t n;

    if (ring.dead)
        return 0;
    n = READ_ONCE(ring.page->rsp_prod) - READ_ONCE(ring.page->rsp_cons);
    if (n <= XENSTORE_RING_SIZE)
        return n;
    give_up("a response index that cannot be");
    return 0;
}

static void take(char *to, uint32_t n)
{
    uint32_t cons = READ_ONCE(ring.page->rsp_cons);

    xen_rmb(); /* the bytes after rsp_prod; partner: the store's wmb */
    for (uint32_t i = 0; i < n; i++)
        to[i] = ring.page->rsp[MASK_XENSTORE_IDX(cons + i)];
    /* The store may overwrite the bytes once it sees rsp_cons. */
    xen_mb();
    WRITE_ONCE(ring.page->rsp_cons, cons + n);
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (strcmp(name, xsd_errors[i].errstring) == 0)
            return -xsd_errors[i].errnum;
    return -EIO;
}

static void finish(struct xs_request *r)
{
    int err;

    r->len = in.header.len;
    if (in.header.type == XS_ERROR) {
        err = error_of(in.body);
    } else {
        r->body = malloc(r->len + 1);
        err = r->body ? 0 : -ENOMEM;
    }
    if (r->body)
        memcpy(r->body, in.body, r->len + 1);
    end_request(r, err);
}

static void take_event(void)
{
    struct xs_event *e = malloc(sizeof(*e) + in.header.len + 2);

    if (!e)
        return; /* as the store does when it has no room for an event */
    memcpy(e->body, in.body, in.header.len);
    memset(e->body + in.header.len, 0, 2);
    list_add_tail(&ring.events, &e->link);
}

static void take_message(void)
{
    struct list *pos;

    in.body[in.header.len] = '\0';
    if (in.header.type == XS_WATCH_EVENT) {
        take_event();
        return;
    }
    list_for_each(pos, &ring.requests) {
        struct xs_request *r = container_of(pos, struct xs_request, link);

        if (r->id == in.header.req_id) {
            finish(r);
            return;
        }
    }
}

/* Takes the next bytes that belong to the header or to the body. */
static void take_part(uint32_t available)
{
    size_t head = sizeof(in.header), want;
    char *to;

    if (in.have < head) {
        want = head - in.have;
        to = (char *)&in.header + in.have;
    } else {
        want = head + in.header.len - in.have;
        to = in.body + (in.have - head);
    }
    if (want > available)
        want = available;
    take(to, (uint32_t)want);
    in.have += want;
    if (in.have == head && in.header.len > XENSTORE_PAYLOAD_MAX) {
        give_up("a message that is too long");
        return;
    }
    if (in.have >= head && in.have == head + in.header.len) {
        take_message();
        in.have = 0;
    }
}

/* Takes in all that has arrived, and wakes whoever waits for something. */
static void pump(void)
{
    uint32_t n = arrived();

    if (!n)
        return;
    for (; n; n = arrived())
        take_part(n);
    event_notify(ring.port);
    wait_queue_wake_all(&ring.changed);
}

/* ---- out ---- */

static uint32_t room(void)
{
    uint32_t used;

    if (ring.dead)
        return 0;
    used = READ_ONCE(ring.page->req_prod) - READ_ONCE(ring.page->req_cons);
    if (used <= XENSTORE_RING_SIZE)
        return XENSTORE_RING_SIZE - used;
    give_up("a request index that cannot be");
    return 0;
}

/* Copies what fits up to the ring's end; returns how much. */
static uint32_t put_some(const char *data, size_t len)
{
    uint32_t prod = READ_ONCE(ring.page->req_prod), n = room();
    uint32_t offset = MASK_XENSTORE_IDX(prod);

    if (n > XENSTORE_RING_SIZE - offset)
        n = XENSTORE_RING_SIZE - offset;
    if (n > len)
        n = (uint32_t)len;
    memcpy(ring.page->req + offset, data, n);
    /* Partner: the store reads req_prod before the bytes. */
    xen_wmb();
    WRITE_ONCE(ring.page->req_prod, prod + n);
    return n;
}

static int put(const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        uint32_t n;

        if (!room())
            event_notify(ring.port);
        /* The store takes no more while nobody takes its replies. */
        for (pump(); !room() && !ring.dead; pump())
            wait_event(&ring.changed, room() || arrived() || ring.dead, NEVER);
        if (ring.dead)
            return -EIO;
        n = put_some(p, len);
        p += n;
        len -= n;
    }
    return 0;
}

static int send(const struct xsd_sockmsg *header, const struct xs_part *parts,
                unsigned int n)
{
    int err = put(header, sizeof(*header));

    for (unsigned int i = 0; i < n && !err; i++)
        err = put(parts[i].data, parts[i].len);
    event_notify(ring.port);
    return err;
}

/* ---- a new beginning ---- */

static bool begun(void)
{
    return READ_ONCE(ring.page->connection) == XENSTORE_CONNECTED;
}

/*
 * Asks the store to begin anew, with the mutex: it empties the rings and
 * forgets transactions and watches. 0, or -EIO: it does not do so.
 */
static int begin_anew(void)
{
    struct xenstore_domain_interface *page = ring.page;

    if (!ring.dead)
        return 0;
    if (!(READ_ONCE(page->server_features) &
          XENSTORE_SERVER_FEATURE_RECONNECTION))
        return -EIO;
    WRITE_ONCE(page->connection, XENSTORE_RECONNECT);
    event_notify(ring.port);
    if (wait_event(&ring.changed, begun(), clock_deadline(RETRY)))
        return -EIO;
    xen_rmb(); /* the indices after the state; partner: the store's mb */
    in.have = 0;
    ring.dead = false;
    ring.connection++;
    arrived(); /* notices what cannot be */
    room();
    if (ring.dead)
        return -EIO;
    console_report("xenbus: connected to the store anew\n");
    wait_queue_wake_all(&ring.changed);
    return 0;
}

/* ---- for the other files of xenbus ---- */

unsigned int xs_connection(void)
{
    return ring.connection;
}

bool xs_is_dead(void)
{
    return ring.dead;
}

void xs_kick(void)
{
    ring.kicked = true;
    wait_queue_wake_all(&ring.changed);
}

static bool is_anew(void)
{
    return ring.told != ring.connection && !ring.dead;
}

static bool has_event(void)
{
    return !list_empty(&ring.events) || ring.kicked || is_anew();
}

/* While the store is not believed: asks it from time to time. */
static void wait_for_store(void)
{
    wait_event(&ring.changed, has_event() || !ring.dead, clock_deadline(RETRY));
    mutex_lock(&ring.sending);
    begin_anew();
    mutex_unlock(&ring.sending);
}

struct xs_event *xs_event_wait(void)
{
    struct list *first;

    for (pump(); !has_event(); pump()) {
        if (ring.dead)
            wait_for_store();
        else
            wait_event(&ring.changed, has_event() || arrived() || ring.dead,
                       NEVER);
    }
    if (ring.kicked || is_anew()) {
        ring.kicked = false;
        if (!ring.dead)
            ring.told = ring.connection;
        return NULL;
    }
    first = ring.events.next;
    list_del(first);
    return container_of(first, struct xs_event, link);
}

int xs_post(struct xs_request *r, enum xsd_sockmsg_type type, xenbus_tx tx,
            const struct xs_part *parts, unsigned int n)
{
    struct xsd_sockmsg header = { .type = type, .tx_id = tx };
    int err;

    *r = (struct xs_request){ .done = false };
    if (!ring.page)
        return -ENODEV;
    for (unsigned int i = 0; i < n; i++)
        header.len += (uint32_t)parts[i].len;
    if (header.len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    mutex_lock(&ring.sending);
    err = begin_anew();
    if (!err) {
        header.req_id = r->id = ++ring.last_id;
        list_add_tail(&ring.requests, &r->link);
        err = send(&header, parts, n);
    }
    mutex_unlock(&ring.sending);
    return err;
}

int xs_wait(struct xs_request *r, char **reply, size_t *len)
{
    for (pump(); !r->done; pump()) {
        /* In this order: arrived() may find that the connection is dead. */
        wait_event(&ring.changed, arrived() || r->done, NEVER);
    }
    if (reply && !r->err)
        *reply = r->body;
    else
        free(r->body);
    if (len)
        *len = r->len;
    return r->err;
}

int xs_request(enum xsd_sockmsg_type type, xenbus_tx tx,
               const struct xs_part *parts, unsigned int n, char **reply,
               size_t *len)
{
    struct xs_request r;
    int err = xs_post(&r, type, tx, parts, n);

    return err ? err : xs_wait(&r, reply, len);
}
