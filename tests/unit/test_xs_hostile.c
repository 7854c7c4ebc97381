/*
 * Hostile guests: others are served in time, what they make the store keep is
 * bounded, and all of it is gone when they are. Time is counted in requests:
 * the store's clock here moves on by what each of them is said to cost.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tree/node.h"
#include "txn/txn_snapshot.h"
#include "xs_session.h"

#define RING    XENSTORE_RING_SIZE
#define HOSTILE 10 /* guests 5 to 14 */
#define VICTIM  20
#define US      1000 /* ns */
#define MS      1000000

static struct session t;
static struct client *a;
static uint64_t cost[SESSION_DOMIDS]; /* ns of a request */
static uint64_t clock_ns, seen;

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

/* All requests since the last look were those of the ring being served. */
static uint64_t fake_clock(bool cpu)
{
    struct list *pos;
    unsigned int who = 0;

    (void)cpu;
    list_for_each(pos, &t.s->conns) {
        const struct conn *c = container_of(pos, struct conn, entry);

        if (c->share.place == 1)
            who = c->dom->domid;
    }
    clock_ns += (t.s->requests - seen) * cost[who];
    seen = t.s->requests;
    return clock_ns;
}

static void introduce(unsigned int domid, bool on_ring)
{
    char s[64];
    int n = snprintf(s, sizeof(s), "%u%c1%c7", domid, 0, 0);

    session_boot(&t, domid, on_ring);
    is(ask(&t, a, XS_INTRODUCE, 0, s, (size_t)n + 1), "OK|");
    n = snprintf(s, sizeof(s), "/local/domain/%u", domid);
    is(ask(&t, a, XS_MKDIR, 0, s, (size_t)n + 1), "OK|");
    n += 1 + snprintf(s + n + 1, sizeof(s) - (size_t)n - 1, "n%u", domid);
    is(ask(&t, a, XS_SET_PERMS, 0, s, (size_t)n + 1), "OK|");
}

static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    clock_ns = seen = 0;
    for (int i = 0; i < SESSION_DOMIDS; i++)
        cost[i] = US;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned int i = 1; i < SESSION_DOMIDS; i++) {
        session_kill(&t, i);
        if (t.dom[i].client)
            client_free(&t, t.dom[i].client);
    }
    client_free(&t, a);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(t.s->open_txns, 0);
    assert_int_equal(t.s->fair.rings, 0);
    assert_int_equal(t.s->fair.overruns.n, 0);
    assert_int_equal(t.s->writes.n, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

/* ---- time ---- */

/* The ring of a guest is full of the cheapest requests, replies forgotten. */
static void flood(unsigned int domid)
{
    static const struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };
    volatile struct xenstore_domain_interface *page = &t.dom[domid].page;
    char m[sizeof(hdr) + 2] = "";

    memcpy(m, &hdr, sizeof(hdr));
    m[sizeof(hdr)] = '1';
    page->rsp_cons = page->rsp_prod;
    while (RING - (page->req_prod - page->req_cons) >= sizeof(m))
        for (size_t i = 0; i < sizeof(m); i++)
            page->req[MASK_XENSTORE_IDX(page->req_prod++)] = m[i];
    conn_dirty(t.dom[domid].ring);
}

static void flood_all(void)
{
    for (unsigned int i = 5; i < 5 + HOSTILE; i++)
        flood(i);
}

/* One request of a guest that waits for the answer. */
static void ask_once(unsigned int domid)
{
    static const struct xsd_sockmsg hdr = { XS_GET_DOMAIN_PATH, 1, 0, 2 };
    struct xenstore_domain_interface *page = &t.dom[domid].page;

    page->rsp_cons = page->rsp_prod;
    for (size_t i = 0; i < sizeof(hdr); i++)
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] = ((char *)&hdr)[i];
    page->req[MASK_XENSTORE_IDX(page->req_prod++)] = '1';
    page->req[MASK_XENSTORE_IDX(page->req_prod++)] = '\0';
    conn_dirty(t.dom[domid].ring);
}

static bool is_answered(unsigned int domid)
{
    return t.dom[domid].page.rsp_prod != t.dom[domid].page.rsp_cons;
}

static void turn(void)
{
    t.s->now_ms = 1000 + clock_ns / MS;
    if (t.s->tick_ms <= t.s->now_ms)
        store_tick(t.s);
    store_flush(t.s);
}

/* How many requests others have served before the victim is. */
static uint64_t wait_of_victim(void)
{
    uint64_t before = t.s->requests;

    ask_once(VICTIM);
    for (int i = 0; i < 1000 && !is_answered(VICTIM); i++) {
        turn();
        flood_all();
    }
    assert_true(is_answered(VICTIM));
    return t.s->requests - before - 1;
}

