/*
 * The tree in a file: an SQLite database that holds what the store held when
 * it last sent something.
 *
 * A db keeps the version of the tree that its file has. store_flush() lets it
 * write the difference between that version and the store's, in one
 * transaction of SQLite, before replies and events leave: what a client was
 * told survives the daemon, however it ends. (The machine's own end may cost
 * the last moments; never the order of changes, nor half of a transaction.)
 *
 * If the file cannot be written the store goes on in memory. The db says so
 * once, tries again every second, and says when all of it is in the file.
 *
 * The tables, for people: node(path, value, perms, seq) has a row per node;
 * perms are as xenstore-ls -p shows them, with a ! before an entry that counts
 * for nobody; seq grows in the order of creation. @introduceDomain and
 * @releaseDomain are rows, too. domain(domid, birth) says which domains the
 * numbers in perms mean.
 */
#ifndef XS_DB_H
#define XS_DB_H

#include <stddef.h>

#include "store/store.h"

struct db;

/* Long enough for what db_open() says. */
#define DB_WHY_MAX 512

/*
 * Opens a database, or makes one, and reads it; nobody else may use it as a
 * store meanwhile. It is checked as what a stranger wrote. 0, or -errno and in
 * `why` one line, without the file's name, that says what is wrong.
 */
int db_open(const char *file, struct db **out, char why[DB_WHY_MAX]);

/*
 * Puts what the file holds in place of the store's tree, before anybody is
 * connected. Domains that do not live any more go as they do when they die. A
 * new database changes nothing. 0, -ENOMEM.
 */
int db_restore(struct db *db, struct store *s);

/*
 * Keeps the store in the file from now on. Whatever the file holds, it has
 * the store's tree after the next store_flush().
 */
void db_attach(struct db *db, struct store *s);

/*
 * Writes what is left, detaches the store, closes the file. It may be opened
 * again at once, also by another process (live update: close, exec, open,
 * attach). NULL is allowed.
 */
void db_close(struct db *db);

#endif
