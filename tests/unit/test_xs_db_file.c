/*
 * Databases that a stranger wrote, or the disk spoiled: each is refused with
 * one line that says what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "persist/db.h"
#include "xs_session.h"

static char dir[] = "/tmp/test_xs_db_file.XXXXXX", file[64], why[DB_WHY_MAX];

/* A database of a few hundred nodes, /a/b and /a/c among them. */
static void make_good(void)
{
    struct session t;
    struct client *a;
    struct db *db;

    unlink(file);
    assert_true(session_new(&t));
    assert_int_equal(db_open(file, &db, why), 0);
    db_attach(db, t.s);
    a = client_new(&t);
    ASK(&t, a, XS_WRITE, 0, "/a/b\0");
    ASK(&t, a, XS_WRITE, 0, "/a/c\0value");
    for (int i = 0; i < 300; i++) {
        char payload[32];
        int len = snprintf(payload, sizeof(payload), "/x/%d/y", i);

        ask(&t, a, XS_MKDIR, 0, payload, (size_t)len + 1);
    }
    client_free(&t, a);
    db_close(db);
    session_free(&t);
}

static void sql(const char *statement)
{
    sqlite3 *s;
    char *error = NULL;

    assert_int_equal(sqlite3_open(file, &s), SQLITE_OK);
    if (sqlite3_exec(s, statement, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", statement, error);
    sqlite3_close(s);
}

/* Opening fails, and says this. */
static void refuses(const char *what)
{
    struct db *other;

    why[0] = '\0';
    assert_int_not_equal(db_open(file, &other, why), 0);
    if (!strstr(why, what))
        fail_msg("wanted '%s', got '%s'", what, why);
    assert_null(strchr(why, '\n'));
}

/* A file that was good, and what was done to it. */
static void spoiled(const char *statement, const char *what)
{
    make_good();
    sql(statement);
    refuses(what);
}

static void test_rows(void **state)
{
    (void)state;
    spoiled("UPDATE node SET path = '/a/b c' WHERE path = '/a/b'",
            "row '/a/b c' of table node: not a path");
    spoiled("UPDATE node SET path = '/a/' WHERE path = '/a/b'", "not a path");
    spoiled("UPDATE node SET path = 'a/b' WHERE path = '/a/b'", "not a path");
    spoiled("UPDATE node SET path = '' WHERE path = '/a/b'", "not a path");
    spoiled("UPDATE node SET path = '@other' WHERE path = '/a/b'",
            "not a path");
    spoiled("UPDATE node SET path = '/a/' || printf('%.4000c', 'x') "
            "WHERE path = '/a/b'",
            "not a path");
    spoiled("UPDATE node SET path = '/x' || char(10) WHERE path = '/a/b'",
            "row '/x\\x0a'");
    spoiled("UPDATE node SET path = x'2f78' WHERE path = '/a/b'", "not a path");
    spoiled("DELETE FROM node WHERE path = '/a'", "its parent is missing");
    spoiled("DELETE FROM node WHERE path = '/'", "missing");
    spoiled("UPDATE node SET seq = 0 WHERE path = '/a/b'", "its seq");
    spoiled("UPDATE node SET seq = 999 WHERE path = '/a'",
            "its parent is missing, or was made later");
    spoiled("UPDATE node SET value = zeroblob(4097) WHERE path = '/a/b'",
            "longer than 4096 bytes");
    spoiled("UPDATE node SET value = zeroblob(90000000) WHERE path = '/a/b'",
            "too big");
    spoiled("UPDATE node SET value = 5 WHERE path = '/a/b'", "neither a blob");
    spoiled("UPDATE node SET perms = '' WHERE path = '/a/b'", "a list like");
    spoiled("UPDATE node SET perms = 'n0,' WHERE path = '/a/b'", "a list like");
    spoiled("UPDATE node SET perms = 'x0' WHERE path = '/a/b'", "a list like");
    spoiled("UPDATE node SET perms = '!n0' WHERE path = '/a/b'", "a list like");
    spoiled("UPDATE node SET perms = 'n0 r5' WHERE path = '/a/b'",
            "a list like");
    spoiled("UPDATE node SET perms = 'n0,r99999' WHERE path = '/a/b'",
            "a list like");
    spoiled("UPDATE node SET perms = 'n0,r5' WHERE path = '/a/b'",
            "name domain 5, which has no row");
    spoiled("UPDATE node SET perms = 'n5' WHERE path = '/a/b'",
            "name domain 5, which has no row");
    spoiled("UPDATE node SET perms = 'n32757' WHERE path = '/a/b'",
            "name domain 32757");
    spoiled("INSERT INTO domain VALUES (0, 1)",
            "row '0' of table domain: not the number");
    spoiled("INSERT INTO domain VALUES (70000, 1)", "not the number");
    spoiled("INSERT INTO domain VALUES (-1, 1)", "not the number");
}

static void test_tables(void **state)
{
    (void)state;
    spoiled("DROP TABLE domain", "its tables are not those of a store");
    spoiled("ALTER TABLE node ADD COLUMN more", "its tables are not");
    spoiled("CREATE TABLE other (x)", "its tables are not");
    spoiled("CREATE TRIGGER evil AFTER INSERT ON node BEGIN "
            "DELETE FROM domain; END",
            "its tables are not");
    spoiled("DROP TABLE node; CREATE VIEW node AS SELECT 1",
            "its tables are not");
    spoiled("PRAGMA user_version = 2", "its version is 2; this daemon knows 1");
    spoiled("PRAGMA application_id = 7",
            "it is a database, but not of a store");
    spoiled("PRAGMA application_id = 0",
            "it is a database, but not of a store");
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_files(void **state)
{
    struct db *db;
    char good[sizeof(file)];

    (void)state;
    make_good();
    assert_int_equal(db_open(file, &db, why), 0);
    refuses("another daemon uses it");
    db_close(db);
    strcpy(good, file);
    snprintf(file, sizeof(file), "%s/no/db", dir);
    refuses("No such file or directory");
    snprintf(file, sizeof(file), "%s", dir);
    refuses("Is a directory");
    snprintf(file, sizeof(file), "%s/fifo", dir);
    assert_int_equal(mkfifo(file, 0600), 0);
    refuses("it is not a regular file");
    unlink(file);
    strcpy(file, good);
    unlink(file);
    write_file("This is not a database, whatever its name says; it is long.\n");
    refuses("it is not a database");
    if (geteuid()) {
        chmod(file, 0);
        refuses("Permission denied");
        unlink(file);
        chmod(dir, 0500);
        refuses("Permission denied");
        chmod(dir, 0700);
    }
    unlink(file);
    write_file(""); /* an empty file is a new database */
    assert_int_equal(db_open(file, &db, why), 0);
    db_close(db);
}

/* Bytes of the file change at random: it is refused, or loads; no more. */
static void test_damage(void **state)
{
    static unsigned char good[1 << 18], bad[1 << 18];
    unsigned int seed = 7, refused = 0;
    struct db *db;
    size_t size;
    FILE *f;

    (void)state;
    make_good();
    f = fopen(file, "r");
    size = fread(good, 1, sizeof(good), f);
    fclose(f);
    assert_in_range(size, 8192, sizeof(good) - 1);
    for (int i = 0; i < 300; i++) {
        memcpy(bad, good, size);
        for (int k = rand_r(&seed) % 20; k >= 0; k--)
            bad[(size_t)rand_r(&seed) % size] = (unsigned char)rand_r(&seed);
        f = fopen(file, "w");
        fwrite(bad, 1, i % 4 ? size : (size_t)rand_r(&seed) % size, f);
        fclose(f);
        if (db_open(file, &db, why) == 0)
            db_close(db);
        else
            refused++;
    }
    assert_in_range(refused, 50, 300);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/db", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
