/*
 * Live update in memory: a store is saved, and one that was made from what was
 * saved takes its place. Nobody may notice, and a broken file does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conn/transport.h"
#include "state/state.h"
#include "state/state_io.h"
#include "tree/node.h"
#include "xs_session.h"

static struct session t;
static struct client *a, *b;

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define B(type, lit)  ASK(&t, b, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    b = client_new(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_free(&t, a);
    client_free(&t, b);
    session_free(&t);
    return node_stats.nodes ? -1 : 0;
}

static void update(void)
{
    const char *wrong = session_update(&t);

    if (wrong)
        fail_msg("%s", wrong);
    session_run(&t);
    assert_int_equal(session_check(&t), 0);
}

static struct domain *dom(unsigned int domid)
{
    return domain_find(t.s, domid);
}

/* ---- the tree ---- */

/* Long enough to be more than one part, and in the big form of children.c. */
static void test_tree(void **state)
{
    char gen[32], path[16], list[4096];

    (void)state;
    for (int i = 0; i < 300; i++) {
        int n = snprintf(path, sizeof(path), "/d/n%d", i * 7 % 300);

        is(ask(&t, a, XS_WRITE, 0, path, (size_t)n + 1), "OK|");
    }
    is(A(XS_RM, "/d/n77\0"), "OK|");
    is(A(XS_WRITE, "/d/n77\0at the end"), "OK|");
    is(A(XS_WRITE, "/bin\0a\0b\0"), "OK|");
    is(A(XS_MKDIR, "/d/n1/a/b/c/d\0"), "OK|");
    strcpy(list, A(XS_DIRECTORY, "/d\0"));
    snprintf(gen, sizeof(gen), "%.20s", A(XS_DIRECTORY_PART, "/d\0001000\0"));

    update();
    is(A(XS_DIRECTORY, "/d\0"), list);
    assert_memory_equal(A(XS_DIRECTORY_PART, "/d\0001000\0"), gen, strlen(gen));
    is(A(XS_READ, "/bin\0"), "a|b|");
    is(A(XS_READ, "/d/n77\0"), "at the end");
    is(A(XS_DIRECTORY, "/d/n1/a/b/c\0"), "d|");
    /* New generations are new. */
    is(A(XS_WRITE, "/d/new\0x"), "OK|");
    assert_memory_not_equal(A(XS_DIRECTORY_PART, "/d\0001000\0"), gen,
                            strlen(gen));
}

/* An entry whose domain was not there stays without effect. */
static void test_permissions(void **state)
{
    struct client *g = session_guest(&t, a, 5);

    (void)state;
    is(A(XS_WRITE, "/p\0v"), "OK|");
    is(A(XS_SET_PERMS, "/p\0n0\0r5\0r6\0"), "OK|");
    is(A(XS_SET_PERMS, "@releaseDomain\0n0\0r5\0"), "OK|");
    update();
    is(A(XS_GET_PERMS, "/p\0"), "n0|r5|r6|");
    is(A(XS_GET_PERMS, "@releaseDomain\0"), "n0|r5|");
    is(ASK(&t, g, XS_READ, 0, "/p\0"), "v");
    client_free(&t, g);
    g = session_guest(&t, a, 6);
    is(ASK(&t, g, XS_READ, 0, "/p\0"), "EACCES");
    client_free(&t, g);
}

/* ---- watches and queues ---- */

