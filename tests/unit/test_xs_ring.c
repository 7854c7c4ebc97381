/*
 * A guest's ring page: streaming in both directions, full rings, corrupted
 * indices, reconnection. The guest here is honest or not as a test needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tree/node.h"
#include "xs_session.h"

#define RING XENSTORE_RING_SIZE

static struct session t;
static struct client *a;
static struct fake_domain *f;
static volatile struct xenstore_domain_interface *page;

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    f = &t.dom[5];
    page = &f->page;
    session_boot(&t, 5, true);
    is(A(XS_INTRODUCE, "5\0001\0007\0"), "OK|");
    is(A(XS_MKDIR, "/local/domain/5\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/5\0n5\0"), "OK|");
    return f->ring ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(session_check(&t), 0);
    session_kill(&t, 5);
    assert_null(f->ring);
    client_free(&t, a);
    assert_int_equal(t.s->watches.count, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

/* The guest raises the event. */
static void kick(void)
{
    conn_dirty(f->ring);
    session_run(&t);
}

/* Puts as much as fits; returns how much that was. */
static size_t put(const void *data, size_t len)
{
    size_t n = RING - (page->req_prod - page->req_cons);

    if (n > len)
        n = len;
    for (size_t i = 0; i < n; i++)
        page->req[MASK_XENSTORE_IDX(page->req_prod + i)] =
            ((const char *)data)[i];
    page->req_prod += (uint32_t)n;
    return n;
}

static size_t take(void *data, size_t len)
{
    size_t n = page->rsp_prod - page->rsp_cons;

    if (n > len)
        n = len;
    for (size_t i = 0; i < n; i++)
        ((char *)data)[i] = page->rsp[MASK_XENSTORE_IDX(page->rsp_cons + i)];
    page->rsp_cons += (uint32_t)n;
    return n;
}

/* Sends all and receives exactly `want` bytes, in turns. */
static void talk(const void *data, size_t len, void *reply, size_t want)
{
    size_t out = 0, in = 0;

    for (int i = 0; i < 1000 && (out < len || in < want); i++) {
        out += put((const char *)data + out, len - out);
        kick();
        in += take((char *)reply + in, want - in);
    }
    kick();
    assert_int_equal(out, len);
    assert_int_equal(in, want);
}

static void expect(uint32_t type, const char *data, size_t len,
                   uint32_t reply_type, const char *reply, size_t reply_len)
{
    static uint32_t id;
    struct xsd_sockmsg hdr = { type, ++id, 0, (uint32_t)len };
    static unsigned char buf[16 + 4096], got[16 + 4096];

    memcpy(buf, &hdr, 16);
    memcpy(buf + 16, data, len);
    talk(buf, 16 + len, got, 16 + reply_len);
    memcpy(&hdr, got, 16);
    assert_int_equal(hdr.type, reply_type);
    assert_int_equal(hdr.req_id, id);
    assert_int_equal(hdr.len, reply_len);
    assert_memory_equal(got + 16, reply, reply_len);
    assert_int_equal(page->rsp_prod, page->rsp_cons);
}

#define EXPECT(type, lit, reply) \
    expect(type, lit, sizeof(lit) - 1, type, reply, sizeof(reply) - 1)

static void test_introduce(void **state)
{
    (void)state;
    assert_int_equal(page->server_features, 15);
    assert_int_equal(page->connection, XENSTORE_CONNECTED);
    assert_int_equal(f->bound, 7);
    assert_true(f->notified > 0);
    EXPECT(XS_WRITE, "x\0hello", "OK\0");
    EXPECT(XS_READ, "x\0", "hello");
    is(A(XS_READ, "/local/domain/5/x\0"), "hello");
}

/* Messages larger than the ring go through it in pieces. */
static void test_large_messages(void **state)
{
    static char payload[4096], want[4096];

    (void)state;
    is(A(26, "5\0node-size\0000\0"), "OK|");
    for (size_t i = 0; i < 4000; i++)
        payload[2 + i] = want[i] = (char)('a' + i % 26);
    payload[0] = 'x';
    for (int i = 0; i < 20; i++) {
        expect(XS_WRITE, payload, 4002, XS_WRITE, "OK", 3);
        expect(XS_READ, "x", 2, XS_READ, want, 4000);
    }
}

/* Byte by byte, with an event for each. */
static void test_trickle(void **state)
{
    struct xsd_sockmsg hdr = { XS_READ, 9, 0, 6 };
    unsigned char buf[22], got[16];

    (void)state;
    memcpy(buf, &hdr, 16);
    memcpy(buf + 16, "/tool", 6);
    for (size_t i = 0; i < sizeof(buf); i++) {
        assert_int_equal(page->rsp_prod, page->rsp_cons);
        assert_int_equal(put(buf + i, 1), 1);
        kick();
    }
    assert_int_equal(take(got, 16), 16);
}

