/*
 * Requests and their answers, as clients of domain 0 see them. Guests are in
 * test_xs_guest.c, transactions in test_xs_txn.c, watches in test_xs_watch.c.
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

#define A(type, lit)  ASK(&t, a, type, 0, lit)
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
    assert_int_equal(session_check(&t), 0);
    client_free(&t, a);
    client_free(&t, b);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    assert_int_equal(node_stats.bytes, 0);
    return 0;
}

static void test_start(void **state)
{
    (void)state;
    is(A(XS_DIRECTORY, "/\0"), "tool|local|vm|");
    is(A(XS_DIRECTORY, "/local\0"), "domain|");
    is(A(XS_DIRECTORY, "/tool\0"), "xenstored|");
    is(A(XS_GET_PERMS, "/tool/xenstored\0"), "n0|");
    is(A(XS_GET_PERMS, "/local/domain\0"), "n0|");
    is(A(XS_GET_PERMS, "@releaseDomain\0"), "n0|r32757|"); /* DOMID_ANY */
    is(A(XS_GET_PERMS, "@introduceDomain\0"), "n0|");
    is(A(XS_GET_PERMS, "@other\0"), "ENOENT");
}

static void test_values(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/a\0x"), "OK|");
    is(A(XS_READ, "/a\0"), "x");
    is(A(XS_WRITE, "/a\0with\0a NUL\0"), "OK|");
    is(A(XS_READ, "/a\0"), "with|a NUL|");
    is(A(XS_WRITE, "/a\0"), "OK|");
    is(A(XS_READ, "/a\0"), "");
    is(A(XS_WRITE, "/a"), "EINVAL");
    is(A(XS_READ, "/nope\0"), "ENOENT");
    is(A(XS_READ, "/a/b\0"), "ENOENT");
    /* Missing parents are created empty; a second write keeps children. */
    is(A(XS_WRITE, "/p/q/r\0v"), "OK|");
    is(A(XS_READ, "/p/q\0"), "");
    is(A(XS_WRITE, "/p\0w"), "OK|");
    is(A(XS_READ, "/p/q/r\0"), "v");
    is(A(XS_WRITE, "/\0root"), "OK|");
    is(A(XS_READ, "/\0"), "root");
}

static void test_paths(void **state)
{
    (void)state;
    is(A(XS_WRITE, "rel\0home"), "OK|");
    is(A(XS_READ, "/local/domain/0/rel\0"), "home");
    is(A(XS_READ, "\0"), "EINVAL");
    is(A(XS_READ, ""), "EINVAL");
    is(A(XS_READ, "/local"), "EINVAL");
    is(A(XS_READ, "/local\0\0"), "EINVAL");
    is(A(XS_READ, "/local\0x\0"), "EINVAL");
    is(A(XS_READ, "//local\0"), "EINVAL");
    is(A(XS_READ, "/local/\0"), "EINVAL");
    is(A(XS_READ, "/local//domain\0"), "EINVAL");
    is(A(XS_READ, "/local+\0"), "EINVAL");
    is(A(XS_READ, "/lo cal\0"), "EINVAL");
    is(A(XS_READ, "/lo\xff\0"), "EINVAL");
    is(A(XS_READ, "@releaseDomain\0"), "EINVAL");
    is(A(XS_WRITE, "@releaseDomain\0x"), "EINVAL");
    is(A(XS_WRITE, "/A-Z_09@x\0ok"), "OK|");
}

/* Writes a path of n characters in all. */
static const char *write_long(const char *start, size_t n)
{
    char path[4096];

    memset(path, 'x', sizeof(path));
    memcpy(path, start, strlen(start));
    path[n] = '\0';
    return ask(&t, a, XS_WRITE, 0, path, n + 1);
}

static void test_path_lengths(void **state)
{
    (void)state;
    is(write_long("/", 3072), "OK|");
    is(write_long("/", 3073), "EINVAL");
    is(write_long("r", 2048), "OK|");
    is(write_long("r", 2049), "EINVAL");
    is(write_long("/local/domain/0/", 16 + 2048), "OK|");
    is(write_long("/local/domain/0/", 16 + 2049), "EINVAL");
    is(write_long("/local/domain/x/", 16 + 2049), "OK|");
}

