/*
 * The tree in a file: what survives a restart, in which order and with which
 * permissions; a file that cannot be written. Files that a stranger wrote are
 * in test_xs_db_file.c.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "persist/db.h"
#include "tree/tree.h"
#include "xs_session.h"

static struct session t;
static struct client *a;
static struct db *db;
static char dir[] = "/tmp/test_xs_db.XXXXXX", file[64], why[DB_WHY_MAX];

#define A(type, lit)  ASK(&t, a, type, 0, lit)
#define is(got, want) assert_string_equal(got, want)

/* ---- a daemon's life ---- */

static void begin(bool restore)
{
    if (db_open(file, &db, why))
        fail_msg("%s", why);
    if (restore)
        assert_int_equal(db_restore(db, t.s), 0);
    db_attach(db, t.s);
    a = client_new(&t);
    session_run(&t);
}

static void end(void)
{
    if (a)
        client_free(&t, a);
    db_close(db);
    a = NULL;
    db = NULL;
}

/* The daemon starts again. The domains live on. */
static void restart(void)
{
    struct session old = t;

    end();
    for (int i = 0; i < SESSION_DOMIDS; i++)
        if (t.dom[i].client)
            client_free(&t, t.dom[i].client);
    session_free(&t);
    assert_true(session_new(&t));
    for (int i = 0; i < SESSION_DOMIDS; i++)
        if (old.dom[i].exists) {
            t.dom[i].exists = true;
            t.dom[i].info = old.dom[i].info;
        }
    begin(true);
}

