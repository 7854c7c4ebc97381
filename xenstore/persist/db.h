/*
 * The tree in a file: an SQLite database that holds what the store held when it
 * last sent something.
 *
 * A db holds a reference to the version of the tree that is in its file.
 * store_flush() lets it write the difference between that version and the
 * store's, in one transaction of SQLite, before replies and events are sent: an
 * acknowledged change survives the daemon, however it ends. (A crash of the
 * machine may lose the last moments, but neither their order nor half of a
 * transaction.)
 *
 * If the file cannot be written the store goes on in memory. The db logs that
 * once, tries again every second, and logs when the file is complete again.
 *
 * The tables can be read with the sqlite3 shell: node(path, value, perms, seq)
 * has a row per node; perms are as xenstore-ls -p shows them, with a ! before
 * an inactive entry; seq grows in the order of creation. @introduceDomain and
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
 * Opens a database, or creates one, and reads it; it is locked against other
 * daemons. Its content is checked as untrusted input. 0, or -errno with one
 * line in `why`, without the file's name, that says what is wrong.
 */
int db_open(const char *file, struct db **out, char why[DB_WHY_MAX]);

/*
 * Replaces the store's tree by that of the file, before any client connects.
 * Domains that no longer live are removed as when they die. A new database
 * changes nothing. 0, -ENOMEM.
 */
int db_restore(struct db *db, struct store *s);

/*
 * Saves the store to the file from now on. Whatever the file holds, it has the
 * store's tree after the next store_flush().
 */
void db_attach(struct db *db, struct store *s);

/*
 * Writes what is left, detaches the store, closes the file. It may be opened
 * again at once, also by another process (live update: close, exec, open,
 * attach). NULL is allowed.
 */
void db_close(struct db *db);

#endif