static void test_watches(void **state)
{
    struct client *g = session_guest(&t, a, 5);

    (void)state;
    is(A(XS_MKDIR, "/local/domain/5\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/5\0n5\0"), "OK|");
    is(A(XS_WATCH, "/w\0deep\0"), "OK|");
    is(A(XS_WATCH, "/w\0flat\0000\0"), "OK|");
    is(A(XS_WATCH, "/\0root\0001\0"), "OK|");
    is(A(XS_WATCH, "@introduceDomain\0i\0"), "OK|");
    is(A(XS_WATCH, "@releaseDomain/5\0r\0"), "OK|");
    is(A(XS_WATCH, "/@odd/x\0o\0"), "OK|");
    is(ASK(&t, g, XS_WATCH, 0, "rel\0mine\0"), "OK|");
    events(a);
    events(g);

    update();
    is(events(a), "");
    is(events(g), "");
    is(B(XS_WRITE, "/w/x\0v"), "OK|");
    is(events(a), "/w/x:deep");
    is(B(XS_WRITE, "/w\0v"), "OK|");
    is(events(a), "/w:deep /w:flat /w:root");
    is(B(XS_WRITE, "/@odd/x\0v"), "OK|");
    is(events(a), "/@odd/x:o");
    is(ASK(&t, g, XS_WRITE, 0, "rel/y\0v"), "OK|");
    is(events(g), "rel/y:mine");
    is(A(XS_WATCH, "/w\0deep\0"), "EEXIST");
    is(A(XS_UNWATCH, "/w\0deep\0"), "OK|");
    assert_int_equal(dom(5)->used[QUOTA_WATCHES], 1);
    session_kill(&t, 5);
    is(events(a), "@releaseDomain/5:r");
    client_free(&t, g);
}

/* What is in a queue is sent once, and an event that waits is known. */
static void test_queues(void **state)
{
    (void)state;
    is(A(XS_WATCH, "/q\0t\0"), "OK|");
    is(events(a), "/q:t");
    a->blocked = true;
    client_post(&t, a, XS_READ, 0, "/nothing", 9);
    is(B(XS_WRITE, "/q/1\0v"), "OK|");
    is(B(XS_WRITE, "/q/2\0v"), "OK|");
    update();
    is(B(XS_WRITE, "/q/1\0v"), "OK|");
    is(B(XS_WRITE, "/q/3\0v"), "OK|");
    a->blocked = false;
    conn_dirty(a->c);
    session_run(&t);
    is(events(a), "/q/1:t /q/2:t /q/3:t");
    assert_int_equal(t.s->dom0->used[QUOTA_OUTSTANDING], 0);
}

/* The peer has half of a message: it gets the other half. */
/* Events that a guest left unread wait as if they had come with the update. */
static void test_unread_events(void **state)
{
    struct client *g = session_guest(&t, a, 5);

    (void)state;
    is(A(XS_SET_PERMS, "/vm\0r0\0"), "OK|");
    is(ASK(&t, g, XS_WATCH, 0, "/vm\0t\0"), "OK|");
    is(events(g), "/vm:t");
    g->blocked = true;
    is(A(XS_WRITE, "/vm/x\0v"), "OK|");
    session_sleep(&t, EVENT_TIMEOUT_MS - 1000);
    update();
    session_sleep(&t, EVENT_TIMEOUT_MS - 1000);
    assert_int_equal(g->c->out.events, 1);
    session_sleep(&t, 10000);
    assert_int_equal(g->c->out.events, 0);
    session_kill(&t, 5);
    client_free(&t, g);
}

static void test_half_sent(void **state)
{
    struct message m;
    size_t half = sizeof(m.hdr) + 3;

    (void)state;
    is(A(XS_WRITE, "/h\0a value"), "OK|");
    a->blocked = true;
    client_post(&t, a, XS_READ, 0, "/h", 3);
    session_run(&t);
    assert_true(outq_bytes(&a->c->out) > half);
    memcpy(a->got + a->got_len, outq_data(&a->c->out), half);
    a->got_len += half;
    outq_sent(&a->c->out, half);
    update();
    a->blocked = false;
    conn_dirty(a->c);
    session_run(&t);
    assert_true(client_reply(a, &m));
    is(m.data, "a value");
    is(A(XS_READ, "/h\0"), "a value");
}

static void test_half_received(void **state)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 77, 0, 6 };
    struct message m;
    char bytes[sizeof(hdr) + 6];

    (void)state;
    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), "/r\0abc", 6);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        client_send(&t, a, bytes + i, 1);
        update();
    }
    assert_true(client_reply(a, &m));
    assert_int_equal(m.hdr.req_id, 77);
    is(A(XS_READ, "/r\0"), "abc");
}

/* ---- domains ---- */

