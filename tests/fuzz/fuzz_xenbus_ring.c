/*
 * A hostile store: the input is what it writes to the ring's page while the
 * guest asks, waits and listens. Every request ends, with an answer or an
 * error; answers end with a NUL.
 *
 * Input: records, each begun by a byte. The store's, also while the guest
 * sleeps:
 *   0..31     rsp_prod: 1: add, signed; 32..39: 4 bytes, absolute
 *   40..63    req_cons: all is taken; 64..71: 1: add, signed
 *   72..95    a message: type (1), request (1: so many before the last), length
 *             (2), then as many bytes as are said by 1 more
 *   96..111   offset (2), 4 bytes into the page
 *   112..127  connection: 1: its value
 * The guest's:
 *   128..191  a request: length (1, times 8)
 *   192..223  three at once
 *   224..255  takes events
 */
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/xenbus_ring.h"

#include "fake_guest.h"
#include "guest-kernel/pages.h"
#include "tests/fuzz/input.h"

static struct xenstore_domain_interface *page;
static uint32_t last_id;
static bool kicked;

static void put_byte(unsigned char c)
{
    page->rsp[MASK_XENSTORE_IDX(page->rsp_prod++)] = (char)c;
}

static void message(void)
{
    struct xsd_sockmsg h = { .type = take(1) };
    unsigned int n;

    h.req_id = last_id - take(1);
    h.len = take(2) & 0x1fff;
    n = take(1);
    for (size_t i = 0; i < sizeof(h); i++)
        put_byte(((unsigned char *)&h)[i]);
    while (n--)
        put_byte((unsigned char)take(1));
}

static bool store(unsigned int what)
{
    unsigned int at;

    switch (what / 8) {
    case 0 ... 3:
        page->rsp_prod += (uint32_t)(int8_t)take(1);
        return true;
    case 4:
        page->rsp_prod = take(4);
        return true;
    case 5 ... 7:
        page->req_cons = page->req_prod;
        return true;
    case 8:
        page->req_cons += (uint32_t)(int8_t)take(1);
        return true;
    case 9 ... 11:
        message();
        return true;
    case 12 ... 13:
        at = take(2) % (PAGE_SIZE - 4);
        for (unsigned int i = 0; i < 4; i++)
            ((unsigned char *)page)[at + i] = (unsigned char)take(1);
        return true;
    case 14 ... 15:
        page->connection = take(1) & 3;
        return true;
    default:
        return false;
    }
}

/* When it has nothing to do, or there is no more input, the store dies. */
static bool while_asleep(void)
{
    if (input_left && *input < 128)
        return store(take(1));
    if (page->rsp_prod - page->rsp_cons > XENSTORE_RING_SIZE)
        return false;
    page->server_features = 0;
    page->rsp_prod = page->rsp_cons + 2 * XENSTORE_RING_SIZE;
    return true;
}

static void end(struct xs_request *r)
{
    char *body = NULL;
    size_t len;

    if (xs_wait(r, &body, &len))
        return;
    demand(len <= XENSTORE_PAYLOAD_MAX && body && body[len] == '\0');
    free(body);
}

static void ask(unsigned int n)
{
    static char text[3000];
    struct xs_request r[3];
    bool posted[3];

    for (unsigned int i = 0; i < n; i++) {
        struct xs_part part = { text, take(1) * 8 };

        posted[i] = !xs_post(&r[i], XS_READ, XENBUS_NO_TX, &part, 1);
        last_id = posted[i] ? r[i].id : last_id;
    }
    for (unsigned int i = 0; i < n; i++)
        if (posted[i])
            end(&r[i]);
}

/* Once, and then time passes. */
static bool kick(void)
{
    xs_kick();
    kicked = !kicked;
    return kicked;
}

/* Takes what has come: asleep, it is kicked. */
static void listen(void)
{
    struct xs_event *e;
    bool (*was)(void) = fake_guest.other_side;

    kicked = false;
    fake_guest.other_side = kick;
    while ((e = xs_event_wait()) != NULL) {
        demand(strlen(e->body) <= XENSTORE_PAYLOAD_MAX);
        free(e);
    }
    fake_guest.other_side = was;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_info si = { 0 };

    input_begin(data, size < 8000 ? size : 8000);
    fake_guest_reset(false);
    fake_guest.other_side = while_asleep;
    fake_guest.sleeps_max = 100000;
    page = pages_alloc(1);
    memset(page, 0, PAGE_SIZE);
    page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    si.store_mfn = (uintptr_t)page >> PAGE_SHIFT;
    si.store_evtchn = 1;
    demand(xs_ring_init(&si) == 0);
    while (input_left) {
        unsigned int what = take(1);

        if (store(what))
            continue;
        if (what < 224)
            ask(what < 192 ? 1 : 3);
        else
            listen();
    }
    listen();
    listen(); /* the first may have been told of a new connection */
    return 0;
}
