/* Watches: which events come, in which form, and which do not. */
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
static struct client *a, *w;

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define W(type, lit)  ASK(&t, w, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

static int setup(void **state)
{
    (void)state;
    if (!session_new(&t))
        return -1;
    a = client_new(&t);
    w = client_new(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_free(&t, a);
    client_free(&t, w);
    assert_int_equal(t.s->watches.count, 0);
    assert_int_equal(t.s->watches.nodes, 0);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return 0;
}

static void test_args(void **state)
{
    struct message m;

    (void)state;
    is(W(XS_WATCH, "/no/such\0t\0"), "OK|");
    is(events(w), "/no/such:t");
    is(W(XS_WATCH, "/no/such\0t\0"), "EEXIST");
    is(W(XS_WATCH, "/no/such\0u\0"), "OK|");
    is(W(XS_WATCH, "/no/such\0"), "EINVAL");
    is(W(XS_WATCH, "/no/such\0t"), "EINVAL");
    is(W(XS_WATCH, "/a\0t\0001\0x\0"), "EINVAL");
    is(W(XS_WATCH, "/a\0t\0x\0"), "EINVAL");
    is(W(XS_WATCH, "/a/\0t\0"), "EINVAL");
    is(W(XS_WATCH, "/a\0\0"), "OK|"); /* an empty token */
    is(W(XS_UNWATCH, "/no/such\0x\0"), "ENOENT");
    is(W(XS_UNWATCH, "/no\0t\0"), "ENOENT");
    is(W(XS_UNWATCH, "/no/such\0t\0"), "OK|");
    is(W(XS_UNWATCH, "/no/such\0t\0"), "ENOENT");
    is(A(XS_UNWATCH, "/no/such\0u\0"), "ENOENT"); /* it is w's */
    is(W(XS_WATCH, "@releaseDomain\0t\0"), "OK|");
    is(W(XS_WATCH, "@whatever\0t\0"), "OK|");
    is(events(w), "/no/such:u /a: @releaseDomain:t @whatever:t");
    /* The acknowledgement comes before the event. */
    client_post(&t, w, XS_WATCH, 0, "/x\0y", 5);
    session_run(&t);
    memcpy(&m.hdr, w->got + w->got_at, sizeof(m.hdr));
    assert_int_equal(m.hdr.type, XS_WATCH);
}

static void test_changes(void **state)
{
    (void)state;
    is(W(XS_WATCH, "/w\0t\0"), "OK|");
    is(events(w), "/w:t");
    is(A(XS_WRITE, "/w\0001"), "OK|");
    is(events(w), "/w:t");
    is(A(XS_WRITE, "/w\0001"), "OK|"); /* the same value */
    is(events(w), "/w:t");
    is(A(XS_MKDIR, "/w\0"), "OK|"); /* it exists */
    is(events(w), "");
    is(A(XS_WRITE, "/w/a/b/c\0v"), "OK|"); /* parents: no event */
    is(events(w), "/w/a/b/c:t");
    is(A(XS_MKDIR, "/w/d\0"), "OK|");
    is(events(w), "/w/d:t");
    is(A(XS_SET_PERMS, "/w/d\0n0\0"), "OK|"); /* unchanged */
    is(events(w), "/w/d:t");
    is(A(XS_WRITE, "/wx\0v"), "OK|");
    is(A(XS_WRITE, "/v/w\0v"), "OK|");
    is(events(w), "");
    is(A(XS_RM, "/w/d\0"), "OK|");
    is(events(w), "/w/d:t");
    is(A(XS_RM, "/w/d\0"), "OK|"); /* it was gone */
    is(events(w), "");
    is(W(XS_WRITE, "/w/own\0x"), "OK|"); /* from oneself */
    is(events(w), "/w/own:t");
    is(A(XS_READ, "/w/own\0"), "x");
    is(events(w), "");
}

static void test_rm(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/r/s/t/u\0v"), "OK|");
    is(W(XS_WATCH, "/r\0above\0"), "OK|");
    is(W(XS_WATCH, "/r/s\0root\0"), "OK|");
    is(W(XS_WATCH, "/r/s/t/u\0below\0"), "OK|");
    is(W(XS_WATCH, "/r/s/no\0never\0"), "OK|");
    is(W(XS_WATCH, "/r/s/no/t\0never\0"), "OK|");
    is(W(XS_WATCH, "/r/s/t/u/no\0never\0"), "OK|");
    (void)events(w);
    is(A(XS_RM, "/r/s\0"), "OK|");
    is(events(w), "/r/s/t/u:below /r/s:above /r/s:root");
}

static void test_root(void **state)
{
    (void)state;
    is(W(XS_WATCH, "/\0all\0"), "OK|");
    is(events(w), "/:all");
    is(A(XS_WRITE, "/x/y\0v"), "OK|");
    is(events(w), "/x/y:all");
    is(A(XS_WRITE, "/\0v"), "OK|");
    is(events(w), "/:all");
    session_boot(&t, 3, false);
    is(A(XS_INTRODUCE, "3\0001\0001\0"), "OK|");
    is(events(w), ""); /* special nodes are not in the tree */
    client_free(&t, t.dom[3].client);
}

static void test_relative(void **state)
{
    (void)state;
    is(W(XS_WATCH, "dev\0rel\0"), "OK|");
    is(W(XS_WATCH, "/local/domain/0/dev\0abs\0"), "OK|");
    is(W(XS_WATCH, "/local/domain/0/dev\0rel\0"), "EEXIST");
    is(events(w), "dev:rel /local/domain/0/dev:abs");
    is(A(XS_WRITE, "dev/x\0v"), "OK|");
    is(events(w), "dev/x:rel /local/domain/0/dev/x:abs");
    is(A(XS_RM, "/local/domain/0\0"), "OK|");
    is(events(w), "dev:rel /local/domain/0/dev:abs");
    is(W(XS_UNWATCH, "/local/domain/0/dev\0rel\0"), "OK|");
}

static void test_depth(void **state)
{
    (void)state;
    is(W(XS_WATCH, "/d\0d0\0000\0"), "OK|");
    is(W(XS_WATCH, "/d\0d1\0001\0"), "OK|");
    is(W(XS_WATCH, "/d\0all\0"), "OK|");
    (void)events(w);
    is(A(XS_WRITE, "/d\0v"), "OK|");
    is(events(w), "/d:d0 /d:d1 /d:all");
    is(A(XS_WRITE, "/d/1\0v"), "OK|");
    is(events(w), "/d/1:d1 /d/1:all");
    is(A(XS_WRITE, "/d/1/2\0v"), "OK|");
    is(events(w), "/d/1/2:all");
    is(A(XS_RM, "/d\0"), "OK|");
    is(events(w), "/d:d0 /d:d1 /d:all");
}

static void test_special(void **state)
{
    (void)state;
    is(W(XS_WATCH, "@introduceDomain\0i\0"), "OK|");
    is(W(XS_WATCH, "@releaseDomain\0r\0"), "OK|");
    is(W(XS_WATCH, "@releaseDomain\0deep\0001\0"), "OK|");
    is(W(XS_WATCH, "@releaseDomain/3\0three\0"), "OK|");
    is(W(XS_WATCH, "@releaseDomain/4\0four\0"), "OK|");
    (void)events(w);
    session_boot(&t, 3, false);
    is(A(XS_INTRODUCE, "3\0001\0001\0"), "OK|");
    is(events(w), "@introduceDomain:i");
    is(A(XS_INTRODUCE, "3\0001\0001\0"), "OK|"); /* again */
    is(events(w), "");
    t.dom[3].info.state = HV_SHUTDOWN;
    domain_check_all(t.s);
    session_run(&t);
    is(events(w), "@releaseDomain/3:three @releaseDomain/3:deep "
                  "@releaseDomain:r");
    domain_check_all(t.s);
    session_run(&t);
    is(events(w), ""); /* once */
    is(A(XS_RESUME, "3\0"), "OK|");
    domain_check_all(t.s);
    session_run(&t);
    is(events(w), "@releaseDomain/3:three @releaseDomain/3:deep "
                  "@releaseDomain:r");
    session_kill(&t, 3);
    is(events(w), "@releaseDomain/3:three @releaseDomain:r "
                  "@releaseDomain/3:deep");
    client_free(&t, t.dom[3].client);
}

/* An event that waits is not queued twice; special ones are. */
static void test_duplicates(void **state)
{
    (void)state;
    is(W(XS_WATCH, "/q\0t\0"), "OK|");
    is(W(XS_WATCH, "@introduceDomain\0t\0"), "OK|");
    (void)events(w);
    w->blocked = true;
    for (int i = 0; i < 100; i++) {
        is(A(XS_WRITE, "/q/1\0v"), "OK|");
        is(A(XS_WRITE, "/q/2\0v"), "OK|");
    }
    assert_int_equal(w->c->out.events, 2);
    for (unsigned int i = 2; i < 5; i++) {
        client_free(&t, session_guest(&t, a, i));
    }
    w->blocked = false;
    conn_dirty(w->c);
    session_run(&t);
    is(events(w), "/q/1:t /q/2:t @introduceDomain:t @introduceDomain:t "
                  "@introduceDomain:t");
    is(A(XS_WRITE, "/q/1\0v"), "OK|");
    is(events(w), "/q/1:t");
}

/* Many different events wait: each is still known. */
static void test_many_pending(void **state)
{
    char payload[64];
    struct message m;
    int n, seen = 0;

    (void)state;
    is(W(XS_WATCH, "/m\0t\0"), "OK|");
    (void)events(w);
    w->blocked = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            n = snprintf(payload, sizeof(payload), "/m/n%d%cx", i, 0);
            is(ask(&t, a, XS_WRITE, 0, payload, (size_t)n), "OK|");
        }
    }
    w->blocked = false;
    conn_dirty(w->c);
    session_run(&t);
    while (client_event(w, &m)) {
        snprintf(payload, sizeof(payload), "/m/n%d", seen++);
        is(m.data, payload);
    }
    assert_int_equal(seen, 500);
}

