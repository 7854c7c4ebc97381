/*
 * What a guest may do, may see and may use; and what is left of it when it is
 * gone. Most tests are ways in which stores have failed.
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
static struct client *a, *g, *h; /* domain 0, guests 5 and 6 */

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define G(type, lit)  ASK(&t, g, type, 0, lit)
#define H(type, lit)  ASK(&t, h, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

static struct domain *dom(unsigned int domid)
{
    return domain_find(t.s, domid);
}

/* Two guests with homes, as a toolstack makes them. */
static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    g = session_guest(&t, a, 5);
    h = session_guest(&t, a, 6);
    if (!g || !h)
        return -1;
    is(A(XS_MKDIR, "/local/domain/5\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/5\0n5\0"), "OK|");
    is(A(XS_MKDIR, "/local/domain/6\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/6\0n6\0"), "OK|");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(session_check(&t), 0);
    session_kill(&t, 5);
    session_kill(&t, 6);
    assert_int_equal(session_check(&t), 0);
    assert_null(g->c);
    assert_null(h->c);
    client_free(&t, g);
    client_free(&t, h);
    client_free(&t, a);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(t.s->open_txns, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

static void test_rights(void **state)
{
    (void)state;
    is(G(XS_WRITE, "mine\0v"), "OK|");
    is(A(XS_GET_PERMS, "/local/domain/5/mine\0"), "n5|");
    is(H(XS_READ, "/local/domain/5/mine\0"), "EACCES");
    is(H(XS_WRITE, "/local/domain/5/mine\0x"), "EACCES");
    is(H(XS_DIRECTORY, "/local/domain/5\0"), "EACCES");
    is(H(XS_RM, "/local/domain/5/mine\0"), "EACCES");
    is(H(XS_MKDIR, "/local/domain/5/mine\0"), "EACCES");
    is(H(XS_GET_PERMS, "/local/domain/5/mine\0"), "EACCES");
    is(H(XS_SET_PERMS, "/local/domain/5/mine\0n6\0"), "EACCES");
    is(G(XS_SET_PERMS, "mine\0n5\0r6\0"), "OK|");
    is(H(XS_READ, "/local/domain/5/mine\0"), "v");
    is(H(XS_WRITE, "/local/domain/5/mine\0x"), "EACCES");
    is(G(XS_SET_PERMS, "mine\0n5\0w6\0"), "OK|");
    is(H(XS_READ, "/local/domain/5/mine\0"), "EACCES");
    is(H(XS_WRITE, "/local/domain/5/mine\0x"), "OK|");
    is(G(XS_SET_PERMS, "mine\0b5\0n6\0"), "OK|"); /* n overrides the default */
    is(H(XS_READ, "/local/domain/5/mine\0"), "EACCES");
    is(G(XS_SET_PERMS, "mine\0n6\0"), "EPERM"); /* an owner cannot give away */
    is(G(XS_SET_PERMS, "/tool\0n5\0"), "EACCES");
    is(G(XS_WRITE, "/tool/x\0v"), "EACCES");
    is(G(XS_RM, "/\0"), "EACCES");
}

/* What another may create in one's directory becomes his. */
static void test_inheritance(void **state)
{
    (void)state;
    is(G(XS_MKDIR, "open\0"), "OK|");
    is(G(XS_SET_PERMS, "open\0b5\0r6\0"), "OK|");
    is(H(XS_MKDIR, "/local/domain/5/open/his\0"), "EACCES");
    is(G(XS_SET_PERMS, "open\0n5\0b6\0"), "OK|");
    is(H(XS_MKDIR, "/local/domain/5/open/his\0"), "OK|");
    is(A(XS_GET_PERMS, "/local/domain/5/open/his\0"), "n6|b6|");
    assert_int_equal(dom(6)->used[QUOTA_NODES], 2);
    is(A(XS_MKDIR, "/local/domain/5/open/ours\0"), "OK|");
    is(A(XS_GET_PERMS, "/local/domain/5/open/ours\0"), "n5|b6|");
    /* Removing the directory removes what is not one's own too. */
    is(G(XS_RM, "open/his\0"), "EACCES");
    is(G(XS_RM, "open\0"), "OK|");
    assert_int_equal(dom(6)->used[QUOTA_NODES], 1);
}

/* Whether a node exists is not told to those who may not look. */
static void test_existence(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/secret/there\0v"), "OK|");
    is(G(XS_READ, "/secret/there\0"), "EACCES");
    is(G(XS_READ, "/secret/not\0"), "EACCES");
    is(G(XS_READ, "/secret/there/not\0"), "EACCES");
    is(G(XS_RM, "/secret/not\0"), "EACCES");
    is(G(XS_WRITE, "/secret/not\0x"), "EACCES");
    is(G(XS_DIRECTORY_PART, "/secret/not\0000\0"), "EACCES");
    is(G(XS_GET_PERMS, "/secret/not\0"), "EACCES");
    is(G(XS_SET_PERMS, "/secret/not\0n5\0"), "EACCES");
    is(A(XS_SET_PERMS, "/secret\0r0\0"), "OK|");
    is(G(XS_READ, "/secret/not\0"), "ENOENT");
    is(G(XS_READ, "/secret/there\0"), "EACCES");
}

static void test_privileged_requests(void **state)
{
    static const uint32_t types[] = { XS_CONTROL, XS_INTRODUCE,
                                      XS_RELEASE, XS_IS_DOMAIN_INTRODUCED,
                                      XS_RESUME,  XS_SET_TARGET,
                                      24,         25,
                                      26 };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        is(ask(&t, g, types[i], 0, "5\0005\0005\0", 6), "EACCES");
    is(G(23, ""), "15|");
    is(G(23, "\0"), "15|"); /* no domain */
    is(G(23, "5\0"), "EACCES");
    is(G(23, "6\0"), "EACCES");
    is(G(23, "5\0006\0"), "EACCES");
    is(G(XS_GET_DOMAIN_PATH, "6\0"), "/local/domain/6|");
    is(G(XS_GET_PERMS, "@introduceDomain\0"), "EACCES");
    is(G(XS_SET_PERMS, "@introduceDomain\0r5\0"), "EACCES");
    is(G(XS_GET_PERMS, "@releaseDomain\0"), "n0|r32757|");
    is(G(XS_SET_PERMS, "@releaseDomain\0r5\0"), "EACCES");
}

static void test_target(void **state)
{
    (void)state;
    is(G(XS_WRITE, "x\0v"), "OK|");
    is(H(XS_READ, "/local/domain/5/x\0"), "EACCES");
    is(A(XS_SET_TARGET, "6\0005\0"), "OK|");
    is(H(XS_READ, "/local/domain/5/x\0"), "v");
    is(H(XS_SET_PERMS, "/local/domain/5/x\0n5\0"), "OK|");
    is(H(XS_WRITE, "y\0v"), "OK|");
    is(G(XS_READ, "/local/domain/6/y\0"), "EACCES"); /* not the reverse */
}

/* ---- events ---- */

static void test_hidden_events(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/s/hidden\0v"), "OK|");
    is(A(XS_WRITE, "/s/shown\0v"), "OK|");
    is(A(XS_SET_PERMS, "/s/shown\0r0\0"), "OK|");
    is(G(XS_WATCH, "/\0all\0"), "OK|");
    is(G(XS_WATCH, "/s/hidden\0one\0"), "OK|");
    is(events(g), "/:all /s/hidden:one"); /* the initial ones say nothing */
    is(A(XS_WRITE, "/s/hidden\0w"), "OK|");
    is(events(g), "");
    is(A(XS_WRITE, "/s/shown\0w"), "OK|");
    is(events(g), "/s/shown:all");
    is(A(XS_WRITE, "/s/shown/sub\0w"), "OK|"); /* it inherits */
    is(events(g), "/s/shown/sub:all");
    is(A(XS_SET_PERMS, "/s/shown/sub\0n0\0"), "OK|"); /* by the old ones */
    is(events(g), "/s/shown/sub:all");
    is(A(XS_WRITE, "/s/shown/sub\0x"), "OK|"); /* the parent is readable */
    is(events(g), "/s/shown/sub:all");
    is(A(XS_SET_PERMS, "/s/hidden\0r0\0"), "OK|"); /* by the old ones */
    is(events(g), "");
    is(A(XS_RM, "/s/hidden\0"), "OK|"); /* judged before it goes */
    is(events(g), "/s/hidden:all /s/hidden:one");
    is(A(XS_RM, "/s\0"), "OK|");
    is(events(g), "");
}

/* The same in a transaction, whose working tree says something else. */
static void test_hidden_events_txn(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/s/hidden\0v"), "OK|");
    is(G(XS_WATCH, "/\0all\0"), "OK|");
    is(events(g), "/:all");
    is(A(XS_TRANSACTION_START, ""), "1|");
    is(ASK(&t, a, XS_SET_PERMS, 1, "/s/hidden\0r0\0"), "OK|");
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "T\0"), "OK|");
    is(events(g), "");
    is(A(XS_TRANSACTION_START, ""), "2|");
    is(ASK(&t, a, XS_SET_PERMS, 2, "/s/hidden\0n0\0"), "OK|");
    is(ASK(&t, a, XS_RM, 2, "/s/hidden\0"), "OK|");
    is(ASK(&t, a, XS_TRANSACTION_END, 2, "T\0"), "OK|");
    is(events(g), "/s/hidden:all");
}

