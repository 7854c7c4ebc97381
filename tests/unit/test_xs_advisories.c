/*
 * What the advisories about xenstored and oxenstored tell of, and no other
 * test shows of this store: docs/xenstore-conformance.md has all of them. What
 * is in a name's comment is what went wrong elsewhere.
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

#define RING_GUEST 7

static struct session t;
static struct client *a, *g, *h; /* domain 0, guests 5 and 6 */

#define A(type, lit)       ASK(&t, a, type, 0, lit)
#define G(type, lit)       ASK(&t, g, type, 0, lit)
#define H(type, lit)       ASK(&t, h, type, 0, lit)
#define IN(k, tx, ty, lit) ASK(&t, k, ty, tx, lit)
#define is(got, want)      assert_string_equal(got, want)

static struct domain *dom(unsigned int domid)
{
    return domain_find(t.s, domid);
}

/* A request of domain 0 whose payload is printed, with '|' for NUL. */
static const char *admin(uint32_t type, const char *fmt, unsigned int domid)
{
    char s[96];
    size_t n = (size_t)snprintf(s, sizeof(s), fmt, domid, domid);

    for (size_t i = 0; i < n; i++)
        if (s[i] == '|')
            s[i] = '\0';
    return ask(&t, a, type, 0, s, n);
}

static void make_home(unsigned int domid)
{
    is(admin(XS_MKDIR, "/local/domain/%u|", domid), "OK|");
    is(admin(XS_SET_PERMS, "/local/domain/%u|n%u|", domid), "OK|");
}

static struct client *guest(unsigned int domid)
{
    struct client *k = session_guest(&t, a, domid);

    assert_non_null(k);
    make_home(domid);
    return k;
}

static void end_guest(unsigned int domid)
{
    struct client *k = t.dom[domid].client;

    session_kill(&t, domid);
    assert_null(k->c);
    client_free(&t, k);
}

static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    g = guest(5);
    h = guest(6);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(session_check(&t), 0);
    end_guest(5);
    end_guest(6);
    client_free(&t, a);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(t.s->watches.nodes, 0);
    assert_int_equal(t.s->open_txns, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

static uint32_t start(struct client *k)
{
    return (uint32_t)atoi(ASK(&t, k, XS_TRANSACTION_START, 0, "\0"));
}

/* Watches, transactions with changes, and events that wait unread. */
static void busy(struct client *k)
{
    uint32_t x = start(k);

    is(IN(k, 0, XS_WATCH, "w\0t\0"), "OK|");
    is(IN(k, 0, XS_WATCH, "@releaseDomain\0t\0"), "OK|");
    is(IN(k, x, XS_WRITE, "in/txn\0v"), "OK|");
    is(IN(k, 0, XS_WRITE, "w/x\0v"), "OK|");
    (void)start(k);
    k->blocked = true;
    is(IN(k, 0, XS_WRITE, "w/y\0v"), "(none)");
}

/* ---- death, and RELEASE ---- */

/* A domain and the one that is its target go together, in each order. */
static void target_goes(unsigned int domid, unsigned int target, bool released)
{
    unsigned int pair[] = { domid, target };
    char set[16];

    busy(t.dom[domid].client);
    busy(t.dom[target].client);
    set[snprintf(set, sizeof(set), "%u|%u", domid, target)] = '\0';
    *strchr(set, '|') = '\0';
    is(ask(&t, a, XS_SET_TARGET, 0, set, 6), "OK|");
    for (int i = 0; i < 2; i++) {
        t.dom[pair[i]].exists = released;
        if (released)
            is(admin(XS_RELEASE, "%u|", pair[i]), "OK|");
    }
    domain_check_all(t.s);
    session_run(&t);
    for (int i = 0; i < 2; i++) {
        assert_null(t.dom[pair[i]].client->c);
        client_free(&t, t.dom[pair[i]].client);
    }
    assert_int_equal(session_check(&t), 0);
}

/* A double free when a domain and its stub domain went at once. */
static void test_target_goes(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        unsigned int older = 20, younger = 21;
        bool stub_is_older = i & 1, released = i & 2, reverse = i & 4;

        (void)guest(reverse ? younger : older);
        (void)guest(reverse ? older : younger);
        target_goes(stub_is_older ? older : younger,
                    stub_is_older ? younger : older, released);
        /* Nobody inherits rights from the pair that had these numbers. */
        (void)guest(20);
        (void)guest(21);
        is(IN(t.dom[20].client, 0, XS_WRITE, "x\0v"), "OK|");
        is(IN(t.dom[21].client, 0, XS_WRITE, "x\0v"), "OK|");
        is(IN(t.dom[20].client, 0, XS_READ, "/local/domain/21/x\0"), "EACCES");
        is(IN(t.dom[21].client, 0, XS_READ, "/local/domain/20/x\0"), "EACCES");
        end_guest(20);
        end_guest(21);
    }
}