/* Watches elsewhere, and their removal, in a crowd. */
static void test_crowd(void **state)
{
    char payload[64];
    int n;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        n = snprintf(payload, sizeof(payload), "/c/%d/x%c%c", i % 500, 0,
                     'a' + i / 500);
        is(ask(&t, w, XS_WATCH, 0, payload, (size_t)n + 1), "OK|");
    }
    (void)events(w);
    is(A(XS_WRITE, "/c/77/x\0v"), "OK|");
    is(events(w), "/c/77/x:a /c/77/x:b /c/77/x:c /c/77/x:d");
    is(W(XS_RESET_WATCHES, "\0"), "OK|");
    assert_int_equal(t.s->watches.nodes, 0);
    is(A(XS_WRITE, "/c/77/x\0v"), "OK|");
    is(events(w), "");
}

/* An event that does not fit a message is dropped. */
static void test_oversize(void **state)
{
    static char payload[4096], path[3000];

    (void)state;
    memset(payload, 'T', sizeof(payload));
    memcpy(payload, "/o", 3);
    payload[sizeof(payload) - 1] = '\0';
    is(ask(&t, w, XS_WATCH, 0, payload, sizeof(payload)), "OK|");
    assert_int_equal(strlen(events(w)), 2 + 1 + 4092);
    memset(path, 'n', sizeof(path));
    memcpy(path, "/o/", 3);
    path[2900] = '\0';
    is(ask(&t, a, XS_WRITE, 0, path, 2901), "OK|");
    is(events(w), "");
    is(A(XS_WRITE, "/o\0v"), "OK|");
    assert_int_equal(strlen(events(w)), 2 + 1 + 4092);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_args),    T(test_changes),    T(test_rm),
        T(test_root),    T(test_relative),   T(test_depth),
        T(test_special), T(test_duplicates), T(test_many_pending),
        T(test_crowd),   T(test_oversize),
    };

    return cmocka_run_group_tests_name("watches", tests, NULL, NULL);
}
