/* Opening the database: locks, tables, statements; see db_file.h. */
#include "persist/db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x52735873 /* "RsXs" in the file's head */
#define VERSION        1

/* How long a lock of the sqlite3 shell may delay the start. */
#define BUSY_MS 2000
/* No row and no statement of the store is longer. */
#define LENGTH_MAX (1 << 20)

#define STR_(x) #x
#define STR(x)  STR_(x)

static const char *const tables[] = {
    "CREATE TABLE domain (domid INTEGER PRIMARY KEY, birth INTEGER NOT NULL)",
    "CREATE TABLE node (path TEXT PRIMARY KEY, value BLOB NOT NULL, "
    "perms TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID",
};
#define TABLES (int)(sizeof(tables) / sizeof(tables[0]))

static const char *const statements[DB_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_PUT] = "INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?)",
    [DB_CHANGE] = "UPDATE node SET value = ?, perms = ? WHERE path = ?",
    [DB_DROP] = "DELETE FROM node WHERE path = ?",
    [DB_DROP_SUB] = "DELETE FROM node WHERE path > ? AND path < ?",
    [DB_DOMAINS_CLEAR] = "DELETE FROM domain",
    [DB_DOMAIN_PUT] = "INSERT INTO domain VALUES (?, ?)",
};

int db_sql_error(const struct db *db, const char *doing, char why[DB_WHY_MAX])
{
    int code = sqlite3_errcode(db->sql) & 0xff;

    if (code == SQLITE_NOTADB) {
        snprintf(why, DB_WHY_MAX, "it is not a database");
        return -EINVAL;
    }
    if (code == SQLITE_BUSY) {
        snprintf(why, DB_WHY_MAX, "another program has it locked");
        return -EBUSY;
    }
    snprintf(why, DB_WHY_MAX, "%s: %s", doing, sqlite3_errmsg(db->sql));
    return -EIO;
}

/* ---- locks ---- */

/*
 * flock() keeps other daemons out and lets the sqlite3 shell in, which SQLite's
 * own locks would not. Opening the file here also tells better than SQLite what
 * is wrong with it. This descriptor is opened first and closed last: closing
 * any descriptor of the file ends SQLite's locks on it.
 */
static int lock_file(struct db *db, const char *file, char why[DB_WHY_MAX])
{
    struct stat st;
    int err;

    db->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    err = db->lock < 0 || fstat(db->lock, &st) ? -errno : 0;
    if (err) {
        snprintf(why, DB_WHY_MAX, "%s", strerror(-err));
        return err;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, DB_WHY_MAX, "it is not a regular file");
        return -EINVAL;
    }
    if (flock(db->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    err = -errno;
    snprintf(why, DB_WHY_MAX, "%s",
             err == -EWOULDBLOCK ? "another daemon uses it" : strerror(-err));
    return err;
}

/* ---- tables ---- */

static int exec(struct db *db, const char *sql, char why[DB_WHY_MAX])
{
    if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return db_sql_error(db, "it cannot be used", why);
}

/* One integer of a query. */
static int query(struct db *db, const char *sql, int64_t *out,
                 char why[DB_WHY_MAX])
{
    sqlite3_stmt *q;
    int err = 0;

    if (sqlite3_prepare_v2(db->sql, sql, -1, &q, NULL) != SQLITE_OK)
        return db_sql_error(db, "it cannot be read", why);
    if (sqlite3_step(q) == SQLITE_ROW)
        *out = sqlite3_column_int64(q, 0);
    else
        err = db_sql_error(db, "it cannot be read", why);
    sqlite3_finalize(q);
    return err;
}

static int make_tables(struct db *db, char why[DB_WHY_MAX])
{
    int err = exec(db,
                   "BEGIN EXCLUSIVE;"
                   "PRAGMA application_id = " STR(
                       APPLICATION_ID) ";"
                                       "PRAGMA user_version = " STR(VERSION),
                   why);

    for (int i = 0; !err && i < TABLES; i++)
        err = exec(db, tables[i], why);
    return err ? err : exec(db, "COMMIT", why);
}

/* Checks that the file has exactly the tables that make_tables() makes. */
static int compare_tables(struct db *db, char why[DB_WHY_MAX])
{
    sqlite3_stmt *q;
    bool same = true;
    int n = 0, rc;

    if (sqlite3_prepare_v2(db->sql,
                           "SELECT sql FROM sqlite_schema ORDER BY name", -1,
                           &q, NULL) != SQLITE_OK)
        return db_sql_error(db, "it cannot be read", why);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *sql = (const char *)sqlite3_column_text(q, 0);

        same = same && sql && n < TABLES && !strcmp(sql, tables[n]);
        n++;
    }
    sqlite3_finalize(q);
    if (rc != SQLITE_DONE)
        return db_sql_error(db, "it cannot be read", why);
    if (same && n == TABLES)
        return 0;
    snprintf(why, DB_WHY_MAX, "its tables are not those of a store");
    return -EINVAL;
}