/* The ring's guest sends the header of a message that is too long. */
static void break_protocol(unsigned int domid)
{
    struct xsd_sockmsg hdr = { XS_READ, 1, 0, XENSTORE_PAYLOAD_MAX + 1 };
    struct xenstore_domain_interface *page = &t.dom[domid].page;

    for (size_t i = 0; i < sizeof(hdr); i++)
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] = ((char *)&hdr)[i];
    conn_dirty(t.dom[domid].ring);
    session_run(&t);
    assert_int_equal(page->error, XENSTORE_ERROR_PROTO);
}

/*
 * Who broke the protocol was taken for dead: @releaseDomain came at once, and
 * not when it died; its stub domain pointed at what was freed.
 */
static void test_violation_is_no_death(void **state)
{
    (void)state;
    session_boot(&t, RING_GUEST, true);
    is(A(XS_INTRODUCE, "7\0001\0007\0"), "OK|");
    make_home(RING_GUEST);
    is(A(XS_WRITE, "/local/domain/7/x\0v"), "OK|");
    is(A(XS_SET_TARGET, "6\0007\0"), "OK|");
    is(A(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    is(events(a), "@releaseDomain:r");
    break_protocol(RING_GUEST);
    domain_check_all(t.s);
    session_run(&t);
    is(events(a), "");
    is(A(XS_IS_DOMAIN_INTRODUCED, "7\0"), "T|");
    is(H(XS_READ, "/local/domain/7/x\0"), "v");
    session_kill(&t, RING_GUEST);
    is(events(a), "@releaseDomain:r");
    is(A(XS_IS_DOMAIN_INTRODUCED, "7\0"), "F|");
    is(A(XS_READ, "/local/domain/7/x\0"), "ENOENT");
    is(H(XS_READ, "/local/domain/7/x\0"), "EACCES");
    assert_int_equal(dom(6)->target, -1);
}

/* RELEASE of a guest that has everything open (a soft reset) was a crash. */
static void test_release_of_busy(void **state)
{
    (void)state;
    is(A(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    is(A(XS_WATCH, "@introduceDomain\0i\0"), "OK|");
    for (int i = 0; i < 20; i++) {
        struct client *k = guest(20);
        uint32_t x = start(a);

        busy(k);
        (void)events(a);
        is(IN(a, i % 2 ? x : 0, XS_RELEASE, "20\0"), "OK|");
        assert_null(k->c);
        is(events(a), "@releaseDomain:r");
        is(A(XS_RELEASE, "20\0"), "ENOENT");
        is(A(XS_READ, "/local/domain/20/w/x\0"), "ENOENT");
        is(A(XS_INTRODUCE, "20\0001\0009\0"), "OK|");
        assert_ptr_equal(t.dom[20].client, k); /* the same, connected again */
        is(events(a), "@introduceDomain:i");
        assert_int_equal(dom(20)->used[QUOTA_NODES], 0);
        assert_int_equal(dom(20)->used[QUOTA_WATCHES], 0);
        assert_int_equal(dom(20)->used[QUOTA_TXNS], 0);
        is(IN(a, x, XS_TRANSACTION_END, "T\0"), "OK|");
        end_guest(20);
    }
}

/*
 * What a domain had used was counted on the next one of its number, which
 * could make less.
 */
static void test_counts_begin_anew(void **state)
{
    char s[16];

    (void)state;
    is(A(XS_CONTROL, "quota\0set\0nodes\00020\0"), "OK|");
    for (int round = 0; round < 10; round++) {
        struct client *k = guest(20);
        int nodes = 0, watches = 0, txns = 0;
        size_t n;

        do
            n = (size_t)sprintf(s, "%d", nodes++) + 1;
        while (!strcmp(ask(&t, k, XS_WRITE, 0, s, n), "OK|"));
        do
            n = (size_t)sprintf(s, "%d%ct", watches++, 0) + 1;
        while (!strcmp(ask(&t, k, XS_WATCH, 0, s, n), "OK|"));
        while (strcmp(IN(k, 0, XS_TRANSACTION_START, "\0"), "ENOSPC"))
            txns++;
        assert_int_equal(nodes, 20); /* and the home */
        assert_int_equal(watches, 129);
        assert_int_equal(txns, 10);
        if (round % 2) {
            is(A(XS_RELEASE, "20\0"), "OK|");
            client_free(&t, k);
        } else {
            end_guest(20);
        }
    }
}

/* Nodes of a dead domain became domain 0's: any number, by two guests. */
static void test_nodes_of_the_dead(void **state)
{
    int64_t nodes, bytes;

    (void)state;
    is(G(XS_MKDIR, "open\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/5/open\0n5\0b0\0"), "OK|");
    is(G(XS_SET_PERMS, "open\0b5\0"), "OK|");
    nodes = dom(0)->used[QUOTA_NODES];
    bytes = t.s->accounted;
    for (int i = 0; i < 50; i++) {
        struct client *k = guest(20);

        is(IN(k, 0, XS_WRITE, "/local/domain/5/open/a/b\0v"), "OK|");
        is(IN(k, 0, XS_SET_PERMS, "/local/domain/5/open/a/b\0n20\0w5\0"),
           "OK|");
        is(G(XS_WRITE, "open/a/b\0w"), "OK|");
        is(A(XS_GET_PERMS, "/local/domain/5/open/a\0"), "b20|");
        end_guest(20);
        is(G(XS_DIRECTORY, "open\0"), "");
    }
    assert_int_equal(dom(0)->used[QUOTA_NODES], nodes);
    assert_int_equal(t.s->accounted, bytes);
    assert_int_equal(dom(5)->used[QUOTA_NODES], 2);
}

/* ---- rights ---- */

/* oxenstored let owners give nodes away, and so go past any quota. */
static void test_owner_stays(void **state)
{
    (void)state;
    is(G(XS_WRITE, "x\0v"), "OK|");
    is(G(XS_SET_PERMS, "x\0b5\0b6\0"), "OK|");
    for (uint32_t tx = 0; tx < 2; tx++) {
        if (tx)
            assert_int_equal(start(g), 1);
        is(IN(g, tx, XS_SET_PERMS, "x\0n6\0"), "EPERM");
        is(IN(g, tx, XS_SET_PERMS, "x\0n0\0"), "EPERM");
        is(IN(g, tx, XS_SET_PERMS, "x\0n6\0b5\0"), "EPERM");
        is(IN(g, tx, XS_WRITE, "y\0v"), "OK|");
        is(IN(g, tx, XS_SET_PERMS, "y\0b6\0"), "EPERM");
        is(IN(g, tx, XS_GET_PERMS, "x\0"), "b5|b6|");
    }
    is(IN(g, 1, XS_TRANSACTION_END, "T\0"), "OK|");
    is(A(XS_GET_PERMS, "/local/domain/5/x\0"), "b5|b6|");
    is(A(XS_GET_PERMS, "/local/domain/5/y\0"), "n5|");
    /* Neither may who may write it, nor who has its owner's rights. */
    assert_int_equal(start(h), 1);
    is(H(XS_SET_PERMS, "/local/domain/5/x\0b6\0"), "EACCES");
    is(IN(h, 1, XS_SET_PERMS, "/local/domain/5/x\0b6\0"), "EACCES");
    is(A(XS_SET_TARGET, "6\0005\0"), "OK|");
    is(H(XS_SET_PERMS, "/local/domain/5/x\0b6\0"), "EPERM");
    is(IN(h, 1, XS_SET_PERMS, "/local/domain/5/x\0b6\0"), "EPERM");
    is(IN(h, 1, XS_TRANSACTION_END, "T\0"), "OK|");
    assert_int_equal(dom(5)->used[QUOTA_NODES], 3);
    assert_int_equal(dom(6)->used[QUOTA_NODES], 1);
}

/* oxenstored asked for no rights at the root. */
static void test_root_is_closed(void **state)
{
    (void)state;
    for (uint32_t tx = 0; tx < 2; tx++) {
        if (tx)
            assert_int_equal(start(g), 1);
        is(IN(g, tx, XS_READ, "/\0"), "EACCES");
        is(IN(g, tx, XS_DIRECTORY, "/\0"), "EACCES");
        is(IN(g, tx, XS_DIRECTORY_PART, "/\0000\0"), "EACCES");
        is(IN(g, tx, XS_GET_PERMS, "/\0"), "EACCES");
        is(IN(g, tx, XS_WRITE, "/\0v"), "EACCES");
        is(IN(g, tx, XS_MKDIR, "/\0"), "EACCES");
        is(IN(g, tx, XS_MKDIR, "/mine\0"), "EACCES");
        is(IN(g, tx, XS_SET_PERMS, "/\0n5\0"), "EACCES");
        is(IN(g, tx, XS_SET_PERMS, "/\0b0\0b5\0"), "EACCES");
        is(IN(g, tx, XS_RM, "/\0"), "EACCES");
    }
    is(IN(g, 1, XS_TRANSACTION_END, "T\0"), "OK|");
    is(A(XS_GET_PERMS, "/\0"), "n0|");
}

/* ---- requests ---- */

/* An assertion about the path "/local/domain/". */
static void test_illegal_paths(void **state)
{
    static const char *const paths[] = { "/local/domain/",
                                         "/local/domain//",
                                         "/local/domain/5/",
                                         "/local//",
                                         "//",
                                         "local/domain/",
                                         "x/",
                                         "/local/domain/\1" };
    static const struct {
        uint32_t type;
        const char *tail;
        size_t len;
    } requests[] = {
        { XS_READ, "", 0 },        { XS_DIRECTORY, "", 0 },
        { XS_GET_PERMS, "", 0 },   { XS_WRITE, "v", 1 },
        { XS_MKDIR, "", 0 },       { XS_RM, "", 0 },
        { XS_SET_PERMS, "n5", 3 }, { XS_WATCH, "t", 2 },
        { XS_UNWATCH, "t", 2 },    { XS_DIRECTORY_PART, "0", 2 },
    };
    struct client *const who[] = { a, g };

    (void)state;
    for (int k = 0; k < 2; k++) {
        uint32_t tx[] = { 0, start(who[k]) };

        for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++)
            for (size_t r = 0; r < sizeof(requests) / sizeof(requests[0]); r++)
                for (int x = 0; x < 2; x++) {
                    char s[64];
                    size_t n = strlen(paths[p]) + 1;

                    memcpy(s, paths[p], n);
                    memcpy(s + n, requests[r].tail, requests[r].len);
                    is(ask(&t, who[k], requests[r].type, tx[x], s,
                           n + requests[r].len),
                       "EINVAL");
                }
        is(IN(who[k], tx[1], XS_TRANSACTION_END, "T\0"), "OK|");
    }
    is(H(XS_WRITE, "x\0v"), "OK|");
}

/* An assertion about RESET_WATCHES inside a transaction. */
static void test_reset_inside(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t one = start(g), two = start(g);

        is(G(XS_WATCH, "w\0t\0"), "OK|");
        is(events(g), "w:t");
        is(IN(g, one, XS_WRITE, "one\0v"), "OK|");
        is(IN(g, two, XS_WRITE, "two\0v"), "OK|");
        is(IN(g, i % 2 ? one : two, XS_RESET_WATCHES, "\0"), "OK|");
        is(IN(g, one, XS_READ, "one\0"), "ENOENT");
        is(IN(g, two, XS_TRANSACTION_END, "T\0"), "ENOENT");
        is(IN(g, two, XS_RESET_WATCHES, "\0"), "ENOENT"); /* it is no more */
        is(G(XS_READ, "one\0"), "ENOENT");
        is(G(XS_WRITE, "w\0v"), "OK|");
        is(events(g), "");
        assert_int_equal(dom(5)->used[QUOTA_WATCHES], 0);
        assert_int_equal(dom(5)->used[QUOTA_TXNS], 0);
    }
}

/* oxenstored kept something of each watch that was reset. */
static void test_reset_frees(void **state)
{
    int64_t memory = 0;

    (void)state;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 128; i++) {
            char s[32];
            size_t n = (size_t)sprintf(s, "a/b%d/c%ct", i, 0) + 1;

            is(ask(&t, g, XS_WATCH, 0, s, n), "OK|");
        }
        (void)events(g);
        is(G(XS_RESET_WATCHES, "\0"), "OK|");
        assert_int_equal(t.s->watches.count, 0);
        assert_int_equal(t.s->watches.nodes, 0);
        if (round)
            assert_int_equal(dom(5)->used[QUOTA_MEMORY], memory);
        memory = dom(5)->used[QUOTA_MEMORY];
    }
}