static void test_special_events(void **state)
{
    (void)state;
    is(G(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    is(G(XS_WATCH, "@introduceDomain\0i\0"), "OK|");
    is(events(g), "@releaseDomain:r @introduceDomain:i");
    client_free(&t, session_guest(&t, a, 7)); /* that it dies is for all */
    session_kill(&t, 7);
    is(events(g), "@releaseDomain:r");
    is(A(XS_SET_PERMS, "@releaseDomain\0n0\0r6\0"), "OK|");
    client_free(&t, session_guest(&t, a, 7));
    session_kill(&t, 7);
    is(events(g), "");
    is(A(XS_SET_PERMS, "@introduceDomain\0n0\0r5\0"), "OK|");
    client_free(&t, session_guest(&t, a, 7));
    session_kill(&t, 7);
    is(events(g), "@introduceDomain:i");
}

/* A watch's relative form is of the watcher, not of the writer. */
static void test_relative_watch(void **state)
{
    (void)state;
    is(G(XS_WATCH, "device\0d\0"), "OK|");
    is(A(XS_WRITE, "/local/domain/5/device/vbd\0v"), "OK|");
    is(events(g), "device:d device/vbd:d");
}

/* ---- quotas ---- */

static void test_node_quota(void **state)
{
    char payload[64];
    int n;

    (void)state;
    is(A(26, "5\0node-size\0000\0"), "OK|"); /* else the home is full first */
    for (int i = 1; i < 1000; i++) {
        n = snprintf(payload, sizeof(payload), "n%d%cv", i, 0);
        is(ask(&t, g, XS_WRITE, 0, payload, (size_t)n), "OK|");
    }
    is(G(XS_WRITE, "more\0v"), "ENOSPC");
    is(G(XS_MKDIR, "more\0"), "ENOSPC");
    is(G(XS_WRITE, "n1/deep/er\0v"), "ENOSPC");
    is(G(XS_WRITE, "n1\0other"), "OK|");
    is(A(26, "5\0nodes\00010\0"), "OK|");
    is(G(XS_WRITE, "n1\0longer than before"), "OK|"); /* no new node */
    is(A(26, "5\0nodes\0001000\0"), "OK|");
    is(G(XS_SET_PERMS, "n1\0n5\0"), "OK|"); /* must not lose the count */
    is(G(XS_WRITE, "more\0v"), "ENOSPC");
    is(A(XS_WRITE, "/local/domain/5/more\0v"), "OK|"); /* domain 0 may */
    is(G(XS_RM, "n1\0"), "OK|");
    is(G(XS_WRITE, "again\0v"), "ENOSPC");
    is(G(XS_RM, "n2\0"), "OK|");
    is(G(XS_WRITE, "again\0v"), "OK|");
    is(H(XS_WRITE, "x\0v"), "OK|"); /* the other has his own */
    is(A(XS_SET_PERMS, "/local/domain/5/again\0n6\0"), "OK|");
    assert_int_equal(dom(6)->used[QUOTA_NODES], 3);
    assert_int_equal(dom(5)->used[QUOTA_NODES], 999);
}

static void test_size_quotas(void **state)
{
    static char payload[4096];

    (void)state;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "big", 4);
    is(ask(&t, g, XS_WRITE, 0, payload, 4 + 2040), "OK|");
    is(ask(&t, g, XS_WRITE, 0, payload, 4 + 2041), "ENOSPC");
    is(A(26, "5\0node-size\0000\0"), "OK|");
    is(ask(&t, g, XS_WRITE, 0, payload, 4 + 4000), "OK|");
    is(G(XS_SET_PERMS, "big\0n5\0r1\0r2\0r3\0r4\0"), "OK|");
    is(G(XS_SET_PERMS, "big\0n5\0r1\0r2\0r3\0r4\0r6\0"), "ENOSPC");
    is(A(XS_SET_PERMS, "/local/domain/5/big\0n5\0r1\0r2\0r3\0r4\0r6\0"), "OK|");
    is(A(26, "5\0path-max\00010\0"), "OK|");
    is(G(XS_WRITE, "tencharact\0v"), "OK|");
    is(G(XS_WRITE, "elevencharac\0v"), "EINVAL");
    is(G(XS_WATCH, "elevencharac\0v\0"), "EINVAL");
}

/* The child list is part of a directory's size. */
static void test_child_list_quota(void **state)
{
    char payload[256];
    int n = 0, made = 0;
    const char *s = "OK|";

    (void)state;
    is(G(XS_MKDIR, "dir\0"), "OK|");
    for (; !strcmp(s, "OK|") && made < 100; made++) {
        n = snprintf(payload, sizeof(payload), "dir/%0127d", made);
        s = ask(&t, g, XS_MKDIR, 0, payload, (size_t)n + 1);
    }
    is(s, "ENOSPC");
    assert_int_equal(made, 2040 / 128 + 1);
}

static void test_watch_quota(void **state)
{
    char payload[64];
    int n;

    (void)state;
    for (int i = 0; i < 128; i++) {
        n = snprintf(payload, sizeof(payload), "w%d%ct", i, 0);
        is(ask(&t, g, XS_WATCH, 0, payload, (size_t)n + 1), "OK|");
    }
    is(G(XS_WATCH, "more\0t\0"), "ENOSPC");
    is(G(XS_UNWATCH, "w7\0t\0"), "OK|");
    is(G(XS_WATCH, "more\0t\0"), "OK|");
    is(G(XS_RESET_WATCHES, "\0"), "OK|");
    assert_int_equal(dom(5)->used[QUOTA_WATCHES], 0);
}

static void test_txn_quotas(void **state)
{
    char payload[64];
    int n, i;

    (void)state;
    for (i = 1; i <= 10; i++)
        assert_int_equal(atoi(G(XS_TRANSACTION_START, "")), i);
    is(G(XS_TRANSACTION_START, ""), "ENOSPC");
    for (i = 0; i < 1023; i++) { /* and the directory */
        n = snprintf(payload, sizeof(payload), "r%d", i);
        is(ask(&t, g, XS_READ, 1, payload, (size_t)n + 1), "ENOENT");
    }
    is(ASK(&t, g, XS_READ, 1, "more\0"), "ENOSPC");
    is(ASK(&t, g, XS_WRITE, 1, "more\0v"), "ENOSPC");
    is(ASK(&t, g, XS_READ, 1, "r7\0"), "ENOENT");
    is(ASK(&t, g, XS_TRANSACTION_END, 1, "T\0"), "ENOMEM");
    is(ASK(&t, g, XS_WRITE, 2, "r7\0v"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, 2, "T\0"), "OK|");
    is(G(XS_TRANSACTION_START, ""), "11|");
}

/*
 * What a quota refuses inside a transaction is not done, and the rest of the
 * transaction is committed.
 */
static void test_refused_in_txn(void **state)
{
    static char big[4096] = "big";

    (void)state;
    is(G(XS_WRITE, "n\0v"), "OK|");
    is(A(26, "5\0nodes\0004\0"), "OK|");
    is(G(XS_TRANSACTION_START, ""), "1|");
    is(ASK(&t, g, XS_WRITE, 1, "one\0v"), "OK|");
    is(ASK(&t, g, XS_WRITE, 1, "a/b/c\0v"), "ENOSPC");
    is(ASK(&t, g, XS_MKDIR, 1, "two\0"), "OK|");
    is(ASK(&t, g, XS_MKDIR, 1, "three\0"), "ENOSPC");
    is(ASK(&t, g, XS_READ, 1, "a\0"), "ENOENT");
    is(ASK(&t, g, XS_TRANSACTION_END, 1, "T\0"), "OK|");
    is(G(XS_DIRECTORY, "/local/domain/5\0"), "n|one|two|");
    assert_int_equal(dom(5)->used[QUOTA_NODES], 4);

    is(G(XS_TRANSACTION_START, ""), "2|"); /* others' changes meanwhile */
    is(ASK(&t, g, XS_RM, 2, "two\0"), "OK|");
    is(ASK(&t, g, XS_WRITE, 2, "x/y\0v"), "ENOSPC");
    memset(big + 4, 'x', sizeof(big) - 4);
    is(ask(&t, g, XS_WRITE, 2, big, 4 + 2041), "ENOSPC");
    is(ASK(&t, g, XS_SET_PERMS, 2, "n\0n5\0r1\0r2\0r3\0r4\0r6\0"), "ENOSPC");
    is(ASK(&t, g, XS_WRITE, 2, "n\0w"), "OK|");
    is(A(XS_WRITE, "/vm/elsewhere\0v"), "OK|");
    is(ASK(&t, g, XS_TRANSACTION_END, 2, "T\0"), "OK|");
    is(G(XS_DIRECTORY, "/local/domain/5\0"), "n|one|");
    is(G(XS_READ, "n\0"), "w");
    is(G(XS_GET_PERMS, "n\0"), "n5|");
    assert_int_equal(dom(5)->used[QUOTA_NODES], 3);

    is(G(XS_TRANSACTION_START, ""), "3|"); /* refused, and nothing else */
    is(ASK(&t, g, XS_WRITE, 3, "x/y\0v"), "ENOSPC");
    is(ASK(&t, g, XS_TRANSACTION_END, 3, "T\0"), "OK|");
}

/* A guest that does not read its replies is not served any more. */
static void test_outstanding(void **state)
{
    struct message m;
    int replies = 0;

    (void)state;
    g->blocked = true;
    for (int i = 0; i < 100; i++)
        client_post(&t, g, XS_READ, 0, "/tool", 6);
    session_run(&t);
    assert_int_equal(g->c->out.replies, 20);
    assert_int_equal(dom(5)->used[QUOTA_OUTSTANDING], 20);
    is(H(XS_WRITE, "x\0v"), "OK|");
    g->blocked = false;
    conn_dirty(g->c);
    session_run(&t);
    while (client_reply(g, &m))
        replies++;
    assert_int_equal(replies, 100);
    assert_int_equal(dom(5)->used[QUOTA_OUTSTANDING], 0);
}

/* Unread events stop at the memory limit. */
static void test_unread_events(void **state)
{
    static char payload[3100];

    (void)state;
    is(A(XS_SET_PERMS, "/vm\0r0\0"), "OK|");
    is(G(XS_WATCH, "/vm\0t\0"), "OK|");
    is(events(g), "/vm:t");
    g->blocked = true;
    memset(payload, 'x', sizeof(payload));
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(payload, sizeof(payload), "/vm/%d", i);

        payload[n] = 'x';
        payload[2900] = '\0';
        is(ask(&t, a, XS_WRITE, 0, payload, 2901), "OK|");
    }
    assert_true(dom(5)->used[QUOTA_MEMORY] < 6 * 1024 * 1024);
    session_sleep(&t, 19000);
    assert_in_range(g->c->out.events, 100, 3000);
    session_sleep(&t, 2000);
    assert_int_equal(g->c->out.events, 0);
    assert_true(dom(5)->used[QUOTA_MEMORY] < 128 * 1024);
}