static void begin_flood(void)
{
    for (unsigned int i = 5; i < 5 + HOSTILE; i++)
        introduce(i, true);
    introduce(VICTIM, true);
    session_run(&t);
    t.s->fair.clock = fake_clock;
    seen = t.s->requests;
    flood_all();
    for (int i = 0; i < 100; i++) {
        turn();
        flood_all();
    }
}

/* A slice is 20 requests here: the victim is next after the current one. */
static void test_victim_waits_for_a_slice(void **state)
{
    (void)state;
    begin_flood();
    for (int i = 0; i < 50; i++)
        assert_true(wait_of_victim() <= SLICE_NS / US);
}

/* All get the same, whether their requests are short or long. */
static void test_rings_share_time(void **state)
{
    uint64_t before[2] = { 0 }, took[2] = { 0 };

    (void)state;
    begin_flood();
    cost[5] = 10 * US;
    for (int i = 0; i < 2; i++)
        before[i] = t.dom[5 + i].ring->share.used_ns;
    for (int i = 0; i < 2000; i++) {
        turn();
        flood_all();
    }
    for (int i = 0; i < 2; i++)
        took[i] = t.dom[5 + i].ring->share.used_ns - before[i];
    assert_true(took[0] < took[1] + 3 * SLICE_NS);
    assert_true(took[1] < took[0] + 3 * SLICE_NS);
    assert_true(took[0] > 100 * SLICE_NS);
}

/* Domain 5 floods until it has rested for a second; how much time it had. */
static uint64_t flood_for_a_second(void)
{
    uint64_t start = t.dom[5].ring->share.used_ns, idle = 0;

    cost[5] = MS;
    for (int i = 0; idle < 1000 && i < 100000; i++) { /* of 1 ms each */
        flood(5);
        turn();
        if (!t.dom[5].ring->share.suspended)
            continue;
        ask_once(VICTIM);
        turn();
        assert_true(is_answered(VICTIM));
        clock_ns += MS;
        idle++;
    }
    assert_int_equal(idle, 1000);
    return t.dom[5].ring->share.used_ns - start;
}

/* Requests of 1 ms: a few at once, and then half a percent of the time. */
static void test_long_requests_rest(void **state)
{
    uint64_t used;

    (void)state;
    introduce(5, true);
    introduce(VICTIM, true);
    session_run(&t);
    t.s->fair.clock = fake_clock;
    seen = t.s->requests;
    used = flood_for_a_second();
    assert_true(used >= 2 * MS);
    assert_true(used <= 10 * MS);
    cost[5] = US; /* it is not held for ever */
    clock_ns += (uint64_t)1000 * MS;
    used = t.s->requests;
    turn();
    turn();
    assert_true(t.s->requests > used);
}

/* Who had long requests once, and is silent now, has no share any more. */
static void test_long_requests_of_the_past(void **state)
{
    (void)state;
    begin_flood();
    for (unsigned int i = 6; i < 5 + HOSTILE; i++)
        cost[i] = MS;
    for (int i = 0; i < 200; i++) {
        flood_all();
        turn();
        clock_ns += MS;
    }
    for (unsigned int i = 6; i < 5 + HOSTILE; i++) {
        assert_true(t.dom[i].ring->share.cpu_timed);
        cost[i] = US;
    }
    clock_ns += (uint64_t)60000 * MS;
    for (int i = 0; i < 1000; i++)
        turn();
    assert_true(flood_for_a_second() >= 6 * MS); /* 2 at once, and 5 */
}

/* A batch of a client on the host delays another one by a slice. */
static void test_sockets_take_turns(void **state)
{
    struct {
        struct xsd_sockmsg hdr;
        char path[6];
    } one = { { XS_READ, 1, 0, 6 }, "/tool" };
    static unsigned char batch[1000 * 22];
    struct client *k = client_new(&t);
    uint64_t before;

    (void)state;
    cost[0] = US;
    t.s->fair.clock = fake_clock;
    seen = before = t.s->requests;
    for (int i = 0; i < 1000; i++)
        memcpy(batch + 22 * i, &one, 22);
    fair_slice(&t.s->fair);
    conn_input(a->c, batch, sizeof(batch));
    assert_true(t.s->requests - before <= SOCKET_SLICE_NS / US + 2);
    before = t.s->requests;
    client_post(&t, k, XS_READ, 0, "/tool", 6);
    assert_int_equal(t.s->requests, before + 1);
    store_flush(t.s);
    assert_int_equal(k->got_len, 16);
    session_run(&t);
    assert_int_equal(a->got_len, 16 * 1000);
    client_free(&t, k);
}