static void test_directory(void **state)
{
    char payload[32];

    (void)state;
    is(A(XS_MKDIR, "/d\0"), "OK|");
    is(A(XS_DIRECTORY, "/d\0"), "");
    is(A(XS_WRITE, "/d/z\0001"), "OK|");
    is(A(XS_WRITE, "/d/a\0002"), "OK|");
    is(A(XS_WRITE, "/d/z\0003"), "OK|");
    is(A(XS_DIRECTORY, "/d\0"), "z|a|");
    is(A(XS_RM, "/d/z\0"), "OK|");
    is(A(XS_MKDIR, "/d/z\0"), "OK|");
    is(A(XS_DIRECTORY, "/d\0"), "a|z|");
    is(A(XS_MKDIR, "/d/a\0"), "OK|");
    is(A(XS_READ, "/d/a\0"), "2");
    is(A(XS_DIRECTORY, "/none\0"), "ENOENT");
    for (int i = 0; i < 1024; i++) {
        int n = snprintf(payload, sizeof(payload), "/big/%03x", i);

        is(ask(&t, a, XS_MKDIR, 0, payload, (size_t)n + 1), "OK|");
    }
    assert_int_equal(strlen(A(XS_DIRECTORY, "/big\0")), 4096);
    is(A(XS_MKDIR, "/big/x\0"), "OK|");
    is(A(XS_DIRECTORY, "/big\0"), "E2BIG");
}

/* Reads /parts by DIRECTORY_PART and checks that the parts join. */
static void test_directory_part(void **state)
{
    static char all[65536], want[65536];
    size_t len = 0, want_len = 0;
    char payload[64], first_gen[32] = "";
    const char *s, *names;
    int n, parts = 0;

    (void)state;
    is(A(XS_DIRECTORY_PART, "/nope\0000\0"), "ENOENT");
    for (int i = 0; i < 3000; i++) {
        n = snprintf(payload, sizeof(payload), "/parts/n%d", i);
        is(ask(&t, a, XS_MKDIR, 0, payload, (size_t)n + 1), "OK|");
        want_len += (size_t)sprintf(want + want_len, "n%d|", i);
    }
    for (bool last = false; !last; parts++) {
        n = snprintf(payload, sizeof(payload), "/parts%c%zu", 0, len);
        s = ask(&t, a, XS_DIRECTORY_PART, 0, payload, (size_t)n + 1);
        names = strchr(s, '|') + 1;
        if (!len)
            snprintf(first_gen, sizeof(first_gen), "%.*s", (int)(names - s), s);
        assert_memory_equal(s, first_gen, (size_t)(names - s));
        n = (int)strlen(names);
        last = n < 2 || names[n - 2] == '|';
        memcpy(all + len, names, (size_t)n - last);
        len += (size_t)n - last;
    }
    assert_true(parts > 4);
    assert_int_equal(len, want_len);
    assert_memory_equal(all, want, len);
    /* Past the end: the generation and an empty name. */
    s = A(XS_DIRECTORY_PART, "/parts\000999999\0");
    is(strchr(s, '|'), "||");
    is(A(XS_DIRECTORY_PART, "/parts\0-1\0"), "EINVAL");
    is(A(XS_DIRECTORY_PART, "/parts\0"), "EINVAL");
    /* Any change of the node changes the generation. */
    is(A(XS_WRITE, "/parts\0v"), "OK|");
    s = A(XS_DIRECTORY_PART, "/parts\0000\0");
    assert_int_not_equal(strncmp(s, first_gen, strlen(first_gen)), 0);
}

static void test_rm(void **state)
{
    (void)state;
    is(A(XS_WRITE, "/r/a/b/c\0v"), "OK|");
    is(A(XS_RM, "/r/a\0"), "OK|");
    is(A(XS_READ, "/r/a/b\0"), "ENOENT");
    is(A(XS_DIRECTORY, "/r\0"), "");
    is(A(XS_RM, "/r/a\0"), "OK|");
    is(A(XS_RM, "/r/a/b\0"), "ENOENT");
    is(A(XS_RM, "/\0"), "EINVAL");
}