/* A ring that is filled to the last byte is in order. */
static void test_full(void **state)
{
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };
    char buf[RING];
    size_t n = 0, got = 0;

    (void)state;
    for (; n + 18 <= RING; n += 18) {
        memcpy(buf + n, &hdr, 16);
        memcpy(buf + n + 16, "5", 2);
    }
    assert_int_equal(RING - n, 16); /* a CONTROL without payload: EACCES */
    memset(buf + n, 0, RING - n);
    assert_int_equal(put(buf, RING), RING);
    assert_int_equal(page->req_prod - page->req_cons, RING);
    kick();
    assert_int_equal(page->error, XENSTORE_ERROR_NONE);
    for (int i = 0; i < 100; i++) {
        got += take(buf, RING);
        kick();
    }
    assert_int_equal(got, RING / 18 * (16 + 16) + 16 + 7);
}

/* What is sent and not read waits, but not without limit. */
static void test_unread(void **state)
{
    struct xsd_sockmsg hdr = { XS_GET_PERMS, 1, 0, 16 };
    char buf[32];

    (void)state;
    memcpy(buf, &hdr, 16);
    memcpy(buf + 16, "/local/domain/5", 16);
    for (int i = 0; i < 500; i++) {
        put(buf, sizeof(buf));
        kick();
    }
    /* It stopped reading, and the ring's own room filled up. */
    assert_int_equal(page->req_prod - page->req_cons, RING);
    assert_true(f->ring->out.replies <= 20);
    assert_true(page->rsp_prod - page->rsp_cons > RING - 32);
    for (int i = 0; i < 1000; i++) {
        take(buf, 19);
        kick();
    }
    assert_int_equal(page->req_prod, page->req_cons);
    assert_int_equal(f->ring->dom->used[QUOTA_OUTSTANDING], 0);
}

/* Reads events of "/local/domain/5/x..." until the ring is empty. */
static int take_events(void)
{
    struct xsd_sockmsg hdr;
    char buf[64];
    int n = 0;

    for (; page->rsp_prod != page->rsp_cons; n++) {
        assert_int_equal(take(&hdr, sizeof(hdr)), sizeof(hdr));
        assert_int_equal(hdr.type, XS_WATCH_EVENT);
        assert_in_range(hdr.len, 1, sizeof(buf));
        kick(); /* the rest of it may not have had room */
        assert_int_equal(take(buf, hdr.len), hdr.len);
        assert_int_equal(buf[0], 'x');
        kick();
    }
    return n;
}

/*
 * A guest is paused for a minute with more events than its ring has room for:
 * what is in the ring, or half in it, comes whole, what was older than 20 s is
 * gone, and it goes on.
 */
static void test_paused(void **state)
{
    struct xsd_sockmsg hdr = { XS_WATCH, 1, 0, 4 };
    char payload[64];
    int n;

    (void)state;
    memcpy(payload, &hdr, 16);
    memcpy(payload + 16, "x\0t", 4);
    talk(payload, 20, payload, 16 + 3);
    assert_int_equal(take_events(), 1);
    for (int i = 0; i < 200; i++) {
        n = snprintf(payload, sizeof(payload), "/local/domain/5/x/%d%cv", i, 0);
        is(ask(&t, a, XS_WRITE, 0, payload, (size_t)n), "OK|");
    }
    assert_true(f->ring->out.events > 100);
    for (int i = 0; i < 6; i++)
        session_sleep(&t, 10000);
    assert_int_equal(page->error, XENSTORE_ERROR_NONE);
    assert_in_range(f->ring->out.events, 0, 1); /* one is half in the ring */
    n = take_events();
    assert_in_range(n, 1, RING / 20);
    is(A(XS_WRITE, "/local/domain/5/x\0w"), "OK|");
    assert_int_equal(take_events(), 1);
    expect(XS_READ, "x", 2, XS_READ, "w", 1);
}

/* A watch, its acknowledgement and its first event. */
static void watch_x(void)
{
    struct xsd_sockmsg hdr = { XS_WATCH, 1, 0, 4 };
    unsigned char buf[20], got[16 + 3 + 16 + 4];

    memcpy(buf, &hdr, 16);
    memcpy(buf + 16, "x\0t", 4);
    talk(buf, sizeof(buf), got, sizeof(got));
}

static void check_ignored(uint32_t error)
{
    uint32_t cons = page->req_cons;

    assert_int_equal(page->error, error);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(f->ring->dom->used[QUOTA_WATCHES], 0);
    is(A(XS_IS_DOMAIN_INTRODUCED, "5\0"), "T|");
    is(A(XS_WRITE, "/local/domain/5/x\0v"), "OK|");
    page->req_prod = cons + 16;
    kick();
    assert_int_equal(page->req_cons, cons); /* it is not read any more */
}

/* The guest asks for a new beginning and gets one. */
static void check_reconnect(void)
{
    page->connection = XENSTORE_RECONNECT;
    kick();
    assert_int_equal(page->connection, XENSTORE_CONNECTED);
    assert_int_equal(page->error, XENSTORE_ERROR_NONE);
    assert_int_equal(page->req_prod, 0);
    assert_int_equal(page->rsp_prod, 0);
    EXPECT(XS_GET_DOMAIN_PATH, "5\0", "/local/domain/5\0");
}