/*
 * A guest that was paused misses the events that are older than 20 s, and
 * nothing else: its connection lives, replies and later events are there.
 */
static void test_events_expire(void **state)
{
    struct message m;

    (void)state;
    is(A(XS_SET_PERMS, "/vm\0r0\0"), "OK|");
    is(G(XS_WATCH, "/vm\0t\0"), "OK|");
    is(events(g), "/vm:t");
    g->blocked = true;
    is(A(XS_WRITE, "/vm/early\0v"), "OK|");
    client_post(&t, g, XS_READ, 0, "/vm/early\0", 10);
    is(A(XS_WRITE, "/vm/second\0v"), "OK|");
    session_sleep(&t, 10000);
    is(A(XS_WRITE, "/vm/late\0v"), "OK|");
    session_sleep(&t, 9000);
    assert_int_equal(g->c->out.events, 3);
    session_sleep(&t, 2000);
    assert_int_equal(g->c->out.events, 1);
    is(A(XS_WRITE, "/vm/late\0w"), "OK|"); /* waits already */
    is(A(XS_WRITE, "/vm/early\0w"), "OK|");
    assert_int_equal(g->c->out.events, 2);
    assert_int_equal(g->violations, 0);
    g->blocked = false;
    conn_dirty(g->c);
    session_run(&t);
    assert_true(client_reply(g, &m));
    is(m.data, "v");
    is(events(g), "/vm/late:t /vm/early:t");
    is(G(XS_READ, "/vm/early\0"), "w");
    is(A(XS_WRITE, "/vm/new\0v"), "OK|");
    is(events(g), "/vm/new:t");
}