static void test_perms(void **state)
{
    (void)state;
    session_boot(&t, 5, false);
    is(A(XS_WRITE, "/p\0v"), "OK|");
    is(A(XS_SET_PERMS, "/p\0n0\0r5\0w6\0b0\0"), "OK|");
    is(A(XS_GET_PERMS, "/p\0"), "n0|r5|w6|b0|");
    is(A(XS_MKDIR, "/p/child\0"), "OK|");
    is(A(XS_GET_PERMS, "/p/child\0"), "n0|r5|w6|b0|");
    is(A(XS_SET_PERMS, "/p\0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0n0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0x0\0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0n\0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0n0x\0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0n65536\0"), "ENOENT");
    is(A(XS_SET_PERMS, "/p\0n0\0r65536\0"), "EINVAL");
    is(A(XS_SET_PERMS, "/p\0n7\0"), "ENOENT");     /* no domain 7 */
    is(A(XS_SET_PERMS, "/p\0n32757\0"), "ENOENT"); /* nor DOMID_ANY */
    is(A(XS_SET_PERMS, "/p\0n0\0r32757\0"), "OK|");
    is(A(XS_SET_PERMS, "/p\0n5\0"), "OK|");
    is(A(XS_GET_PERMS, "/p\0"), "n5|");
    is(A(XS_SET_PERMS, "/nope\0n0\0"), "ENOENT");
    is(A(XS_SET_PERMS, "@releaseDomain\0n0\0r5\0"), "OK|");
    is(A(XS_GET_PERMS, "@releaseDomain\0"), "n0|r5|");
    is(A(XS_SET_PERMS, "@nothing\0n0\0"), "ENOENT");
}

static void test_unknown(void **state)
{
    (void)state;
    is(A(XS_WATCH_EVENT, "/a\0t\0"), "ENOSYS");
    is(A(XS_ERROR, "EINVAL\0"), "ENOSYS");
    is(A(20, "5\0"), "ENOSYS");
    is(A(27, ""), "ENOSYS");
    is(A(0xffff, ""), "ENOSYS");
    is(A(0xffffffff, ""), "ENOSYS");
    for (uint32_t type = 0; type < 30; type++) {
        const char *s = ask(&t, a, type, 0, "", 0);

        assert_true(s[0] == 'E' || type == XS_TRANSACTION_START ||
                    type == XS_RESET_WATCHES || type == 23 || type == 25);
    }
    /* Unknown transactions, except where the id does not matter. */
    is(ASK(&t, a, XS_READ, 77, "/tool\0"), "ENOENT");
    is(ASK(&t, a, XS_WATCH, 77, "/tool\0t\0"), "OK|");
    is(ASK(&t, a, XS_UNWATCH, 77, "/tool\0t\0"), "OK|");
}

static void test_domains(void **state)
{
    struct client *g;

    (void)state;
    is(A(XS_GET_DOMAIN_PATH, "0\0"), "/local/domain/0|");
    is(A(XS_GET_DOMAIN_PATH, "65535\0"), "/local/domain/65535|");
    is(A(XS_GET_DOMAIN_PATH, "65536\0"), "EINVAL");
    is(A(XS_GET_DOMAIN_PATH, "-1\0"), "EINVAL");
    is(A(XS_GET_DOMAIN_PATH, "x\0"), "EINVAL");
    is(A(XS_GET_DOMAIN_PATH, "\0"), "EINVAL");
    is(A(XS_IS_DOMAIN_INTRODUCED, "0\0"), "T|");
    is(A(XS_IS_DOMAIN_INTRODUCED, "32752\0"), "T|"); /* DOMID_SELF */
    is(A(XS_IS_DOMAIN_INTRODUCED, "3\0"), "F|");
    is(A(XS_INTRODUCE, "3\0001\0007\0"), "EINVAL");
    session_boot(&t, 3, false);
    is(A(XS_RELEASE, "3\0"), "ENOENT");
    is(A(XS_INTRODUCE, "3\0001\0"), "EINVAL");
    is(A(XS_INTRODUCE, "3\0001\0000\0"), "EINVAL");
    is(A(XS_INTRODUCE, "3\0001\0-1\0"), "EINVAL");
    is(A(XS_INTRODUCE, "0\0001\0001\0"), "EINVAL");
    is(A(XS_INTRODUCE, "3\0001\0007\0"), "OK|");
    g = t.dom[3].client;
    is(A(XS_IS_DOMAIN_INTRODUCED, "3\0"), "T|");
    is(A(XS_SET_TARGET, "3\0000\0"), "OK|");
    is(A(XS_SET_TARGET, "3\0004\0"), "ENOENT");
    is(A(XS_SET_TARGET, "3\0"), "EINVAL");
    is(A(XS_RESUME, "3\0"), "OK|");
    is(A(XS_RESUME, "4\0"), "ENOENT");
    is(A(XS_RELEASE, "0\0"), "EINVAL");
    is(A(XS_RELEASE, "3\0"), "OK|");
    is(A(XS_RELEASE, "3\0"), "ENOENT");
    is(A(XS_IS_DOMAIN_INTRODUCED, "3\0"), "F|");
    assert_null(g->c);
    client_free(&t, g);
}