/* ---- counting ---- */

/*
 * Nodes that were made and removed in one transaction broke its commit off in
 * the middle, uncounted.
 */
static void test_made_and_removed(void **state)
{
    (void)state;
    is(A(26, "5\0nodes\00010\0"), "OK|");
    for (int i = 0; i < 20; i++) {
        char s[32];
        size_t n = (size_t)sprintf(s, "kept%d%cv", i, 0);
        uint32_t x = start(g);
        bool fits = i < 9; /* with the home */

        is(IN(g, x, XS_WRITE, "gone/a\0v"), i < 8 ? "OK|" : "ENOSPC");
        is(IN(g, x, XS_RM, "gone\0"), "OK|");
        is(ask(&t, g, XS_WRITE, x, s, n), fits ? "OK|" : "ENOSPC");
        if (i % 2)
            is(A(XS_WRITE, "/vm/elsewhere\0v"), "OK|");
        is(IN(g, x, XS_TRANSACTION_END, "T\0"), "OK|");
        assert_int_equal(session_check(&t), 0);
    }
    assert_int_equal(dom(5)->used[QUOTA_NODES], 10);
}

/* Counts that were below zero for a moment, because of what went outside. */
static void test_removed_outside(void **state)
{
    uint32_t x;

    (void)state;
    for (int conflict = 0; conflict < 2; conflict++) {
        for (int i = 0; i < 8; i++) {
            char s[32];
            size_t n = (size_t)sprintf(s, "d%d/x%cv", i, 0);

            is(ask(&t, g, XS_WRITE, 0, s, n), "OK|");
        }
        x = start(g);
        is(IN(g, x, XS_RM, "d0\0"), "OK|");
        is(IN(g, x, XS_RM, "d1\0"), "OK|");
        is(IN(g, x, XS_WRITE, "new\0v"), "OK|");
        for (int i = conflict ? 1 : 2; i < 8; i++)
            is(admin(XS_RM, "/local/domain/5/d%u|", (unsigned int)i), "OK|");
        is(IN(g, x, XS_TRANSACTION_END, "T\0"), conflict ? "EAGAIN" : "OK|");
        assert_int_equal(session_check(&t), 0);
        is(G(XS_DIRECTORY, "/local/domain/5\0"), conflict ? "new|d0|" : "new|");
        assert_int_equal(dom(5)->used[QUOTA_NODES], conflict ? 4 : 2);
    }
}