/* Many who left events unread: each loses them, however they are looked at. */
static void test_events_of_many_expire(void **state)
{
    struct client *d[20];

    (void)state;
    is(A(XS_SET_PERMS, "/vm\0r0\0"), "OK|");
    for (unsigned int i = 0; i < 20; i++) {
        d[i] = session_guest(&t, a, 20 + i);
        is(ASK(&t, d[i], XS_WATCH, 0, "/vm\0t\0"), "OK|");
        is(events(d[i]), "/vm:t");
        d[i]->blocked = true;
    }
    is(A(XS_WRITE, "/vm/x\0v"), "OK|");
    session_sleep(&t, EVENT_TIMEOUT_MS);
    for (int i = 0; i < 40; i++)
        session_sleep(&t, 1);
    for (unsigned int i = 0; i < 20; i++) {
        assert_int_equal(d[i]->c->out.events, 0);
        session_kill(&t, 20 + i);
        client_free(&t, d[i]);
    }
}

/* The line of a quota in the answer of "quota max", or -1. */
static int most(const char *payload, size_t len, const char *name)
{
    const char *s = ask(&t, a, XS_CONTROL, 0, payload, len);
    char line[32];

    snprintf(line, sizeof(line), "%-17s: ", name);
    s = strstr(s, line);
    return s ? atoi(s + strlen(line)) : -1;
}