static void test_features_and_quotas(void **state)
{
    (void)state;
    is(A(23, ""), "15|");
    is(A(23, "0\0"), "15|");
    is(A(23, "9\0"), "ENOENT");
    session_boot(&t, 9, false);
    is(A(24, "9\0003\0"), "OK|");
    is(A(23, "9\0"), "3|");
    is(A(24, "9\00016\0"), "EINVAL");
    is(A(25, "nodes\0"), "1000|");
    is(A(26, "nodes\00077\0"), "OK|");
    is(A(25, "nodes\0"), "77|");
    is(A(26, "9\0watches\0005\0"), "OK|");
    is(A(25, "9\0watches\0"), "5|");
    is(A(25, "watches\0"), "128|");
    is(A(25, "bogus\0"), "EINVAL");
    is(A(26, "nodes\0-1\0"), "EINVAL");
    assert_non_null(strstr(A(25, ""), "nodes watches transactions"));
}

static void test_control(void **state)
{
    (void)state;
    is(A(XS_CONTROL, "check\0"), "OK|");
    is(A(XS_CONTROL, "print\0hello\0"), "OK|");
    is(A(XS_CONTROL, "print\0"), "EINVAL");
    is(A(XS_CONTROL, "log\0on\0"), "OK|");
    is(A(XS_CONTROL, "log\0off\0"), "OK|");
    is(A(XS_CONTROL, "log\0loud\0"), "EINVAL");
    is(A(XS_CONTROL, "nonsense\0"), "EINVAL");
    is(A(XS_CONTROL, ""), "EINVAL");
    is(A(XS_CONTROL, "live-update\0-s\0"), "ENOSYS");
    is(A(XS_CONTROL, "logfile\0/tmp/x\0"), "EACCES"); /* not in a test */
    t.s->may_open_files = true;
    is(A(XS_CONTROL, "logfile\0relative\0"), "EINVAL");
    is(A(XS_CONTROL, "memreport\0relative\0"), "EINVAL");
    is(A(XS_CONTROL, "quota\0set\0watches\0009\0"), "OK|");
    assert_non_null(strstr(A(XS_CONTROL, "quota\0"), "watches"));
    assert_non_null(strstr(A(XS_CONTROL, "quota\0000\0"), "nodes"));
    is(A(XS_CONTROL, "quota\0009\0"), "ENOENT");
    is(A(XS_CONTROL, "quota-soft\0set\0memory\00099\0"), "OK|");
    is(A(25, "soft-memory\0"), "99|");
    is(A(25, "memory-soft\0"), "EINVAL");
    assert_non_null(strstr(A(XS_CONTROL, "memreport\0"), "nodes 6"));
    assert_non_null(strstr(A(XS_CONTROL, "help\0"), "live-update"));
}