/* One that is served, or has events, among many that do nothing. */
static void test_idle_rings_cost_nothing(void **state)
{
    (void)state;
    for (unsigned int i = 5; i < 5 + HOSTILE; i++)
        introduce(i, true);
    session_run(&t);
    assert_int_equal(t.s->fair.n, 0);
    assert_false(store_flush(t.s));
    assert_int_equal(t.s->tick_ms, UINT64_MAX);
}

/* ---- memory ---- */

#define QUOTA (2560 * 1024) /* of memory, standard */
/*
 * What is not charged: the heap's own heads, the index of waiting events,
 * permission lists, the ways to nodes, the daemon's tables.
 */
#define SLACK (QUOTA / 8)

/* The allocator gives a piece of the same size a few bytes more or less. */
#define JITTER 256

static size_t in_use;

static size_t allocated(void)
{
    while (node_reap(UINT32_MAX))
        ;
    return in_use;
}

/* The linker makes the store's calls of the allocator these. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static void *counted(void *p)
{
    in_use += malloc_usable_size(p);
    return p;
}

void *__wrap_malloc(size_t n)
{
    return counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    in_use -= malloc_usable_size(p);
    return counted(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
    in_use -= malloc_usable_size(p);
    __real_free(p);
}

/* The client's side is not the store's. */
static void forget(struct client *k)
{
    free(k->got);
    free(k->events);
    k->got = NULL;
    k->events = NULL;
    k->got_len = k->got_at = k->got_cap = k->nr_events = k->events_at = 0;
}

static const char *path_of(int i)
{
    static char path[64];

    snprintf(path, sizeof(path), "d/%d/%d", i % 30, i);
    return path;
}

static const char *fill(struct client *k, uint32_t tx, int i, char c)
{
    static char buf[2048];
    size_t n = (size_t)sprintf(buf, "%s", path_of(i)) + 1;

    memset(buf + n, c, 1500);
    while (k->c->held) /* its writes are rationed: transport would wait */
        session_sleep(&t, 100);
    return ask(&t, k, XS_WRITE, tx, buf, n + 1500);
}

static void hoard_versions(struct client *k)
{
    for (int i = 0; i < 10; i++) {
        ASK(&t, k, XS_TRANSACTION_START, 0, "");
        for (int n = 0; n < 900; n++)
            fill(k, 0, n, (char)('a' + i));
        forget(k);
    }
}

static void write_in_transactions(struct client *k)
{
    for (int i = 0; i < 10; i++) {
        uint32_t tx = (uint32_t)atoi(ASK(&t, k, XS_TRANSACTION_START, 0, ""));

        for (int n = 0; n < 900; n++)
            fill(k, tx, n, (char)('a' + i));
        forget(k);
    }
}

static void watch_deep(struct client *k)
{
    char buf[2048];

    for (int i = 0; i < 128; i++) {
        size_t n = (size_t)sprintf(buf, "%d", i);

        while (n < 1900)
            n += (size_t)sprintf(buf + n, "/a");
        n += (size_t)sprintf(buf + n + 1, "%d", i) + 2;
        ask(&t, k, XS_WATCH, 0, buf, n);
    }
}

static void leave_events(struct client *k)
{
    char buf[2048];

    memset(buf, 't', sizeof(buf));
    memcpy(buf, "d", 2);
    for (int i = 0; i < 128; i++) {
        sprintf(buf + 2, "%d", i);
        buf[2 + strlen(buf + 2)] = 't';
        buf[sizeof(buf) - 1] = '\0';
        ask(&t, k, XS_WATCH, 0, buf, sizeof(buf));
    }
    k->blocked = true;
    for (int i = 0; i < 1000; i++) {
        size_t n = (size_t)sprintf(buf, "/local/domain/%u/%s", k->c->dom->domid,
                                   path_of(i));

        ask(&t, a, XS_WRITE, 0, buf, n + 1);
    }
}

static void many_perms(struct client *k)
{
    char buf[128];

    for (int i = 0; i < 900; i++) {
        size_t n = (size_t)sprintf(buf, "%s", path_of(i)) + 1;

        ask(&t, k, XS_MKDIR, 0, buf, n);
        n += (size_t)sprintf(buf + n, "n%u", k->c->dom->domid) + 1;
        for (int bit = 0; bit < 4; bit++)
            n += (size_t)sprintf(buf + n, "r%d", 100 * bit + (i >> bit) % 97) +
                 1;
        ask(&t, k, XS_SET_PERMS, 0, buf, n);
    }
}

static void half_a_message(struct client *k)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, 4096 };

    hoard_versions(k);
    client_send(&t, k, &hdr, sizeof(hdr));
    client_send(&t, k, "half", 4);
}

/*
 * `guests` of them do it; what that takes is bounded by their quotas and what
 * old versions may take, and given back when they are gone.
 */
