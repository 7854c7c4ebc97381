/*
 * Transactions: isolation, commit, what conflicts and what does not, events,
 * and what is left when one fails.
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

static struct session t;
static struct client *a, *b;

#define A(type, tx, lit) ASK(&t, a, type, tx, lit)
#define B(type, tx, lit) ASK(&t, b, type, tx, lit)
#define is(got, want)    assert_string_equal(got, want)
#define commits(client, tx) \
    is(ASK(&t, client, XS_TRANSACTION_END, tx, "T\0"), "OK|")
#define conflicts(client, tx) \
    is(ASK(&t, client, XS_TRANSACTION_END, tx, "T\0"), "EAGAIN")

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
    assert_int_equal(session_check(&t), 0);
    client_free(&t, a);
    client_free(&t, b);
    assert_int_equal(t.s->open_txns, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

/* A new transaction's id. */
static uint32_t start(struct client *k)
{
    return (uint32_t)atoi(ASK(&t, k, XS_TRANSACTION_START, 0, "\0"));
}

static void test_ids(void **state)
{
    (void)state;
    is(A(XS_TRANSACTION_START, 0, "\0"), "1|");
    is(A(XS_TRANSACTION_START, 0, "anything"), "2|");
    is(A(XS_TRANSACTION_START, 0, ""), "3|");
    is(B(XS_TRANSACTION_START, 0, "\0"), "1|");
    is(A(XS_TRANSACTION_START, 1, "\0"), "EBUSY");
    is(A(XS_TRANSACTION_END, 1, "X\0"), "EINVAL");
    is(A(XS_TRANSACTION_END, 1, "T"), "EINVAL");
    is(A(XS_TRANSACTION_END, 1, "TT\0"), "EINVAL");
    is(A(XS_TRANSACTION_END, 0, "T\0"), "ENOENT");
    is(B(XS_TRANSACTION_END, 2, "T\0"), "ENOENT"); /* it is a's */
    is(A(XS_TRANSACTION_END, 1, "F\0"), "OK|");
    is(A(XS_TRANSACTION_END, 1, "F\0"), "ENOENT");
    is(A(XS_READ, 1, "/tool\0"), "ENOENT");
    /* Never 0, and not one that is in use. */
    a->c->next_txn = UINT32_MAX;
    is(A(XS_TRANSACTION_START, 0, "\0"), "4294967295|");
    is(A(XS_TRANSACTION_START, 0, "\0"), "1|");
    is(A(XS_TRANSACTION_START, 0, "\0"), "4|");
}

static void test_isolation(void **state)
{
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/v\0old"), "OK|");
    x = start(a);
    is(A(XS_WRITE, x, "/v\0new"), "OK|");
    is(A(XS_WRITE, x, "/d/e\0deep"), "OK|");
    is(A(XS_READ, x, "/v\0"), "new");
    is(A(XS_READ, x, "/d/e\0"), "deep");
    is(B(XS_READ, 0, "/v\0"), "old");
    is(A(XS_READ, 0, "/v\0"), "old");
    is(B(XS_READ, 0, "/d\0"), "ENOENT");
    commits(a, x);
    is(B(XS_READ, 0, "/v\0"), "new");
    is(B(XS_READ, 0, "/d/e\0"), "deep");
    is(A(XS_TRANSACTION_END, x, "T\0"), "ENOENT");
}

/* Reads come from the moment of the start, whatever happens outside. */
static void test_snapshot(void **state)
{
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/s/one\0001"), "OK|");
    x = start(a);
    is(B(XS_WRITE, 0, "/s/one\0002"), "OK|");
    is(B(XS_WRITE, 0, "/s/two\0002"), "OK|");
    is(B(XS_RM, 0, "/tool\0"), "OK|");
    is(A(XS_READ, x, "/s/one\0"), "1");
    is(A(XS_DIRECTORY, x, "/s\0"), "one|");
    is(A(XS_DIRECTORY, x, "/\0"), "tool|local|vm|s|");
    is(A(XS_TRANSACTION_END, x, "F\0"), "OK|");
    is(A(XS_READ, 0, "/s/one\0"), "2");
}

static void test_abort(void **state)
{
    uint32_t x = start(a);

    (void)state;
    is(A(XS_RM, x, "/tool\0"), "OK|");
    is(A(XS_WRITE, x, "/new\0x"), "OK|");
    is(A(XS_TRANSACTION_END, x, "F\0"), "OK|");
    is(A(XS_DIRECTORY, 0, "/\0"), "tool|local|vm|");
}