static void test_req_index(void **state)
{
    (void)state;
    watch_x();
    page->req_prod = page->req_cons + RING + 1;
    kick();
    check_ignored(XENSTORE_ERROR_RINGIDX);
    check_reconnect();
}

static void test_rsp_index(void **state)
{
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };

    (void)state;
    watch_x();
    put(&hdr, 16);
    put("5", 2);
    page->rsp_cons = page->rsp_prod + 1;
    kick();
    check_ignored(XENSTORE_ERROR_RINGIDX);
    assert_int_equal(f->ring->dom->used[QUOTA_OUTSTANDING], 0);
    check_reconnect();
}

/* The ring begins anew at `start`, as if so many bytes had passed. */
static void start_at(uint32_t start)
{
    session_kill(&t, 5);
    session_boot(&t, 5, true);
    page->req_cons = page->req_prod = start;
    page->rsp_cons = page->rsp_prod = start;
    is(A(XS_INTRODUCE, "5\0001\0007\0"), "OK|");
}

/* Ahead and behind, for both indices, also where they wrap. */
static void test_every_index(void **state)
{
    const uint32_t starts[] = { 0, RING, 1u << 31, UINT32_MAX };
    const int bad[] = { RING + 1, -1, -RING, -RING - 1, INT32_MIN };
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };

    (void)state;
    for (unsigned int i = 0; i < 4; i++)
        for (unsigned int k = 0; k < 5; k++) {
            uint32_t cons, prod;

            start_at(starts[i]);
            cons = page->req_cons;
            page->req_prod = cons + (uint32_t)bad[k];
            kick();
            assert_int_equal(page->error, XENSTORE_ERROR_RINGIDX);
            assert_int_equal(page->req_cons, cons);

            start_at(starts[i]);
            put(&hdr, 16);
            put("5", 2);
            prod = page->rsp_prod;
            page->rsp_cons = prod + (uint32_t)bad[k];
            if (bad[k] < 0 && bad[k] >= -RING)
                continue; /* not yet read: as it may be */
            kick();
            assert_int_equal(page->error, XENSTORE_ERROR_RINGIDX);
            assert_int_equal(page->rsp_prod, prod);
        }
}

/* A reply takes its own bytes of the ring, and the ring's page no others. */
static void test_reply_is_clean(void **state)
{
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };
    uint32_t at = page->rsp_prod;

    (void)state;
    memset((char *)page->rsp, 0xa5, RING);
    put(&hdr, 16);
    put("5", 2);
    kick();
    assert_int_equal(page->rsp_prod, at + 16 + 16);
    for (uint32_t i = 0; i < RING - 32; i++)
        assert_int_equal(
            (unsigned char)page->rsp[MASK_XENSTORE_IDX(at + 32 + i)], 0xa5);
    page->rsp_cons = page->rsp_prod;
}

static void test_too_long(void **state)
{
    struct xsd_sockmsg hdr = { XS_READ, 1, 0, 4097 };

    (void)state;
    watch_x();
    put(&hdr, 16);
    kick();
    check_ignored(XENSTORE_ERROR_PROTO);
    check_reconnect();
}

/* Our indices in the page are only copies. */
static void test_scribbled_indices(void **state)
{
    (void)state;
    EXPECT(XS_GET_DOMAIN_PATH, "5\0", "/local/domain/5\0");
    for (int i = 0; i < 200; i++) {
        srand((unsigned int)i);
        page->req_cons = (uint32_t)rand();
        page->rsp_prod = (uint32_t)rand();
        page->req_prod = (uint32_t)rand();
        page->rsp_cons = (uint32_t)rand();
        kick();
        is(A(XS_READ, "/tool\0"), "");
        page->connection = XENSTORE_RECONNECT;
        kick();
    }
    EXPECT(XS_GET_DOMAIN_PATH, "5\0", "/local/domain/5\0");
}

/* A second INTRODUCE: another port, nothing left of the first. */
static void test_reintroduce(void **state)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, 100 };

    (void)state;
    watch_x();
    EXPECT(XS_TRANSACTION_START, "\0", "1\0");
    put(&hdr, 16); /* half a message */
    kick();
    is(A(XS_INTRODUCE, "5\0001\0009\0"), "OK|");
    assert_int_equal(f->bound, 9);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(t.s->open_txns, 0);
    assert_int_equal(page->req_prod, 0);
    EXPECT(XS_GET_DOMAIN_PATH, "5\0", "/local/domain/5\0");
}

/* It dies in the middle of a message, with replies unread. */
static void test_death(void **state)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, 100 };

    (void)state;
    watch_x();
    is(A(XS_WRITE, "/local/domain/5/x\0v"), "OK|");
    put(&hdr, 16);
    kick();
    session_kill(&t, 5);
    is(A(XS_IS_DOMAIN_INTRODUCED, "5\0"), "F|");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_introduce),   T(test_large_messages),
        T(test_trickle),     T(test_full),
        T(test_unread),      T(test_paused),
        T(test_req_index),   T(test_rsp_index),
        T(test_too_long),    T(test_scribbled_indices),
        T(test_reintroduce), T(test_death),
        T(test_every_index), T(test_reply_is_clean),
    };

    return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
