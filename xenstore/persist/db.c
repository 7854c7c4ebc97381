/* The tree in a file: its life, and what is written; see db.h. */
#include "persist/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persist/db_file.h"
#include "session/domain_life.h"
#include "store/hv.h"
#include "tree/diff.h"
#include "tree/tree.h"

#define RETRY_MS 1000

static struct db *db_of(const struct saver *v)
{
    return container_of(v, struct db, saver);
}

/* ---- rows ---- */

/* Runs a statement whose parameters are bound. 0 or -EIO. */
static int run(struct db *db, enum db_statement which)
{
    sqlite3_stmt *q = db->stmt[which];
    int rc = sqlite3_step(q);

    sqlite3_reset(q);
    return rc == SQLITE_DONE ? 0 : -EIO;
}

static void bind_text(sqlite3_stmt *q, int at, const char *s, size_t len)
{
    sqlite3_bind_text(q, at, s, (int)len, SQLITE_STATIC);
}

/* An empty value is a blob of no bytes, not NULL. */
static void bind_value(sqlite3_stmt *q, int at, const struct node *n)
{
    sqlite3_bind_blob(q, at, n ? node_value(n) : "", n ? n->value_len : 0,
                      SQLITE_STATIC);
}

/* "n0,r5,!b7" in a static buffer, which the next call overwrites. */
static void bind_perms(sqlite3_stmt *q, int at, const struct perms *p)
{
    static char text[PERMS_MAX * (PERM_STR_MAX + 1)];
    size_t len = 0;

    for (unsigned int i = 0; i < p->n; i++) {
        if (i)
            text[len++] = ',';
        if (p->e[i].bits & PERM_INACTIVE)
            text[len++] = '!';
        len += perm_format(&p->e[i], text + len) - 1;
    }
    bind_text(q, at, text, len);
}

static int put(struct db *db, const char *path, size_t len,
               const struct node *n, const struct perms *perms)
{
    sqlite3_stmt *q = db->stmt[DB_PUT];

    bind_text(q, 1, path, len);
    bind_value(q, 2, n);
    bind_perms(q, 3, perms);
    sqlite3_bind_int64(q, 4, ++db->seq);
    db->rows++;
    return run(db, DB_PUT);
}

/* ---- the difference ---- */

static int row_added(void *ctx, const char *path, size_t len,
                     const struct node *n)
{
    return put(ctx, path, len, n, n->perms);
}

static int row_changed(void *ctx, const char *path, size_t len,
                       const struct node *n)
{
    struct db *db = ctx;
    sqlite3_stmt *q = db->stmt[DB_CHANGE];

    bind_value(q, 1, n);
    bind_perms(q, 2, n->perms);
    bind_text(q, 3, path, len);
    db->rows++;
    return run(db, DB_CHANGE);
}

/* The rows below "/a" are those between "/a/" and "/a0". */
static int row_gone(void *ctx, const char *path, size_t len,
                    const struct node *n)
{
    struct db *db = ctx;
    char from[PATH_STR_MAX + 2], to[PATH_STR_MAX + 2];
    int err;

    bind_text(db->stmt[DB_DROP], 1, path, len);
    err = run(db, DB_DROP);
    db->rows++;
    if (err || !n->children)
        return err;
    memcpy(from, path, len);
    memcpy(to, path, len);
    from[len] = '/';
    to[len] = '/' + 1;
    bind_text(db->stmt[DB_DROP_SUB], 1, from, len + 1);
    bind_text(db->stmt[DB_DROP_SUB], 2, to, len + 1);
    return run(db, DB_DROP_SUB);
}

static const struct diff_ops row_ops = { row_gone, row_added, row_changed };

static bool special_same(const struct db *db, const struct store *s, int i)
{
    return db->special[i] && !s->special[i]->stripped &&
           perms_equal(db->special[i], s->special[i]);
}

static int write_specials(struct db *db, const struct store *s)
{
    int err = 0;

    for (int i = 0; !err && i < SPECIAL_COUNT; i++)
        if (!special_same(db, s, i))
            err = put(db, special_path[i], strlen(special_path[i]), NULL,
                      s->special[i]);
    return err;
}

/* Writes which domains the numbers in permissions mean. */
static int write_domains(struct db *db, struct store *s)
{
    sqlite3_stmt *q = db->stmt[DB_DOMAIN_PUT];
    struct list *pos;
    int err = run(db, DB_DOMAINS_CLEAR);

    list_for_each(pos, &s->domain_list) {
        const struct domain *d = domain_of(pos);

        if (err || domain_privileged(d))
            continue;
        sqlite3_bind_int64(q, 1, d->domid);
        sqlite3_bind_int64(q, 2, (int64_t)d->birth);
        err = run(db, DB_DOMAIN_PUT);
    }
    return err;
}

/*
 * Writes the lists that a dead domain's entries were removed from. tree_diff()
 * does not see these, for both versions share the list.
 */
static int write_stripped(struct db *db, struct store *s)
{
    char path[PATH_STR_MAX + 1];
    struct tree_walk w;
    struct node *n;
    int err = 0;

    tree_walk_begin(&w, s->root);
    while (!err && (n = tree_walk_next(&w))) {
        size_t len = tree_walk_path_len(&w);

        if (!n->perms->stripped)
            continue;
        tree_walk_path(&w, path);
        err = len ? row_changed(db, path, len, n) : row_changed(db, "/", 1, n);
    }
    return err;
}