static void attack(void (*fn)(struct client *k), unsigned int guests)
{
    size_t before, during;

    for (unsigned int i = 0; i < guests; i++) {
        introduce(5 + i, false); /* makes the daemon's tables grow */
        fn(t.dom[5 + i].client);
    }
    for (unsigned int round = 0; round < 2; round++) {
        for (unsigned int i = 0; i < guests; i++) {
            session_kill(&t, 5 + i);
            client_free(&t, t.dom[5 + i].client);
            t.dom[5 + i].client = NULL;
        }
        forget(a);
        assert_int_equal(session_check(&t), 0);
        assert_int_equal(t.s->open_txns, 0);
        if (round)
            break;
        before = allocated();
        for (unsigned int i = 0; i < guests; i++) {
            introduce(5 + i, false);
            fn(t.dom[5 + i].client);
            forget(t.dom[5 + i].client);
        }
        forget(a);
        during = allocated();
        assert_true(during - before <= guests * (QUOTA + SLACK) +
                                           (size_t)txn_snapshot_memory(t.s));
        assert_true(txn_snapshot_memory(t.s) <= TXN_SNAPSHOT_MAX);
    }
    assert_true(allocated() <= before + JITTER);
}

#define ATTACK(fn)                      \
    static void test_##fn(void **state) \
    {                                   \
        (void)state;                    \
        attack(fn, 1);                  \
        attack(fn, 3);                  \
    }

ATTACK(hoard_versions)
ATTACK(write_in_transactions)
ATTACK(watch_deep)
ATTACK(leave_events)
ATTACK(many_perms)
ATTACK(half_a_message)

/* The one that is open longest starts over; it ends with EAGAIN. */
static void test_start_over(void **state)
{
    struct client *g;

    (void)state;
    introduce(5, false);
    g = t.dom[5].client;
    is(ASK(&t, g, XS_TRANSACTION_START, 0, ""), "1|");
    is(ASK(&t, g, XS_WRITE, 1, "own\0before"), "OK|");
    hoard_versions(g);
    is(ASK(&t, g, XS_READ, 1, "own\0"), "ENOENT");
    is(ASK(&t, g, XS_WRITE, 1, "own\0after"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, 1, "T\0"), "EAGAIN");
    is(ASK(&t, g, XS_READ, 0, "own\0"), "ENOENT");
    is(ASK(&t, g, XS_TRANSACTION_END, 10, "T\0"), "OK|"); /* the last one */
    is(ASK(&t, g, XS_TRANSACTION_START, 0, ""), "11|");
    is(ASK(&t, g, XS_WRITE, 11, "own\0now"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, 11, "T\0"), "OK|");
}

/* Nested nodes in a transaction: their number is not all that counts. */
static void test_deep_transaction(void **state)
{
    char buf[2048];
    size_t n = 0;

    (void)state;
    introduce(5, false);
    is(ASK(&t, t.dom[5].client, XS_TRANSACTION_START, 0, ""), "1|");
    for (int i = 0; i < 900; i++)
        n += (size_t)sprintf(buf + n, "%sa", i ? "/" : "");
    is(ask(&t, t.dom[5].client, XS_MKDIR, 1, buf, n + 1), "ENOSPC");
    is(ask(&t, t.dom[5].client, XS_MKDIR, 0, buf, n + 1), "OK|");
}

/* ---- death ---- */

/* Its ring dies with requests that wait, while it rests, being told events. */
static void test_death_of_a_ring(void **state)
{
    (void)state;
    begin_flood();
    cost[5] = 3 * MS;
    for (int i = 0; i < 20000 && !t.dom[5].ring->share.suspended; i++) {
        turn();
        flood_all();
    }
    assert_true(t.dom[5].ring->share.suspended);
    is(A(XS_WRITE, "/local/domain/5/x\0v"), "OK|");
    for (unsigned int i = 5; i < 5 + HOSTILE; i++) {
        flood(i);
        session_kill(&t, i);
        assert_null(t.dom[i].ring);
    }
    assert_int_equal(t.s->fair.rings, 1);
    ask_once(VICTIM);
    turn();
    assert_true(is_answered(VICTIM));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_victim_waits_for_a_slice),
        T(test_rings_share_time),
        T(test_long_requests_rest),
        T(test_long_requests_of_the_past),
        T(test_sockets_take_turns),
        T(test_idle_rings_cost_nothing),
        T(test_hoard_versions),
        T(test_write_in_transactions),
        T(test_watch_deep),
        T(test_leave_events),
        T(test_many_perms),
        T(test_half_a_message),
        T(test_start_over),
        T(test_deep_transaction),
        T(test_death_of_a_ring),
    };

    return cmocka_run_group_tests_name("hostile guests", tests, NULL, NULL);
}