static void test_conflicts(void **state)
{
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/c/v\0old"), "OK|");

    x = start(a); /* read, written by another */
    is(A(XS_READ, x, "/c/v\0"), "old");
    is(A(XS_WRITE, x, "/tool/mine\0m"), "OK|");
    is(B(XS_WRITE, 0, "/c/v\0b1"), "OK|");
    conflicts(a, x);
    is(A(XS_READ, x, "/c/v\0"), "ENOENT"); /* it is over all the same */

    x = start(a); /* written by both */
    is(A(XS_WRITE, x, "/c/v\0mine"), "OK|");
    is(B(XS_WRITE, 0, "/c/v\0b2"), "OK|");
    conflicts(a, x);
    is(A(XS_READ, 0, "/c/v\0"), "b2");

    x = start(a); /* listed, a child added */
    is(A(XS_DIRECTORY, x, "/c\0"), "v|");
    is(A(XS_WRITE, x, "/tool/mine\0m"), "OK|");
    is(B(XS_MKDIR, 0, "/c/w\0"), "OK|");
    conflicts(a, x);

    x = start(a); /* found missing, created */
    is(A(XS_READ, x, "/c/x\0"), "ENOENT");
    is(A(XS_WRITE, x, "/tool/mine\0m"), "OK|");
    is(B(XS_MKDIR, 0, "/c/x\0"), "OK|");
    conflicts(a, x);

    x = start(a); /* created by both */
    is(A(XS_WRITE, x, "/c/y\0mine"), "OK|");
    is(B(XS_WRITE, 0, "/c/y\0other"), "OK|");
    conflicts(a, x);

    x = start(a); /* the parent goes */
    is(A(XS_WRITE, x, "/c/z\0mine"), "OK|");
    is(B(XS_RM, 0, "/c\0"), "OK|");
    conflicts(a, x);

    is(A(XS_MKDIR, 0, "/c\0"), "OK|");
    x = start(a); /* permissions of what was read */
    is(A(XS_GET_PERMS, x, "/c\0"), "n0|");
    is(A(XS_WRITE, x, "/tool/mine\0m"), "OK|");
    is(B(XS_SET_PERMS, 0, "/c\0r0\0"), "OK|");
    conflicts(a, x);

    x = start(a); /* a parent's value, when a child is created */
    is(A(XS_MKDIR, x, "/c/k\0"), "OK|");
    is(B(XS_WRITE, 0, "/c\0value"), "OK|");
    conflicts(a, x);

    is(A(XS_WRITE, 0, "/c/sub/deep\0x"), "OK|");
    x = start(a); /* a change deep in what was removed */
    is(A(XS_RM, x, "/c\0"), "OK|");
    is(B(XS_WRITE, 0, "/c/sub/deep\0y"), "OK|");
    conflicts(a, x);
    is(A(XS_READ, 0, "/c/sub/deep\0"), "y");
}

static void test_no_conflict(void **state)
{
    uint32_t x, y;

    (void)state;
    is(A(XS_WRITE, 0, "/n/v\0old"), "OK|");

    x = start(a); /* elsewhere, and below what was read */
    is(A(XS_READ, x, "/n/v\0"), "old");
    is(A(XS_WRITE, x, "/n/mine\0m"), "OK|");
    is(B(XS_WRITE, 0, "/tool/other\0o"), "OK|");
    is(B(XS_WRITE, 0, "/n/v/below\0b"), "OK|");
    commits(a, x);

    x = start(a); /* two creations under one parent, in either order */
    y = start(b);
    is(A(XS_WRITE, x, "/n/a1\0a"), "OK|");
    is(B(XS_WRITE, y, "/n/b1\0b"), "OK|");
    commits(b, y);
    commits(a, x);
    is(A(XS_DIRECTORY, 0, "/n\0"), "v|mine|b1|a1|");

    x = start(a); /* both write the same */
    is(A(XS_WRITE, x, "/n/v\0same"), "OK|");
    is(B(XS_WRITE, 0, "/n/v\0same"), "OK|");
    commits(a, x);

    x = start(a); /* one removes a child, the other creates one */
    is(A(XS_RM, x, "/n/a1\0"), "OK|");
    is(B(XS_MKDIR, 0, "/n/c1\0"), "OK|");
    commits(a, x);
    is(A(XS_DIRECTORY, 0, "/n\0"), "v|mine|b1|c1|");
}