#define MOST(name)  most("quota\0max", 10, name)
#define RESET(name) most("quota\0max\0-r", 13, name)

/* CONTROL quota max: what any guest used at most, also one that is gone. */
static void test_peaks(void **state)
{
    struct client *d;

    (void)state;
    is(A(XS_WATCH, "/w\0t\0"), "OK|"); /* domain 0 does not count */
    is(A(XS_TRANSACTION_START, ""), "1|");
    assert_int_equal(RESET("nodes"), 1);
    assert_int_equal(MOST("watches"), 0);
    assert_int_equal(MOST("transactions"), 0);
    d = session_guest(&t, a, 9);
    is(A(XS_MKDIR, "/local/domain/9\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/9\0n9\0"), "OK|");
    is(ASK(&t, d, XS_WRITE, 0, "a/b\0twelve bytes"), "OK|");
    is(ASK(&t, d, XS_WATCH, 0, "a\0t\0"), "OK|");
    is(ASK(&t, d, XS_TRANSACTION_START, 0, ""), "1|");
    is(ASK(&t, d, XS_WRITE, 1, "a/c\0v"), "OK|");
    is(ASK(&t, d, XS_SET_PERMS, 0, "a\0n9\0r5\0r6\0"), "OK|");
    session_kill(&t, 9);
    client_free(&t, d);
    is(G(XS_WATCH, "w\0t\0"), "OK|");
    is(G(XS_WATCH, "w\0u\0"), "OK|");
    assert_int_equal(MOST("nodes"), 3);
    assert_int_equal(MOST("watches"), 2);
    assert_int_equal(MOST("transactions"), 1);
    assert_int_equal(MOST("transaction-nodes"), 2); /* the node, its parent */
    assert_int_equal(MOST("node-size"), 3 * 8 + 2); /* of a, with b */
    assert_int_equal(MOST("node-permissions"), 3);
    assert_int_equal(MOST("path-max"), 3);
    assert_int_equal(MOST("outstanding"), 1);
    assert_in_range(MOST("memory"), 100, 100000);
    assert_int_equal(MOST("soft-memory"), -1);
    assert_int_equal(RESET("nodes"), 1); /* homes of those who live */
    assert_int_equal(MOST("watches"), 2);
    assert_int_equal(MOST("node-size"), 0);
    is(A(XS_CONTROL, "quota\0max\0-x\0"), "EINVAL");
    is(A(XS_CONTROL, "quota\0max\0-r\0-r\0"), "EINVAL");
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "F\0"), "OK|");
}