static void test_domains(void **state)
{
    struct client *g = session_guest(&t, a, 5), *h = session_guest(&t, a, 6);

    (void)state;
    is(A(XS_SET_TARGET, "5\0006\0"), "OK|");
    is(A(26, "5\0nodes\0002\0"), "OK|");
    is(A(26, "watches\0007\0"), "OK|");
    is(A(XS_MKDIR, "/local/domain/5\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/5\0n5\0"), "OK|");
    is(A(XS_WRITE, "/of6\0v"), "OK|");
    is(A(XS_SET_PERMS, "/of6\0n6\0"), "OK|");
    t.dom[6].info.state = HV_SHUTDOWN;
    domain_check_all(t.s);
    is(A(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    events(a);

    update();
    is(A(XS_IS_DOMAIN_INTRODUCED, "5\0"), "T|");
    is(ASK(&t, g, XS_READ, 0, "/of6\0"), "v");
    is(ASK(&t, g, XS_WRITE, 0, "x\0v"), "OK|");
    is(ASK(&t, g, XS_WRITE, 0, "y\0v"), "ENOSPC");
    is(A(25, "watches\0"), "7|");
    is(A(25, "6\0nodes\0"), "1000|");
    domain_check_all(t.s); /* its shutdown has been told */
    session_run(&t);
    is(events(a), "");
    session_kill(&t, 6);
    is(events(a), "@releaseDomain:r");
    is(A(XS_READ, "/of6\0"), "ENOENT");
    client_free(&t, g);
    client_free(&t, h);
}

/* A soft limit that was lowered below what is used: loading is no new use. */
static void test_soft_limit(void **state)
{
    struct client *g = session_guest(&t, a, 5);

    (void)state;
    is(A(XS_MKDIR, "/g\0"), "OK|");
    is(A(XS_SET_PERMS, "/g\0n5\0"), "OK|");
    is(ASK(&t, g, XS_WRITE, 0, "/g/x\0some bytes to keep"), "OK|");
    is(A(XS_CONTROL, "quota\0set\0soft-memory\00010\0"), "OK|");
    assert_false(dom(5)->warned);
    assert_null(session_update(&t));
    assert_false(dom(5)->warned);
    update();
    assert_true(dom(5)->used[QUOTA_MEMORY] > 10);
    is(ASK(&t, g, XS_WRITE, 0, "/g/y\0more"), "OK|");
    assert_true(dom(5)->warned);
    update();
    assert_true(dom(5)->warned);
    client_free(&t, g);
}

/* The ids of connections and domains are not used twice. */
static void test_ids(void **state)
{
    uint64_t conn = t.s->last_conn, serial = t.s->last_serial;
    struct client *k;

    (void)state;
    update();
    assert_int_equal(t.s->last_conn, conn);
    assert_int_equal(t.s->last_serial, serial);
    k = client_new(&t);
    assert_int_equal(k->c->id, conn + 1);
    client_free(&t, k);
}

/* ---- rings ---- */

static struct xenstore_domain_interface *ring_boot(void)
{
    session_boot(&t, 7, true);
    is(A(XS_INTRODUCE, "7\0001\0009\0"), "OK|");
    return &t.dom[7].page;
}

static void ring_put(struct xenstore_domain_interface *page, const void *data,
                     size_t len)
{
    for (size_t i = 0; i < len; i++)
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] =
            ((const char *)data)[i];
    conn_dirty(t.dom[7].ring);
    session_run(&t);
}

static void test_ring(void **state)
{
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 5, 0, 2 };
    struct xenstore_domain_interface *page = ring_boot();

    (void)state;
    ring_put(page, &hdr, 7);
    page->req_cons = page->rsp_prod = 12345; /* a lie, to be ignored */
    update();
    assert_int_equal(t.dom[7].bound, 9);
    ring_put(page, (char *)&hdr + 7, sizeof(hdr) - 7);
    ring_put(page, "7", 2);
    assert_int_equal(page->req_cons, sizeof(hdr) + 2);
    assert_int_equal(page->rsp_prod, sizeof(hdr) + sizeof("/local/domain/7"));
    is(page->rsp + sizeof(hdr), "/local/domain/7");
}