static int check_tables(struct db *db, char why[DB_WHY_MAX])
{
    int64_t objects, id, version;
    int err = query(db, "SELECT count(*) FROM sqlite_schema", &objects, why);

    if (!err)
        err = query(db, "PRAGMA application_id", &id, why);
    if (!err)
        err = query(db, "PRAGMA user_version", &version, why);
    if (err)
        return err;
    if (!objects && !id)
        return make_tables(db, why);
    if (id == APPLICATION_ID && version == VERSION)
        return compare_tables(db, why);
    snprintf(why, DB_WHY_MAX,
             id == APPLICATION_ID ? "its version is %lld; this daemon knows %d"
                                  : "it is a database, but not of a store",
             (long long)version, VERSION);
    return -EINVAL;
}

/* ---- opening ---- */

/*
 * Nothing that the file contains may run: no triggers, no views, no functions
 * in its schema.
 */
static int set_up(struct db *db, char why[DB_WHY_MAX])
{
    static const struct {
        int what, on;
    } config[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
    };

    for (size_t i = 0; i < sizeof(config) / sizeof(config[0]); i++)
        sqlite3_db_config(db->sql, config[i].what, config[i].on, NULL);
    sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    sqlite3_busy_timeout(db->sql, BUSY_MS);
    return exec(db, "PRAGMA cell_size_check = ON", why);
}

/*
 * Sets up a write-ahead log, so that the file can be read while the daemon
 * writes, and syncs it at checkpoints. Then tries whether writing works.
 */
static int try_writing(struct db *db, char why[DB_WHY_MAX])
{
    int err = exec(db,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                   "PRAGMA temp_store = MEMORY; BEGIN IMMEDIATE; ROLLBACK",
                   why);

    /* From now on a locked database is an error at once. */
    sqlite3_busy_timeout(db->sql, 0);
    return err;
}

static int prepare(struct db *db, char why[DB_WHY_MAX])
{
    for (int i = 0; i < DB_STATEMENTS; i++)
        if (sqlite3_prepare_v3(db->sql, statements[i], -1,
                               SQLITE_PREPARE_PERSISTENT, &db->stmt[i],
                               NULL) != SQLITE_OK)
            return db_sql_error(db, "it cannot be written", why);
    return 0;
}

int db_file_open(struct db *db, const char *file, char why[DB_WHY_MAX])
{
    int err = lock_file(db, file, why);

    if (err)
        return err;
    /* An absolute path, so that ":memory:" is a file's name like any other. */
    db->file = realpath(file, NULL);
    if (!db->file || sqlite3_open_v2(db->file, &db->sql, SQLITE_OPEN_READWRITE,
                                     NULL) != SQLITE_OK) {
        snprintf(why, DB_WHY_MAX, "%s",
                 db->file && db->sql ? sqlite3_errmsg(db->sql)
                                     : strerror(errno));
        return -EIO;
    }
    err = set_up(db, why);
    if (!err)
        err = check_tables(db, why);
    if (!err)
        err = try_writing(db, why);
    return err ? err : prepare(db, why);
}

void db_file_close(struct db *db)
{
    for (int i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(db->stmt[i]);
    sqlite3_close(db->sql);
    if (db->lock >= 0)
        close(db->lock);
    free(db->file);
}