/* Over its memory by no deed of its own, a guest can still free some. */
static void test_over_memory(void **state)
{
    (void)state;
    is(G(XS_WRITE, "x\0v"), "OK|");
    is(G(XS_WATCH, "w\0t\0"), "OK|");
    is(A(26, "5\0memory\000100\0"), "OK|");
    is(G(XS_READ, "x\0"), "v");
    is(G(XS_WRITE, "y\0v"), "ENOSPC");
    is(G(XS_WRITE, "x\0longer"), "ENOSPC");
    is(G(XS_WATCH, "v\0t\0"), "ENOSPC");
    is(G(XS_TRANSACTION_START, "\0"), "ENOSPC");
    is(G(XS_RM, "x\0"), "OK|");
    is(G(XS_UNWATCH, "w\0t\0"), "OK|");
    is(A(26, "5\0memory\0000\0"), "OK|");
    is(G(XS_WRITE, "y\0v"), "OK|");
}

/* ---- writing while others have transactions ---- */

static void test_write_rate(void **state)
{
    struct message m;
    int replies = 0;

    (void)state;
    for (int i = 0; i < 50; i++)
        is(G(XS_WRITE, "x\0v"), "OK|"); /* nobody minds */
    is(A(XS_TRANSACTION_START, ""), "1|");
    for (int i = 0; i < 30; i++)
        client_post(&t, g, XS_WRITE, 0, "x\0v", 3);
    session_run(&t);
    while (client_reply(g, &m))
        replies++;
    assert_int_equal(replies, 10);
    is(H(XS_READ, "y\0"), "ENOENT"); /* others go on */
    for (int i = 0; i < 10; i++)
        session_sleep(&t, 5);
    while (client_reply(g, &m))
        replies++;
    assert_in_range(replies, 18, 22); /* 50 ms at 200 a second */
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "F\0"), "OK|");
    session_sleep(&t, 5);
    while (client_reply(g, &m))
        replies++;
    assert_int_equal(replies, 30);
}

