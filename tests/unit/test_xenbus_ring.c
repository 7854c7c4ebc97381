/*
 * The guest's end of the store's ring against a store that lies: requests end
 * with an error instead of never, nothing outside of the ring is touched, and
 * the connection begins anew when the store grants it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel/xenbus_ring.h"

#include "fake_guest.h"
#include "guest-kernel/console.h"

static union {
    struct xenstore_domain_interface ring;
    char page[PAGE_SIZE];
} shared __attribute__((aligned(PAGE_SIZE)));
#define page (&shared.ring)

static jmp_buf stuck;
static unsigned int restarts;
static bool grants_restart;

/* ---- the store ---- */

static void reply(uint32_t type, uint32_t id, const void *body, uint32_t len)
{
    struct xsd_sockmsg h = { .type = type, .req_id = id, .len = len };
    const char *parts[] = { (char *)&h, body };
    const size_t lens[] = { sizeof(h), len };

    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < lens[p]; i++)
            page->rsp[MASK_XENSTORE_IDX(page->rsp_prod++)] = parts[p][i];
}

/* Answers every request with "yes". */
static bool honest(void)
{
    struct xsd_sockmsg h;

    if (page->connection == XENSTORE_RECONNECT) {
        if (!grants_restart)
            return false;
        restarts++;
        page->req_cons = page->req_prod = page->rsp_cons = page->rsp_prod = 0;
        page->connection = XENSTORE_CONNECTED;
        return true;
    }
    if (page->req_prod - page->req_cons < sizeof(h))
        return false;
    for (size_t i = 0; i < sizeof(h); i++)
        ((char *)&h)[i] = page->req[MASK_XENSTORE_IDX(page->req_cons++)];
    page->req_cons += h.len;
    reply(h.type, h.req_id, "yes", 3);
    return true;
}

static void nothing(void)
{
}
static void (*lie)(void) = nothing;

/* Once, instead of an answer. */
static bool lies(void)
{
    if (page->connection == XENSTORE_RECONNECT)
        return honest();
    if (lie == nothing)
        return honest();
    lie();
    lie = nothing;
    return true;
}

/* ---- the guest ---- */

static int setup(void **state)
{
    struct start_info si = { 0 };

    (void)state;
    fake_guest_reset(false);
    fake_guest.stuck = &stuck;
    fake_guest.other_side = lies;
    memset(&shared, 0, sizeof(shared));
    page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    restarts = 0;
    grants_restart = true;
    lie = nothing;
    si.store_mfn = (uintptr_t)page >> PAGE_SHIFT;
    si.store_evtchn = 1;
    return xs_ring_init(&si);
}

#define HUNG 12345

static int ask(void)
{
    struct xs_part part = xs_string("path");
    char *body = NULL;
    size_t len;
    int err;

    if (setjmp(stuck))
        return HUNG;
    err = xs_request(XS_READ, XENBUS_NO_TX, &part, 1, &body, &len);
    if (!err) {
        assert_int_equal(len, 3);
        assert_string_equal(body, "yes");
        free(body);
    }
    return err;
}

static void test_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        assert_int_equal(ask(), 0);
    assert_string_equal(fake_guest.log, "");
}

static void test_wrapped(void **state)
{
    (void)state;
    page->req_prod = page->req_cons = (XENSTORE_RING_IDX)-30;
    page->rsp_prod = page->rsp_cons = (XENSTORE_RING_IDX)-30;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(), 0);
    assert_string_equal(fake_guest.log, "");
}

/* The request under way fails; the next one asks for a new beginning. */
static void fails_once(void (*how)(void), const char *why)
{
    assert_int_equal(ask(), 0);
    lie = how;
    assert_int_equal(ask(), -EIO);
    assert_true(fake_guest_said("xenbus: the store broke the protocol: "));
    assert_true(fake_guest_said(why));
    assert_int_equal(ask(), 0);
    assert_int_equal(restarts, 1);
    assert_int_equal(xs_connection() > 0, 1);
    assert_true(fake_guest_said("xenbus: connected to the store anew\n"));
    assert_int_equal(ask(), 0);
}

static void response_ahead(void)
{
    page->rsp_prod = page->rsp_cons + XENSTORE_RING_SIZE + 1;
}

static void response_behind(void)
{
    page->rsp_prod = page->rsp_cons - 1;
}

static void response_far(void)
{
    page->rsp_prod += 0x80000000;
}

static void too_long(void)
{
    reply(XS_READ, 2, NULL, 0);
    page->rsp[MASK_XENSTORE_IDX(page->rsp_prod - 4)] = 1;
    page->rsp[MASK_XENSTORE_IDX(page->rsp_prod - 3)] = 16; /* 4097 */
}