/* What only reads saw one version, whatever became of it meanwhile. */
static void test_only_reads(void **state)
{
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/o/v\0old"), "OK|");
    is(A(XS_WATCH, 0, "/o\0w\0"), "OK|");
    x = start(a);
    is(A(XS_READ, x, "/o/v\0"), "old");
    is(A(XS_DIRECTORY, x, "/o\0"), "v|");
    is(A(XS_GET_PERMS, x, "/o\0"), "n0|");
    is(A(XS_READ, x, "/o/none\0"), "ENOENT");
    is(A(XS_MKDIR, x, "/o/v\0"), "OK|");      /* is there already */
    is(A(XS_RM, x, "/o/none\0"), "OK|");      /* is not there anyway */
    is(A(XS_WRITE, x, "/o//v\0x"), "EINVAL"); /* was not done */
    is(B(XS_WRITE, 0, "/o/v\0new"), "OK|");
    is(B(XS_MKDIR, 0, "/o/none\0"), "OK|");
    is(B(XS_SET_PERMS, 0, "/o\0r0\0"), "OK|");
    (void)events(a);
    commits(a, x);
    is(events(a), "");
    is(A(XS_READ, 0, "/o/v\0"), "new");

    x = start(a);
    is(A(XS_READ, x, "/o/v\0"), "new");
    is(B(XS_RM, 0, "/o\0"), "OK|");
    commits(a, x);
    is(A(XS_READ, 0, "/o/v\0"), "ENOENT");

    x = start(a); /* what it wrote and took back is a change */
    is(A(XS_READ, x, "/tool\0"), "");
    is(A(XS_MKDIR, x, "/p\0"), "OK|");
    is(A(XS_RM, x, "/p\0"), "OK|");
    is(B(XS_WRITE, 0, "/tool\0new"), "OK|");
    conflicts(a, x);
}

/* The same changes, once swung and once replayed, give the same tree. */
static void test_replay(void **state)
{
    (void)state;
    for (int replay = 0; replay < 2; replay++) {
        uint32_t x;

        is(A(XS_RM, 0, "/r\0"), "OK|");
        is(A(XS_WRITE, 0, "/r/old/x\0001"), "OK|");
        is(A(XS_WRITE, 0, "/r/keep\0k"), "OK|");
        x = start(a);
        is(A(XS_WRITE, x, "/r/new\0n"), "OK|");
        is(A(XS_WRITE, x, "/r/old/y\0002"), "OK|");
        is(A(XS_RM, x, "/r/old\0"), "OK|");
        is(A(XS_MKDIR, x, "/r/last\0"), "OK|");
        is(A(XS_WRITE, x, "/r/old/z\0003"), "OK|");
        is(A(XS_RM, x, "/r/new\0"), "OK|");
        is(A(XS_WRITE, x, "/r/new/again\0n2"), "OK|");
        is(A(XS_SET_PERMS, x, "/r/keep\0r0\0"), "OK|");
        is(A(XS_WRITE, x, "/r/gone/for\0good"), "OK|");
        is(A(XS_RM, x, "/r/gone\0"), "OK|");
        if (replay)
            is(B(XS_WRITE, 0, "/vm/elsewhere\0x"), "OK|");
        commits(a, x);
        is(A(XS_DIRECTORY, 0, "/r\0"), "keep|last|old|new|");
        is(A(XS_DIRECTORY, 0, "/r/old\0"), "z|");
        is(A(XS_READ, 0, "/r/old/z\0"), "3");
        is(A(XS_READ, 0, "/r/new/again\0"), "n2");
        is(A(XS_READ, 0, "/r/new\0"), "");
        is(A(XS_READ, 0, "/r/keep\0"), "k");
        is(A(XS_GET_PERMS, 0, "/r/keep\0"), "r0|");
        assert_int_equal(session_check(&t), 0);
    }
}