static int write_all(struct db *db, struct store *s)
{
    int err = run(db, DB_BEGIN);

    if (!err && db->domain_changes != s->domain_changes)
        err = write_domains(db, s);
    if (!err)
        err = tree_diff(db->root, s->root, &row_ops, db);
    if (!err)
        err = write_specials(db, s);
    if (!err && db->strips != perms_strips)
        err = write_stripped(db, s);
    return err ? err : run(db, DB_COMMIT);
}

/* ---- saving ---- */

static bool is_saved(const struct db *db, const struct store *s)
{
    if (db->root != s->root || db->domain_changes != s->domain_changes ||
        db->strips != perms_strips)
        return false;
    for (int i = 0; i < SPECIAL_COUNT; i++)
        if (db->special[i] != s->special[i])
            return false;
    return true;
}

/* The file now holds what the store holds. */
static void saved(struct db *db, struct store *s)
{
    node_unref_later(db->root);
    db->root = node_ref(s->root);
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        perms_unref(db->special[i]);
        db->special[i] = perms_ref(s->special[i]);
    }
    db->domain_changes = s->domain_changes;
    if (db->strips != perms_strips)
        perms_settle();
    db->strips = perms_strips;
    db->saves++;
    log_trace(LOG_DB, "transaction %llu of SQLite; %llu rows so far",
              (unsigned long long)db->saves, (unsigned long long)db->rows);
    if (db->failed)
        log_line("db %s: written again after %llu s; nothing is missing",
                 db->file,
                 (unsigned long long)(s->now_ms - db->failed_ms) / 1000);
    db->failed = false;
}

static void not_saved(struct db *db, const struct store *s)
{
    snprintf(db->error, sizeof(db->error), "%s", sqlite3_errmsg(db->sql));
    if (!sqlite3_get_autocommit(db->sql))
        (void)run(db, DB_ROLLBACK);
    if (!db->failed) {
        log_line("db %s: cannot be written: %s; going on in memory", db->file,
                 db->error);
        db->failed_ms = s->now_ms;
    }
    db->failed = true;
    db->retry_ms = s->now_ms + RETRY_MS;
}

static void db_save(struct saver *v, struct store *s)
{
    struct db *db = db_of(v);

    if (is_saved(db, s))
        return;
    if (!db->failed || s->now_ms >= db->retry_ms) {
        if (write_all(db, s) == 0)
            saved(db, s);
        else
            not_saved(db, s);
    }
    if (db->failed)
        store_want_tick(s, db->retry_ms - s->now_ms);
}

static void db_report(const struct saver *v, FILE *f)
{
    const struct db *db = db_of(v);

    fprintf(f, "db %s: ", db->file);
    if (db->failed)
        fprintf(f, "not written for %llu s: %s\n",
                (unsigned long long)(db->store->now_ms - db->failed_ms) / 1000,
                db->error);
    else
        fprintf(f, "up to date; %llu rows in %llu transactions\n",
                (unsigned long long)db->rows, (unsigned long long)db->saves);
}

/* ---- life ---- */

int db_open(const char *file, struct db **out, char why[DB_WHY_MAX])
{
    struct db *db = calloc(1, sizeof(*db));
    int err;

    if (!db) {
        snprintf(why, DB_WHY_MAX, "no memory");
        return -ENOMEM;
    }
    db->saver = (struct saver){ db_save, db_report };
    db->lock = -1;
    db->strips = perms_strips;
    err = db_file_open(db, file, why);
    if (!err)
        err = db_load(db, why);
    if (err)
        db_close(db);
    else
        *out = db;
    return err;
}

/* The file's tree and permissions become the store's. */
static void take_over(struct db *db, struct store *s)
{
    node_unref(s->root);
    s->root = node_ref(db->root);
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        if (!db->special[i])
            continue;
        perms_unref(s->special[i]);
        s->special[i] = perms_ref(db->special[i]);
    }
}

/*
 * Makes a record of every domain that the file knows and charges it with its
 * nodes; then removes the domains that have died, or whose number another
 * domain has now.
 */
int db_restore(struct db *db, struct store *s)
{
    struct tree_walk w;
    struct node *n;

    if (!db->root)
        return 0;
    for (size_t i = 0; i < db->nr_domains; i++)
        if (domain_remember(s, db->domains[i].domid, db->domains[i].birth))
            return -ENOMEM;
    take_over(db, s);
    tree_walk_begin(&w, s->root);
    while ((n = tree_walk_next(&w)))
        store_account(s, perms_owner(n->perms), 1, node_cost(n));
    domain_check_all(s);
    return 0;
}

void db_attach(struct db *db, struct store *s)
{
    db->store = s;
    s->saver = &db->saver;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->store) {
        db->retry_ms = 0;
        db_save(&db->saver, db->store);
        db->store->saver = NULL;
        if (db->failed)
            log_line("db %s: the changes of the last %llu s are lost", db->file,
                     (unsigned long long)(db->store->now_ms - db->failed_ms) /
                         1000);
    }
    db_file_close(db);
    node_unref(db->root);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        perms_unref(db->special[i]);
    free(db->domains);
    free(db);
}