static void test_response_ahead(void **state)
{
    (void)state;
    fails_once(response_ahead, "a response index that cannot be");
}

static void test_response_behind(void **state)
{
    (void)state;
    fails_once(response_behind, "a response index that cannot be");
}

static void test_response_far(void **state)
{
    (void)state;
    fails_once(response_far, "a response index that cannot be");
}

static void test_message_too_long(void **state)
{
    (void)state;
    fails_once(too_long, "a message that is too long");
}

static void test_request_index(void **state)
{
    static const uint32_t by[] = { 1, 5000, 0x80000000, 0u - 1025 };

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(setup(state), 0);
        assert_int_equal(ask(), 0);
        page->req_cons += by[i];
        assert_int_equal(ask(), -EIO);
        assert_true(fake_guest_said("a request index that cannot be"));
        assert_int_equal(ask(), 0);
        assert_int_equal(restarts, 1);
    }
}

/* It breaks while a request waits for room in a full ring. */
static void request_far(void)
{
    page->req_cons += 0x70000000;
}

static void test_breaks_in_a_long_request(void **state)
{
    char much[3000] = { 0 };
    struct xs_part part = { much, sizeof(much) };
    struct xs_request r;

    (void)state;
    lie = request_far;
    if (setjmp(stuck))
        fail();
    assert_int_equal(xs_post(&r, XS_WRITE, XENBUS_NO_TX, &part, 1), -EIO);
    assert_int_equal(ask(), 0);
}

/* The index breaks between a look and the sleep: nobody would wake us. */
static bool silent(void)
{
    return false;
}

static void test_breaks_unseen(void **state)
{
    struct xs_part part = xs_string("path");
    struct xs_request r;

    (void)state;
    fake_guest.other_side = silent;
    if (setjmp(stuck))
        fail();
    assert_int_equal(xs_post(&r, XS_READ, XENBUS_NO_TX, &part, 1), 0);
    fake_guest.on_mask = response_far; /* after pump() has looked */
    assert_int_equal(xs_wait(&r, NULL, NULL), -EIO);
}

/* All that were under way end. */
static void test_all_requests_end(void **state)
{
    struct xs_part part = xs_string("path");
    struct xs_request r[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(xs_post(&r[i], XS_READ, XENBUS_NO_TX, &part, 1), 0);
    lie = response_far;
    if (setjmp(stuck))
        fail();
    for (int i = 0; i < 5; i++)
        assert_int_equal(xs_wait(&r[i], NULL, NULL), -EIO);
}

/* A store that cannot begin anew, or does not: an error, each time, in time. */
static void test_no_new_beginning(void **state)
{
    (void)state;
    grants_restart = false;
    lie = response_far;
    assert_int_equal(ask(), -EIO);
    assert_int_equal(ask(), -EIO);
    page->server_features = 0;
    assert_int_equal(ask(), -EIO);
    grants_restart = true;
    page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    assert_int_equal(ask(), 0);
}

/* An answer to nobody, twice, an error that has no name. */
static void stray(void)
{
    reply(XS_READ, 999999, "no", 2);
    reply(XS_ERROR, 0, "ENONSENSE", 10);
}

static void test_stray_answers(void **state)
{
    (void)state;
    lie = stray;
    assert_int_equal(ask(), 0);
    assert_int_equal(ask(), 0);
    assert_string_equal(fake_guest.log, "");
}

/* ---- events ---- */

static void one_event(void)
{
    reply(XS_WATCH_EVENT, 0, "node\0w1", 8);
}

static void test_event(void **state)
{
    struct xs_event *e;

    (void)state;
    lie = one_event;
    if (setjmp(stuck))
        fail();
    e = xs_event_wait();
    assert_non_null(e);
    assert_string_equal(e->body, "node");
    free(e);
    xs_kick();
    assert_null(xs_event_wait());
}

/* Who waits for events has watches to register in a new connection. */
static void test_waiter_begins_anew(void **state)
{
    unsigned int before = xs_connection();

    (void)state;
    lie = response_far;
    if (setjmp(stuck))
        fail();
    assert_null(xs_event_wait());
    assert_int_equal(xs_connection(), before + 1);
    assert_int_equal(restarts, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_wrapped),
        TEST(test_response_ahead),
        TEST(test_response_behind),
        TEST(test_response_far),
        TEST(test_message_too_long),
        TEST(test_request_index),
        TEST(test_breaks_in_a_long_request),
        TEST(test_breaks_unseen),
        TEST(test_all_requests_end),
        TEST(test_no_new_beginning),
        TEST(test_stray_answers),
        TEST(test_event),
        TEST(test_waiter_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