static int setup(void **state)
{
    (void)state;
    snprintf(file, sizeof(file), "%s/db", dir);
    if (!session_new(&t))
        return -1;
    begin(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(session_check(&t), 0);
    end();
    for (int i = 0; i < SESSION_DOMIDS; i++)
        if (t.dom[i].client)
            client_free(&t, t.dom[i].client);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
    return unlink(file);
}

/* ---- what the file says ---- */

/* The first column of the first row. */
static const char *ask_sql(const char *query)
{
    static char out[4096];
    sqlite3 *s;
    sqlite3_stmt *q;

    assert_int_equal(sqlite3_open(file, &s), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(s, query, -1, &q, NULL), SQLITE_OK);
    snprintf(out, sizeof(out), "%s",
             sqlite3_step(q) == SQLITE_ROW
                 ? (const char *)sqlite3_column_text(q, 0)
                 : "(none)");
    sqlite3_finalize(q);
    sqlite3_close(s);
    return out;
}

/* Every node has its row, in the order of its siblings; no row is left. */
static void check_file(void)
{
    static int64_t last[PATH_DEPTH_MAX + 2];
    static struct tree_walk w;
    char path[PATH_STR_MAX + 1], rows[32];
    unsigned int nodes = 0;
    struct node *n;
    sqlite3_stmt *q;
    sqlite3 *s;

    assert_int_equal(sqlite3_open(file, &s), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(s, "SELECT value, seq FROM node WHERE path = ?", -1,
                           &q, NULL),
        SQLITE_OK);
    tree_walk_begin(&w, t.s->root);
    while ((n = tree_walk_next(&w))) {
        size_t len = tree_walk_path_len(&w);
        int64_t seq;

        tree_walk_path(&w, path);
        sqlite3_bind_text(q, 1, len ? path : "/", len ? (int)len : 1,
                          SQLITE_STATIC);
        assert_int_equal(sqlite3_step(q), SQLITE_ROW);
        assert_int_equal(sqlite3_column_bytes(q, 0), n->value_len);
        if (n->value_len)
            assert_memory_equal(sqlite3_column_blob(q, 0), node_value(n),
                                n->value_len);
        seq = sqlite3_column_int64(q, 1);
        assert_true(seq > last[w.depth]);
        last[w.depth] = last[w.depth + 1] = seq;
        sqlite3_reset(q);
        nodes++;
    }
    memset(last, 0, sizeof(last));
    sqlite3_finalize(q);
    sqlite3_close(s);
    snprintf(rows, sizeof(rows), "%u", nodes);
    is(ask_sql("SELECT count(*) FROM node WHERE path LIKE '/%'"), rows);
}

/* ---- restarts ---- */

static void test_values(void **state)
{
    (void)state;
    A(XS_WRITE, "/a/b/c\0with\0NULs\0");
    A(XS_WRITE, "/a/z\0z");
    A(XS_WRITE, "/a/m\0");
    A(XS_SET_PERMS, "/a/m\0n0\0r0\0b0\0");
    A(XS_WRITE, "/\0root");
    A(XS_SET_PERMS, "@releaseDomain\0r0\0");
    check_file();
    for (int i = 0; i < 2; i++) {
        restart();
        is(A(XS_READ, "/a/b/c\0"), "with|NULs|");
        is(A(XS_READ, "/a/m\0"), "");
        is(A(XS_READ, "/\0"), "root");
        is(A(XS_DIRECTORY, "/a\0"), "b|z|m|");
        is(A(XS_DIRECTORY, "/\0"), "tool|local|vm|a|");
        is(A(XS_GET_PERMS, "/a/m\0"), "n0|r0|b0|");
        is(A(XS_GET_PERMS, "@releaseDomain\0"), "r0|");
        is(A(XS_GET_PERMS, "@introduceDomain\0"), "n0|");
    }
    /* What was removed does not come again, the standard nodes neither. */
    A(XS_RM, "/a/b\0");
    A(XS_RM, "/vm\0");
    restart();
    is(A(XS_DIRECTORY, "/a\0"), "z|m|");
    is(A(XS_READ, "/vm\0"), "ENOENT");
    check_file();
}

static void test_order(void **state)
{
    (void)state;
    A(XS_WRITE, "/o/a/sub\0old");
    A(XS_WRITE, "/o/b\0");
    A(XS_WRITE, "/o/c\0");
    /* Made again within one turn: last, and without the old subtree. */
    client_post(&t, a, XS_RM, 0, "/o/a", 5);
    client_post(&t, a, XS_WRITE, 0, "/o/a/new\0x", 10);
    session_run(&t);
    check_file();
    restart();
    is(A(XS_DIRECTORY, "/o\0"), "b|c|a|");
    is(A(XS_DIRECTORY, "/o/a\0"), "new|");
}

static void test_transaction(void **state)
{
    (void)state;
    is(A(XS_TRANSACTION_START, "\0"), "1|");
    ASK(&t, a, XS_WRITE, 1, "/t/x\0mine");
    ASK(&t, a, XS_WRITE, 1, "/t/y\0mine");
    A(XS_WRITE, "/other\0o"); /* so that the commit merges */
    is(ask_sql("SELECT count(*) FROM node WHERE path LIKE '/t/%'"), "0");
    is(ASK(&t, a, XS_TRANSACTION_END, 1, "T\0"), "OK|");
    is(ask_sql("SELECT count(*) FROM node WHERE path LIKE '/t/%'"), "2");
    check_file();
    A(XS_TRANSACTION_START, "\0");
    ASK(&t, a, XS_WRITE, 2, "/t/z\0open");
    restart();
    is(A(XS_DIRECTORY, "/t\0"), "x|y|");
}

/* A long walk at random, a few requests per turn; large directories, too. */
static void test_random(void **state)
{
    char payload[64];
    unsigned int seed = 1;
    int len;

    (void)state;
    for (int turn = 0; turn < 3000; turn++) {
        for (int i = rand_r(&seed) % 5; i >= 0; i--) {
            unsigned int what = (unsigned int)rand_r(&seed) % 10;
            int x = rand_r(&seed) % 3, y = rand_r(&seed) % 200;

            len = snprintf(payload, sizeof(payload), "/r/%d/%d", x, y);
            if (what == 0)
                len = snprintf(payload, sizeof(payload), "/r/%d", x);
            else if (what < 4)
                len += snprintf(payload + len, sizeof(payload) - (size_t)len,
                                "/%d", y % 7);
            if (what == 0 && rand_r(&seed) % 20)
                continue;
            client_post(&t, a,
                        what == 0 || what > 7 ? XS_RM
                        : what > 5            ? XS_MKDIR
                                              : XS_WRITE,
                        0, payload,
                        (size_t)len + 1 +
                            (what && what < 6 ? (size_t)rand_r(&seed) % 9 : 0));
        }
        session_run(&t);
        if (turn % 100 == 0)
            check_file();
        if (turn % 700 == 0)
            restart();
    }
    check_file();
}

/* Nothing has left when the store is saved; then all of it does. */
static size_t sent_at_save;
static struct node *saved_root;

static void spy(struct saver *v, struct store *s)
{
    (void)v;
    if (!saved_root)
        sent_at_save = a->got_len;
    saved_root = s->root;
}

static void test_before_reply(void **state)
{
    struct saver saver = { .save = spy }, *db_saver = t.s->saver;

    (void)state;
    A(XS_WATCH, "/s\0token\0");
    events(a);
    t.s->saver = &saver;
    client_post(&t, a, XS_WRITE, 0, "/s\0v", 4);
    saved_root = NULL;
    assert_false(store_flush(t.s));
    assert_true(saved_root == t.s->root);
    assert_true(sent_at_save < a->got_len);
    is(events(a), "/s:token");
    t.s->saver = db_saver;
}

/* ---- domains ---- */

static void test_living_domain(void **state)
{
    struct client *g;

    (void)state;
    A(XS_WRITE, "/local/domain/5\0");
    session_boot(&t, 5, false);
    A(XS_SET_PERMS, "/local/domain/5\0n5\0");
    A(XS_WRITE, "/shared\0s");
    A(XS_SET_PERMS, "/shared\0n0\0r5\0r9\0"); /* 9 does not exist */
    is(A(XS_INTRODUCE, "5\0001\0007\0"), "OK|");
    g = t.dom[5].client;
    is(ASK(&t, g, XS_WRITE, 0, "data/x\0v"), "OK|");
    is(ask_sql("SELECT perms FROM node WHERE path = '/shared'"), "n0,r5,!r9");
    restart();
    assert_int_equal(t.s->domains[5]->used[QUOTA_NODES], 3);
    is(A(XS_INTRODUCE, "5\0001\0007\0"), "OK|");
    g = t.dom[5].client;
    is(ASK(&t, g, XS_READ, 0, "data/x\0"), "v");
    is(ASK(&t, g, XS_READ, 0, "/shared\0"), "s");
    is(A(XS_GET_PERMS, "/shared\0"), "n0|r5|r9|");
    /* A domain 9 that comes later has no right. */
    g = session_guest(&t, a, 9);
    is(ASK(&t, g, XS_READ, 0, "/shared\0"), "EACCES");
    restart();
    is(A(XS_INTRODUCE, "9\0001\0007\0"), "OK|");
    is(ASK(&t, t.dom[9].client, XS_READ, 0, "/shared\0"), "EACCES");
}

/* Domain 5 has nodes and rights; then the daemon restarts without it. */
static void test_dead_domain(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        session_boot(&t, 5, false);
        A(XS_WRITE, "/d/of5/below\0");
        A(XS_SET_PERMS, "/d/of5\0n5\0");
        A(XS_WRITE, "/d/shared\0");
        A(XS_SET_PERMS, "/d/shared\0n0\0r5\0");
        A(XS_SET_PERMS, "@introduceDomain\0n5\0");
        if (again)
            session_boot(&t, 5, false); /* another one with its number */
        else
            t.dom[5].exists = false;
        restart();
        is(A(XS_DIRECTORY, "/d\0"), "shared|");
        is(A(XS_GET_PERMS, "/d/shared\0"), "n0|");
        is(A(XS_GET_PERMS, "@introduceDomain\0"), "n0|");
        is(ask_sql("SELECT perms FROM node WHERE path = '/d/shared'"), "n0");
        is(ask_sql("SELECT count(*) FROM domain"), "0");
        check_file();
    }
}