static void test_ring_ignored(void **state)
{
    struct xenstore_domain_interface *page = ring_boot();
    struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 5, 0, 2 };

    (void)state;
    page->req_prod = 5000;
    conn_dirty(t.dom[7].ring);
    session_run(&t);
    assert_int_equal(page->error, XENSTORE_ERROR_RINGIDX);
    update();
    page->req_prod = 0;
    ring_put(page, &hdr, sizeof(hdr));
    assert_int_equal(page->rsp_prod, 0);
    page->connection = XENSTORE_RECONNECT;
    conn_dirty(t.dom[7].ring);
    session_run(&t);
    ring_put(page, &hdr, sizeof(hdr));
    ring_put(page, "7", 2);
    assert_int_not_equal(page->rsp_prod, 0);
}

/* A guest that has revoked its grant loses its ring, and comes again. */
static void test_ring_lost(void **state)
{
    struct xsd_sockmsg hdr = { XS_WATCH, 5, 0, 5 };
    struct xenstore_domain_interface *page = ring_boot();
    char watch[sizeof(hdr) + 5] = "";

    (void)state;
    memcpy(watch, &hdr, sizeof(hdr));
    memcpy(watch + sizeof(hdr), "a\0t", 4);
    ring_put(page, watch, sizeof(watch));
    is(A(XS_WATCH, "@introduceDomain\0i\0"), "OK|");
    is(events(a), "@introduceDomain:i");
    t.dom[7].on_ring = false;
    is(session_update(&t), "what was loaded saves otherwise"); /* without it */
    session_run(&t);
    assert_null(dom(7)->ring);
    assert_int_equal(dom(7)->used[QUOTA_WATCHES], 0);
    is(A(XS_IS_DOMAIN_INTRODUCED, "7\0"), "T|");
    t.dom[7].on_ring = true;
    is(A(XS_INTRODUCE, "7\0001\0009\0"), "OK|");
    assert_non_null(dom(7)->ring);
    is(events(a), ""); /* it was introduced before */
}

/* ---- transactions ---- */

static void test_transactions(void **state)
{
    (void)state;
    is(A(XS_TRANSACTION_START, "\0"), "1|");
    is(A(XS_TRANSACTION_START, "\0"), "2|");
    is(ASK(&t, a, XS_WRITE, 2, "/t\0v"), "OK|");
    update();
    assert_int_equal(t.s->open_txns, 2);
    is(ASK(&t, a, XS_WRITE, 2, "/t\0v"), "OK|");
    is(ASK(&t, a, XS_READ, 2, "/t\0"), "v");
    is(ASK(&t, b, XS_READ, 2, "/t\0"), "ENOENT"); /* not its own */
    is(ASK(&t, a, XS_TRANSACTION_END, 2, "T\0"), "EAGAIN");
    is(ASK(&t, a, XS_TRANSACTION_END, 2, "T\0"), "ENOENT");
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "F\0"), "OK|");
    is(A(XS_READ, "/t\0"), "ENOENT");
    is(A(XS_TRANSACTION_START, "\0"), "3|");
    is(ASK(&t, a, XS_WRITE, 3, "/t\0v"), "OK|");
    is(ASK(&t, a, XS_TRANSACTION_END, 3, "T\0"), "OK|");
}

/* ---- broken files ---- */

static int any_daemon(void *ctx, const struct state_daemon *d, char *why)
{
    (void)ctx;
    (void)d;
    (void)why;
    return 0;
}

static char *save(size_t *len)
{
    static const struct state_daemon d = { .socket = "/s", .listener = 3 };
    char *data;
    FILE *f = open_memstream(&data, len);

    assert_int_equal(state_save(t.s, &d, f), 0);
    fclose(f);
    return data;
}

static struct conn *no_conn(void *ctx, struct store *s, struct domain *d,
                            const struct transport *tr)
{
    (void)ctx;
    (void)s;
    (void)d;
    (void)tr;
    return NULL;
}

/* A program from before a quota had its present name. */
static void test_first_names(void **state)
{
    static const struct state_ops ops = { any_daemon, no_conn };
    char why[STATE_WHY_MAX] = "", *data, *at;
    struct store *s;
    size_t len;
    int found = 0;

    (void)state;
    is(A(XS_CONTROL, "quota\0set\0soft-memory\00012345\0"), "OK|");
    data = save(&len);
    for (; (at = memmem(data, len, "soft-memory", 11)); found++)
        memcpy(at, "memory-soft", 11);
    assert_int_equal(found, 2); /* of new domains, and of domain 0 */
    s = store_new(t.s->hv, t.s->hv_ctx);
    assert_non_null(s);
    assert_int_equal(state_load(s, data, len, &ops, NULL, why), 0);
    assert_int_equal(s->quota.limit[QUOTA_MEMORY_SOFT], 12345);
    store_free(s);
    free(data);
}