/* Posts writes as fast as they are served; how many are in `ms`. */
static int writes_in(unsigned int ms)
{
    struct message m;
    int posted = 0, replies = 0;

    for (unsigned int i = 0; i < ms; i++) {
        for (; posted - replies < 5; posted++)
            client_post(&t, g, XS_WRITE, 0, "x\0v", 3);
        session_sleep(&t, 1);
        while (client_reply(g, &m))
            replies++;
    }
    return replies;
}

/* Those who wrote once, and are silent since, have no share of the budget. */
static void test_silent_writers(void **state)
{
    struct client *d[40];

    (void)state;
    is(A(XS_TRANSACTION_START, ""), "1|");
    for (unsigned int i = 0; i < 40; i++) {
        d[i] = session_guest(&t, a, 20 + i);
        is(A(XS_WRITE, "/one\0v"), "OK|");
        is(A(XS_SET_PERMS, "/one\0b0\0"), "OK|");
        is(ASK(&t, d[i], XS_WRITE, 0, "/one\0w"), "OK|");
    }
    (void)writes_in(1000);
    assert_in_range(writes_in(1000), 195, 205);
    for (unsigned int i = 0; i < 40; i++) {
        session_kill(&t, 20 + i);
        client_free(&t, d[i]);
    }
    assert_in_range(writes_in(1000), 195, 205);
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "F\0"), "OK|");
    session_sleep(&t, 100);
    (void)events(g);
}

/* And those who do write share it. */
static void test_writers_share(void **state)
{
    struct message m;
    int mine = 0, his = 0, posted[2] = { 0 };

    (void)state;
    is(A(XS_TRANSACTION_START, ""), "1|");
    for (int i = 0; i < 2000; i++) {
        for (; posted[0] - mine < 5; posted[0]++)
            client_post(&t, g, XS_WRITE, 0, "x\0v", 3);
        for (; posted[1] - his < 5; posted[1]++)
            client_post(&t, h, XS_WRITE, 0, "x\0v", 3);
        session_sleep(&t, 1);
        while (client_reply(g, &m))
            mine++;
        while (client_reply(h, &m))
            his++;
    }
    assert_in_range(mine, 200, 215); /* bursts, and 100 a second each */
    assert_in_range(his, 200, 215);
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "F\0"), "OK|");
    session_sleep(&t, 100);
}

/* ---- death ---- */