/* Pipelined and byte by byte: every request is answered, in order. */
static void test_stream(void **state)
{
    struct xsd_sockmsg hdr = { XS_READ, 0, 0, 6 };
    unsigned char bytes[50 * 22];
    struct message m;

    (void)state;
    for (uint32_t i = 0; i < 50; i++) {
        hdr.req_id = i;
        hdr.type = i % 2 ? XS_READ : XS_DIRECTORY;
        memcpy(bytes + i * 22, &hdr, 16);
        memcpy(bytes + i * 22 + 16, "/tool", 6);
    }
    client_send(&t, a, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        client_send(&t, b, bytes + i, 1);
    for (uint32_t i = 0; i < 50; i++) {
        assert_true(client_reply(a, &m));
        assert_int_equal(m.hdr.req_id, i);
        assert_true(client_reply(b, &m));
        assert_int_equal(m.hdr.req_id, i);
        assert_int_equal(m.hdr.type, i % 2 ? XS_READ : XS_DIRECTORY);
    }
    assert_false(client_reply(a, &m));
}

static void test_too_long(void **state)
{
    struct xsd_sockmsg hdr = { XS_READ, 1, 0, 4097 };

    (void)state;
    client_send(&t, a, &hdr, sizeof(hdr));
    assert_null(a->c);
    hdr.len = 0xffffffff;
    client_send(&t, b, &hdr, sizeof(hdr));
    assert_null(b->c);
}

/* A client that does not read is not served on and on. */
static void test_unread_replies(void **state)
{
    struct message m;
    uint32_t n = 0;
    size_t held;

    (void)state;
    is(write_long("/", 9), "OK|");
    a->blocked = true;
    for (int i = 0; i < 20000; i++)
        client_post(&t, a, XS_DIRECTORY, 0, "/", 2);
    session_run(&t);
    held = a->c->out.cap;
    assert_true(held < 2 * 1024 * 1024);
    is(ASK(&t, b, XS_READ, 0, "/tool\0"), ""); /* others go on */
    a->blocked = false;
    conn_dirty(a->c);
    session_run(&t);
    while (client_reply(a, &m))
        assert_int_equal(m.hdr.req_id, 2 + n++);
    assert_int_equal(n, 20000);
}

/* A saver that counts. */
struct count_saver {
    struct saver saver;
    int saves;
};

static void count_save(struct saver *v, struct store *s)
{
    (void)s;
    container_of(v, struct count_saver, saver)->saves++;
}

/*
 * A reply may leave at once, but not before events that came before it, and
 * not before what it tells of is saved.
 */
static void test_answer(void **state)
{
    struct count_saver counter = { .saver.save = count_save };
    struct message m;

    (void)state;
    is(ASK(&t, b, XS_WATCH, 0, "/w\0t\0"), "OK|");
    is(events(b), "/w:t");

    client_post(&t, a, XS_WRITE, 0, "/v\0x", 4);
    store_answer(a->c);
    assert_true(client_reply(a, &m));

    client_post(&t, a, XS_WRITE, 0, "/w\0x", 4);
    store_answer(a->c);
    assert_false(client_reply(a, &m));
    session_run(&t);
    assert_true(client_reply(a, &m));
    is(events(b), "/w:t");

    client_post(&t, a, XS_READ, 0, "/v", 3);
    client_post(&t, b, XS_READ, 0, "/v", 3);
    conn_kill(a->c);
    store_answer(a->c); /* the next turn ends it */
    assert_false(client_reply(a, &m));
    session_run(&t);
    client_free(&t, a);
    a = client_new(&t);

    t.s->saver = &counter.saver;
    client_post(&t, a, XS_WRITE, 0, "/v\0y", 4);
    store_answer(a->c);
    assert_int_equal(counter.saves, 0);
    assert_false(client_reply(a, &m));
    session_run(&t);
    assert_true(counter.saves > 0);
    assert_true(client_reply(a, &m));
    t.s->saver = NULL;
}

/* A tree as deep as paths allow: nothing recurses. */
static void test_deep(void **state)
{
    char path[3073];

    (void)state;
    for (int i = 0; i < 3072; i += 2)
        memcpy(path + i, "/d", 2);
    path[3072] = '\0';
    is(ask(&t, a, XS_WRITE, 0, path, 3073), "OK|");
    is(ask(&t, a, XS_READ, 0, path, 3073), "");
    assert_int_equal(node_stats.nodes, 6 + 1536);
    is(A(XS_CONTROL, "check\0"), "OK|");
    is(A(XS_RM, "/d\0"), "OK|");
    assert_int_equal(node_stats.nodes, 6);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_start),
        T(test_values),
        T(test_paths),
        T(test_path_lengths),
        T(test_directory),
        T(test_directory_part),
        T(test_rm),
        T(test_perms),
        T(test_unknown),
        T(test_domains),
        T(test_features_and_quotas),
        T(test_control),
        T(test_stream),
        T(test_too_long),
        T(test_unread_replies),
        T(test_answer),
        T(test_deep),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