static void test_events(void **state)
{
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/e/old/sub\0v"), "OK|");
    is(B(XS_WATCH, 0, "/e\0w\0"), "OK|");
    is(events(b), "/e:w");

    x = start(a);
    is(A(XS_WRITE, x, "/e/one\0001"), "OK|");
    is(A(XS_WRITE, x, "/e/two\0002"), "OK|");
    is(A(XS_WRITE, x, "/e/one\0003"), "OK|");
    is(A(XS_MKDIR, x, "/e/p/q\0"), "OK|");
    is(A(XS_WRITE, x, "/e/tmp\0x"), "OK|");
    is(A(XS_RM, x, "/e/tmp\0"), "OK|");
    is(A(XS_RM, x, "/e/old\0"), "OK|");
    is(events(b), ""); /* nothing before the commit */
    commits(a, x);
    is(events(b), "/e/one:w /e/two:w /e/p/q:w /e/old:w");

    x = start(a);
    is(A(XS_WRITE, x, "/e/one\0x"), "OK|");
    is(A(XS_TRANSACTION_END, x, "F\0"), "OK|");
    is(events(b), "");

    x = start(a);
    is(A(XS_WRITE, x, "/e/one\0x"), "OK|");
    is(B(XS_WRITE, 0, "/e/one\0y"), "OK|");
    is(events(b), "/e/one:w");
    conflicts(a, x);
    is(events(b), "");
}

/* What one reads is its own, and an abort forgets its counters too. */
static void test_accounts(void **state)
{
    struct client *g = session_guest(&t, a, 5);
    const struct domain *d = domain_find(t.s, 5);
    uint32_t x;

    (void)state;
    is(A(XS_MKDIR, 0, "/local/domain/5\0"), "OK|");
    is(A(XS_SET_PERMS, 0, "/local/domain/5\0n5\0"), "OK|");
    assert_int_equal(d->used[QUOTA_NODES], 1);
    x = start(g);
    is(ASK(&t, g, XS_WRITE, x, "a/b/c\0v"), "OK|");
    assert_int_equal(d->used[QUOTA_NODES], 1);
    is(ASK(&t, g, XS_RM, x, "a\0"), "OK|");
    is(ASK(&t, g, XS_WRITE, x, "d\0v"), "OK|");
    commits(g, x);
    assert_int_equal(d->used[QUOTA_NODES], 2);
    x = start(g);
    is(ASK(&t, g, XS_RM, x, "d\0"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, x, "F\0"), "OK|");
    assert_int_equal(d->used[QUOTA_NODES], 2);
    /* Removed inside and outside: counted once. */
    x = start(a);
    is(A(XS_RM, x, "/local/domain/5/d\0"), "OK|");
    is(B(XS_RM, 0, "/local/domain/5/d\0"), "OK|");
    conflicts(a, x);
    assert_int_equal(d->used[QUOTA_NODES], 1);
    client_free(&t, g);
}

/* The whole commit must fit, though every step did at its time. */
static void test_commit_quota(void **state)
{
    struct client *g = session_guest(&t, a, 5);
    uint32_t x;

    (void)state;
    is(A(XS_WRITE, 0, "/local/domain/5/h\0"), "OK|");
    is(A(XS_SET_PERMS, 0, "/local/domain/5\0n5\0"), "OK|");
    is(A(26, 0, "5\0nodes\0003\0"), "OK|");
    x = start(g);
    is(ASK(&t, g, XS_WRITE, x, "a\0"), "OK|");
    is(ASK(&t, g, XS_WRITE, x, "b\0"), "OK|");
    is(ASK(&t, g, XS_WRITE, 0, "e\0"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, x, "T\0"), "ENOSPC");
    is(ASK(&t, g, XS_DIRECTORY, 0, "/local/domain/5\0"), "h|e|");
    client_free(&t, g);
}

/* A domain dies while a transaction wants to give it nodes. */
static void test_owner_dies(void **state)
{
    uint32_t x;

    (void)state;
    session_boot(&t, 5, false);
    is(A(XS_WRITE, 0, "/o\0v"), "OK|");
    x = start(a);
    is(A(XS_SET_PERMS, x, "/o\0n5\0"), "OK|");
    session_kill(&t, 5);
    session_boot(&t, 5, false);
    conflicts(a, x);
    is(A(XS_GET_PERMS, 0, "/o\0"), "n0|");
}