static void fill(void)
{
    struct client *g = session_guest(&t, a, 5);

    is(A(XS_WRITE, "/x/y\0value"), "OK|");
    is(A(XS_WATCH, "/x\0t\0"), "OK|");
    is(A(XS_TRANSACTION_START, "\0"), "1|");
    a->blocked = true;
    is(B(XS_WRITE, "/x/y\0value"), "OK|");
    client_free(&t, g);
}

static void test_check(void **state)
{
    char why[STATE_WHY_MAX], want[STATE_WHY_MAX];
    size_t len;
    char *data;

    (void)state;
    fill();
    data = save(&len);
    state_summary(t.s, want, sizeof(want));
    assert_int_equal(state_check(data, len, any_daemon, NULL, why), 0);
    is(why, want);
    free(data);
}

/* Cut anywhere it is refused, with a reason. */
static void test_cut(void **state)
{
    char why[STATE_WHY_MAX];
    size_t len;
    char *data, *copy;

    (void)state;
    fill();
    data = save(&len);
    for (size_t n = 0; n < len; n++) {
        copy = malloc(n ? n : 1); /* so that a sanitizer sees the end */
        memcpy(copy, data, n);
        assert_int_not_equal(state_check(copy, n, any_daemon, NULL, why), 0);
        assert_int_not_equal(why[0], '\0');
        free(copy);
    }
    free(data);
}

static void test_flipped(void **state)
{
    char why[STATE_WHY_MAX];
    size_t len;
    char *data;

    (void)state;
    fill();
    data = save(&len);
    for (size_t n = 0; n < 8 * len; n++) {
        data[n / 8] ^= (char)(1 << n % 8);
        state_check(data, len, any_daemon, NULL, why);
        data[n / 8] ^= (char)(1 << n % 8);
    }
    free(data);
}

/* Another version's file, and one with records that are not known. */
static void test_foreign(void **state)
{
    char why[STATE_WHY_MAX], *data;
    struct state_out o;
    size_t len;
    FILE *f;

    (void)state;
    data = save(&len);
    data[8]++;
    assert_int_not_equal(state_check(data, len, any_daemon, NULL, why), 0);
    is(why, "state of version 2, this program reads 1");
    free(data);
    f = open_memstream(&data, &len);
    state_out_begin(&o, f, STATE_VERSION);
    out_record(&o, 4711);
    out_done(&o);
    assert_int_equal(state_out_end(&o), 0);
    fclose(f);
    assert_int_not_equal(state_check(data, len, any_daemon, NULL, why), 0);
    is(why, "record 0 is of unknown type 4711");
    free(data);
    assert_int_not_equal(state_check("#!/bin/sh", 9, any_daemon, NULL, why), 0);
    is(why, "this is not the state of a store");
}

/* The daemon's part may be refused, in its own words. */
static int refuse_daemon(void *ctx, const struct state_daemon *d, char *why)
{
    (void)ctx;
    snprintf(why, STATE_WHY_MAX, "not %.100s", d->socket);
    return -1;
}

static void test_refused(void **state)
{
    char why[STATE_WHY_MAX], *data;
    size_t len;

    (void)state;
    data = save(&len);
    assert_int_not_equal(state_check(data, len, refuse_daemon, NULL, why), 0);
    is(why, "not /s");
    free(data);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tree),          T(test_permissions),   T(test_watches),
        T(test_queues),        T(test_unread_events), T(test_half_sent),
        T(test_half_received), T(test_domains),       T(test_ids),
        T(test_ring),          T(test_ring_ignored),  T(test_transactions),
        T(test_first_names),   T(test_check),         T(test_cut),
        T(test_flipped),       T(test_foreign),       T(test_refused),
        T(test_ring_lost),     T(test_soft_limit),
    };

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