/* A death while the daemon runs takes entries from rows that did not change. */
static void test_death(void **state)
{
    (void)state;
    session_guest(&t, a, 5);
    A(XS_WRITE, "/d/shared\0");
    A(XS_SET_PERMS, "/d/shared\0n0\0r5\0r0\0");
    A(XS_SET_PERMS, "@introduceDomain\0n0\0r5\0");
    A(XS_WRITE, "/d/of5/below\0");
    A(XS_SET_PERMS, "/d/of5\0n5\0");
    is(ask_sql("SELECT perms FROM node WHERE path = '/d/shared'"), "n0,r5,r0");
    is(ask_sql("SELECT domid FROM domain"), "5");
    session_kill(&t, 5);
    is(ask_sql("SELECT perms FROM node WHERE path = '/d/shared'"), "n0,r0");
    is(ask_sql("SELECT perms FROM node WHERE path = '@introduceDomain'"), "n0");
    is(ask_sql("SELECT count(*) FROM domain"), "0");
    check_file();
    restart();
    session_guest(&t, a, 5);
    is(A(XS_GET_PERMS, "/d/shared\0"), "n0|r0|");
}

/* ---- live update ---- */

/* Without restoring, the store's tree counts, and costs no rows it has. */
static void test_attach(void **state)
{
    (void)state;
    A(XS_WRITE, "/u/a\0a");
    A(XS_WRITE, "/u/b\0b");
    end();
    begin(false);
    assert_non_null(strstr(A(XS_CONTROL, "memreport\0"), "; 0 rows in 1 "));
    end();
    a = client_new(&t); /* changes that the file does not see */
    A(XS_WRITE, "/u/c\0c");
    A(XS_RM, "/u/a\0");
    client_free(&t, a);
    a = NULL;
    begin(false);
    check_file();
    restart();
    is(A(XS_DIRECTORY, "/u\0"), "b|c|");
}