static void test_reset(void **state)
{
    uint32_t x = start(a);

    (void)state;
    is(A(XS_WATCH, 0, "/tool\0t\0"), "OK|");
    is(A(XS_WRITE, x, "/tool\0x"), "OK|");
    is(A(XS_RESET_WATCHES, x, "\0"), "OK|");
    is(A(XS_TRANSACTION_END, x, "T\0"), "ENOENT");
    is(A(XS_UNWATCH, 0, "/tool\0t\0"), "ENOENT");
    is(A(XS_READ, 0, "/tool\0"), "");
    is(A(XS_RESET_WATCHES, 0, ""), "OK|");
}

/* Many nodes in one, with siblings that come from elsewhere meanwhile. */
static void test_large(void **state)
{
    char payload[64];
    uint32_t x = start(a);
    int n;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        n = snprintf(payload, sizeof(payload), "/vm/t%d%cx", i, 0);
        is(ask(&t, a, XS_WRITE, x, payload, (size_t)n), "OK|");
        n = snprintf(payload, sizeof(payload), "/vm/o%d%cx", i, 0);
        is(ask(&t, b, XS_WRITE, 0, payload, (size_t)n), "OK|");
    }
    commits(a, x);
    is(A(XS_READ, 0, "/vm/t2999\0"), "x");
    is(A(XS_READ, 0, "/vm/o0\0"), "x");
    assert_int_equal(node_stats.nodes, 6 + 6000);
}

/* Two who do the same to a node: it is accounted once. */
static void test_same_change_accounted_once(void **state)
{
    struct client *g = session_guest(&t, a, 5);
    struct client *h = session_guest(&t, a, 6);
    struct domain *five = t.s->domains[5], *six = t.s->domains[6];
    int64_t memory;

    (void)state;
    A(XS_WRITE, 0, "/x\0v");
    A(XS_SET_PERMS, 0, "/x\0n5\0");
    memory = five->used[QUOTA_MEMORY] + six->used[QUOTA_MEMORY];
    start(b);
    is(B(XS_WRITE, 1, "/x\0longer"), "OK|");
    is(B(XS_SET_PERMS, 1, "/x\0n6\0"), "OK|");
    A(XS_WRITE, 0, "/x\0longer");
    A(XS_SET_PERMS, 0, "/x\0n6\0");
    commits(b, 1);
    assert_int_equal(five->used[QUOTA_NODES], 0);
    assert_int_equal(six->used[QUOTA_NODES], 1);
    assert_int_equal(five->used[QUOTA_MEMORY] + six->used[QUOTA_MEMORY],
                     memory + 5);
    client_free(&t, g);
    client_free(&t, h);
}

/* What a guest was refused in a transaction, it would still be refused. */
static void test_refusals_are_reads(void **state)
{
    struct client *g = session_guest(&t, a, 5);
    uint32_t id;

    (void)state;
    A(XS_MKDIR, 0, "/g\0");
    A(XS_SET_PERMS, 0, "/g\0n5\0");
    id = start(g);
    is(ASK(&t, g, XS_WRITE, id, "/tool\0new"), "EACCES");
    is(ASK(&t, g, XS_WRITE, id, "/g\0one"), "OK|");
    A(XS_SET_PERMS, 0, "/tool\0w0\0");
    conflicts(g, id);
    id = start(g);
    is(ASK(&t, g, XS_MKDIR, id, "/vm/x\0"), "EACCES");
    is(ASK(&t, g, XS_WRITE, id, "/g\0two"), "OK|");
    A(XS_SET_PERMS, 0, "/vm\0w0\0");
    conflicts(g, id);
    id = start(g);
    is(ASK(&t, g, XS_READ, id, "/vm/a/b\0"), "EACCES");
    is(ASK(&t, g, XS_WRITE, id, "/g\0three"), "OK|");
    A(XS_MKDIR, 0, "/vm/a\0");
    A(XS_SET_PERMS, 0, "/vm/a\0r0\0");
    conflicts(g, id);
    client_free(&t, g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_same_change_accounted_once),
        T(test_refusals_are_reads),
        T(test_ids),
        T(test_isolation),
        T(test_snapshot),
        T(test_abort),
        T(test_conflicts),
        T(test_no_conflict),
        T(test_only_reads),
        T(test_replay),
        T(test_events),
        T(test_accounts),
        T(test_commit_quota),
        T(test_owner_dies),
        T(test_reset),
        T(test_large),
    };

    return cmocka_run_group_tests_name("transactions", tests, NULL, NULL);
}