/* Half of a path was made, and stayed without a parent or uncounted. */
static void test_half_a_path(void **state)
{
    char deep[2048];
    size_t n;

    (void)state;
    is(A(26, "5\0nodes\00010\0"), "OK|");
    for (int levels = 2; levels < 40; levels++) {
        uint32_t x = start(g);

        n = 0;
        for (int i = 0; i < levels; i++)
            n += (size_t)sprintf(deep + n, "%sd", i ? "/" : "");
        is(ask(&t, g, XS_MKDIR, x, deep, n + 1),
           levels < 10 ? "OK|" : "ENOSPC");
        is(IN(g, x, XS_READ, "d\0"), levels < 10 ? "" : "ENOENT");
        is(IN(g, x, XS_TRANSACTION_END, "T\0"), "OK|");
        assert_int_equal(dom(5)->used[QUOTA_NODES],
                         levels < 10 ? 1 + levels : 1);
        is(ask(&t, g, XS_MKDIR, 0, deep, n + 1),
           levels < 10 ? "OK|" : "ENOSPC");
        assert_int_equal(session_check(&t), 0);
        is(G(XS_RM, "d\0"), "OK|");
        is(G(XS_DIRECTORY, "/local/domain/5\0"), "");
        assert_int_equal(dom(5)->used[QUOTA_NODES], 1);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_target_goes),       T(test_violation_is_no_death),
        T(test_release_of_busy),   T(test_counts_begin_anew),
        T(test_nodes_of_the_dead), T(test_owner_stays),
        T(test_root_is_closed),    T(test_illegal_paths),
        T(test_reset_inside),      T(test_reset_frees),
        T(test_made_and_removed),  T(test_removed_outside),
        T(test_half_a_path),
    };

    return cmocka_run_group_tests_name("advisories", tests, NULL, NULL);
}