/* ---- files that cannot be written ---- */

static bool reported(const char *what)
{
    return strstr(A(XS_CONTROL, "memreport\0"), what) != NULL;
}

static void test_locked(void **state)
{
    sqlite3 *s;

    (void)state;
    assert_int_equal(sqlite3_open(file, &s), SQLITE_OK);
    A(XS_WRITE, "/l/before\0");
    assert_true(reported("up to date"));
    assert_int_equal(sqlite3_exec(s, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
    is(A(XS_WRITE, "/l/during\0x"), "OK|");
    is(A(XS_READ, "/l/during\0"), "x");
    session_sleep(&t, 1500);
    assert_true(reported("not written for 1 s: database is locked"));
    sqlite3_exec(s, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(s);
    assert_true(t.s->tick_ms <= t.s->now_ms + 1000); /* it asks for its turn */
    session_sleep(&t, 1000);
    assert_true(reported("up to date"));
    check_file();
}

static void test_full(void **state)
{
    struct rlimit old, small;
    char payload[3000] = "/f/many/0";

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    A(XS_WRITE, "/f/keep\0k");
    A(XS_WRITE, "/f/gone/with/all\0k");
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 256 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    A(XS_RM, "/f/gone\0");
    for (int i = 0; i < 300; i++) {
        snprintf(payload, 16, "/f/many/%d", i);
        is(ask(&t, a, XS_WRITE, 0, payload, sizeof(payload)), "OK|");
        session_sleep(&t, 100);
    }
    assert_true(reported("not written for "));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    session_sleep(&t, 1000);
    assert_true(reported("up to date"));
    check_file();
    restart();
    is(A(XS_READ, "/f/keep\0"), "k");
    is(A(XS_READ, "/f/gone\0"), "ENOENT");
    check_file();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_values),      TEST(test_order),  TEST(test_before_reply),
        TEST(test_transaction), TEST(test_random), TEST(test_living_domain),
        TEST(test_dead_domain), TEST(test_death),  TEST(test_attach),
        TEST(test_locked),      TEST(test_full),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