static void test_death(void **state)
{
    struct client *d = session_guest(&t, a, 9);

    (void)state;
    is(A(XS_MKDIR, "/local/domain/9\0"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/9\0n9\0"), "OK|");
    is(ASK(&t, d, XS_WRITE, 0, "a/b/c\0v"), "OK|");
    is(ASK(&t, d, XS_WATCH, 0, "a\0t\0"), "OK|");
    is(ASK(&t, d, XS_TRANSACTION_START, 0, ""), "1|");
    is(G(XS_WRITE, "shared\0v"), "OK|");
    is(G(XS_SET_PERMS, "shared\0n5\0r9\0b6\0"), "OK|");
    is(A(XS_WRITE, "/local/domain/9/a/zero\0v"), "OK|");
    is(A(XS_SET_PERMS, "/local/domain/9/a/zero\0n0\0"), "OK|");
    is(A(XS_SET_PERMS, "@releaseDomain\0n0\0r9\0"), "OK|");
    is(A(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    (void)events(a);
    session_kill(&t, 9);
    assert_null(d->c);
    client_free(&t, d);
    is(events(a), "@releaseDomain:r");
    is(A(XS_DIRECTORY, "/local/domain\0"), "5|6|");
    is(A(XS_GET_PERMS, "/local/domain/5/shared\0"), "n5|b6|");
    is(A(XS_GET_PERMS, "@releaseDomain\0"), "n0|");
    assert_int_equal(t.s->watches.count, 1);
    assert_int_equal(t.s->open_txns, 0);
    assert_null(dom(9));
}

/* An old permission does not serve a new domain with the same number. */
static void test_reuse(void **state)
{
    struct client *d;

    (void)state;
    is(G(XS_WRITE, "early\0v"), "OK|");
    is(G(XS_SET_PERMS, "early\0n5\0r9\0"), "OK|"); /* there is no 9 yet */
    d = session_guest(&t, a, 9);
    is(ASK(&t, d, XS_READ, 0, "/local/domain/5/early\0"), "EACCES");
    is(G(XS_WRITE, "late\0v"), "OK|");
    is(G(XS_SET_PERMS, "late\0n5\0r9\0"), "OK|");
    is(ASK(&t, d, XS_READ, 0, "/local/domain/5/late\0"), "v");
    /* It is replaced between two looks at the hypervisor. */
    session_boot(&t, 9, false);
    domain_check_all(t.s);
    session_run(&t);
    assert_null(d->c);
    client_free(&t, d);
    is(A(XS_INTRODUCE, "9\0001\0001\0"), "OK|");
    d = t.dom[9].client;
    is(ASK(&t, d, XS_READ, 0, "/local/domain/5/late\0"), "EACCES");
    is(A(XS_GET_PERMS, "/local/domain/5/late\0"), "n5|");
    /* And INTRODUCE itself notices. */
    is(G(XS_SET_PERMS, "late\0n5\0r9\0"), "OK|");
    session_boot(&t, 9, false);
    is(A(XS_INTRODUCE, "9\0001\0001\0"), "OK|");
    assert_null(d->c);
    client_free(&t, d);
    d = t.dom[9].client;
    is(ASK(&t, d, XS_READ, 0, "/local/domain/5/late\0"), "EACCES");
    session_kill(&t, 9);
    client_free(&t, d);
}

/* RELEASE does what death does; the root is nobody's to take along. */
static void test_release(void **state)
{
    struct client *d = session_guest(&t, a, 9);

    (void)state;
    is(A(XS_SET_PERMS, "/\0r9\0"), "OK|");
    is(ASK(&t, d, XS_WRITE, 0, "/top\0v"), "OK|");
    is(A(XS_RELEASE, "9\0"), "OK|");
    client_free(&t, d);
    is(A(XS_GET_PERMS, "/\0"), "r0|");
    is(A(XS_DIRECTORY, "/\0"), "tool|local|vm|");
    is(A(XS_READ, "/top\0"), "ENOENT");
}

/* Many die while others watch, list and hold versions of the tree. */
static void test_many_deaths(void **state)
{
    struct client *d[20];
    char payload[64];
    int n;

    (void)state;
    is(A(XS_TRANSACTION_START, ""), "1|");
    for (unsigned int i = 0; i < 20; i++) {
        d[i] = session_guest(&t, a, 20 + i);
        n = snprintf(payload, sizeof(payload), "/local/domain/%u%cn%u", 20 + i,
                     0, 20 + i);
        is(ask(&t, a, XS_WRITE, 0, payload, (size_t)n + 1), "OK|");
        is(ask(&t, a, XS_SET_PERMS, 0, payload, (size_t)n + 1), "OK|");
        is(ASK(&t, d[i], XS_WRITE, 0, "a/b\0v"), "OK|");
        is(ASK(&t, d[i], XS_WATCH, 0, "@releaseDomain\0t\0"), "OK|");
        is(ASK(&t, d[i], XS_TRANSACTION_START, 0, ""), "1|");
        t.dom[20 + i].exists = i % 2;
    }
    domain_check_all(t.s);
    session_run(&t);
    assert_int_equal(session_check(&t), 0);
    for (unsigned int i = 0; i < 20; i++) {
        assert_int_equal(d[i]->c != NULL, i % 2);
        session_kill(&t, 20 + i);
        client_free(&t, d[i]);
    }
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "T\0"), "OK|");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_rights),
        T(test_inheritance),
        T(test_existence),
        T(test_privileged_requests),
        T(test_target),
        T(test_hidden_events),
        T(test_hidden_events_txn),
        T(test_special_events),
        T(test_relative_watch),
        T(test_node_quota),
        T(test_size_quotas),
        T(test_child_list_quota),
        T(test_watch_quota),
        T(test_txn_quotas),
        T(test_refused_in_txn),
        T(test_outstanding),
        T(test_unread_events),
        T(test_events_expire),
        T(test_events_of_many_expire),
        T(test_peaks),
        T(test_over_memory),
        T(test_write_rate),
        T(test_silent_writers),
        T(test_writers_share),
        T(test_death),
        T(test_reuse),
        T(test_release),
        T(test_many_deaths),
    };

    return cmocka_run_group_tests_name("guests", tests, NULL, NULL);
}
