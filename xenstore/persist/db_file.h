/*
 * What the files of the database share: db_file.c opens and checks the file,
 * db_load.c reads it, db.c writes. For them only; others use db.h.
 */
#ifndef XS_DB_FILE_H
#define XS_DB_FILE_H

#include <sqlite3.h>

#include "persist/db.h"
#include "tree/node.h"

/* A row of table domain. */
struct db_domain {
    uint16_t domid;
    uint64_t birth;
};

enum db_statement {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_PUT,      /* path, value, perms, seq */
    DB_CHANGE,   /* value, perms, path */
    DB_DROP,     /* path */
    DB_DROP_SUB, /* paths between the two */
    DB_DOMAINS_CLEAR,
    DB_DOMAIN_PUT, /* domid, birth */
    DB_STATEMENTS
};

struct db {
    struct saver saver;
    struct store *store; /* NULL: not attached */
    char *file;          /* absolute */
    int lock;            /* the descriptor with the flock() */
    sqlite3 *sql;
    sqlite3_stmt *stmt[DB_STATEMENTS];
    /* What the file holds. */
    struct node *root; /* NULL: nothing yet */
    struct perms *special[SPECIAL_COUNT];
    struct db_domain *domains; /* as read; not kept up to date */
    size_t nr_domains;
    int64_t seq;             /* the highest */
    uint64_t domain_changes; /* of the store, when `domain` was written; no
                                store has 0 */
    uint64_t strips;         /* perms_strips, likewise */
    /* How writing goes. */
    bool failed;
    uint64_t failed_ms, retry_ms; /* since when; when to try again */
    char error[128];              /* what was said */
    uint64_t saves, rows;         /* transactions and rows written */
};

/*
 * Opens and locks the file, makes the tables of a new one, checks those of an
 * old one, and prepares the statements. 0, or -errno and the reason.
 */
int db_file_open(struct db *db, const char *file, char why[DB_WHY_MAX]);
void db_file_close(struct db *db);

/* Reads all rows into db->root, special and domains. 0, or -errno. */
int db_load(struct db *db, char why[DB_WHY_MAX]);

/* -errno that fits the last error of SQLite, which it describes in `why`. */
int db_sql_error(const struct db *db, const char *doing, char why[DB_WHY_MAX]);

#endif
