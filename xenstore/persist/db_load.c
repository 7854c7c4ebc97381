/*
 * Reading the database. The rows are untrusted: a row that no store can have
 * written is named, and the whole file is refused.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persist/db_file.h"
#include "printable.h"
#include "tree/tree.h"

/* Characters of a bad path that are shown. */
#define SHOWN_MAX 200

struct load {
    struct db *db;
    sqlite3_stmt *q;
    bool known[XS_DOMIDS]; /* domains with a row of their own */
    struct path path;
    const char *table;
    char *why;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct load *l,
                                                        const char *fmt, ...)
{
    char shown[SHOWN_MAX + 1], reason[256];
    const unsigned char *name = sqlite3_column_text(l->q, 0);
    va_list ap;

    printable_string(shown, sizeof(shown), name ? (const char *)name : "");
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    snprintf(l->why, DB_WHY_MAX, "row '%s' of table %s: %s", shown, l->table,
             reason);
    return -EINVAL;
}

/* Calls `row` for each row of the query. */
static int each_row(struct load *l, const char *sql, int (*row)(struct load *l))
{
    int rc, err = 0;

    if (sqlite3_prepare_v2(l->db->sql, sql, -1, &l->q, NULL) != SQLITE_OK)
        return db_sql_error(l->db, "it cannot be read", l->why);
    while (!err && (rc = sqlite3_step(l->q)) == SQLITE_ROW)
        err = row(l);
    if (!err && rc != SQLITE_DONE)
        err = db_sql_error(l->db, "it cannot be read", l->why);
    sqlite3_finalize(l->q);
    return err;
}

/* ---- domains ---- */

static int domain_row(struct load *l)
{
    struct db *db = l->db;
    int64_t domid = sqlite3_column_int64(l->q, 0);
    void *more;

    if (domid <= 0 || domid >= XS_DOMIDS)
        return refuse(l, "not the number of a domain");
    more = realloc(db->domains, (db->nr_domains + 1) * sizeof(*db->domains));
    if (!more)
        return -ENOMEM;
    db->domains = more;
    db->domains[db->nr_domains++] = (struct db_domain){
        .domid = (uint16_t)domid,
        .birth = (uint64_t)sqlite3_column_int64(l->q, 1),
    };
    l->known[domid] = true;
    return 0;
}

/* ---- permissions ---- */

/* An active entry is for a domain that has a row, or for any domain. */
static bool is_known(const struct load *l, const struct perm *e, bool owner)
{
    if ((e->bits & PERM_INACTIVE) || e->domid == 0 ||
        (!owner && e->domid == PERM_ANY_DOMID))
        return true;
    return e->domid < XS_DOMIDS && l->known[e->domid];
}

/* Parses one entry, up to a comma or the end; *s moves after it. */
static int parse_entry(const char **s, struct perm *e)
{
    bool off = **s == '!';
    size_t len = strcspn(*s += off, ",");
    int err = perm_parse(*s, len, e);

    if (!err && off)
        e->bits |= PERM_INACTIVE;
    *s += len;
    return err;
}

/* The list "n0,r5,!b7" in one column of the row. */
static int row_perms(struct load *l, int column, struct perms **out)
{
    struct perm e[PERMS_MAX];
    const char *s = (const char *)sqlite3_column_text(l->q, column);
    unsigned int n = 0;
    bool bad = !s || strlen(s) != (size_t)sqlite3_column_bytes(l->q, column);

    for (; !bad; s++) {
        bad = n == PERMS_MAX || parse_entry(&s, &e[n]);
        n++;
        if (bad || !*s)
            break;
    }
    if (bad || (e[0].bits & PERM_INACTIVE))
        return refuse(l, "its permissions are not a list like 'n0,r5'");
    for (unsigned int i = 0; i < n; i++)
        if (!is_known(l, &e[i], i == 0))
            return refuse(l,
                          "its permissions name domain %u, which has no row "
                          "in table domain",
                          e[i].domid);
    *out = perms_get(e, n);
    return *out ? 0 : -ENOMEM;
}

/* ---- nodes ---- */

static int special_row(struct load *l, struct perms *perms)
{
    struct perms **place;
    int which = special_find(&l->path);

    if (which < 0)
        return refuse(l, "not a path");
    place = &l->db->special[which];
    perms_unref(*place);
    *place = perms_ref(perms);
    return 0;
}

static int root_row(struct load *l, const void *value, size_t len,
                    struct perms *perms)
{
    l->db->root = tree_new(perms);
    return l->db->root ? tree_write(&l->db->root, &l->path, value, len)
                       : -ENOMEM;
}

static int tree_row(struct load *l, const void *value, size_t len,
                    struct perms *perms)
{
    const struct path *p = &l->path;

    if (!p->depth)
        return root_row(l, value, len, perms);
    if (!l->db->root || !tree_find(l->db->root, p, p->depth - 1u))
        return refuse(l, "its parent is missing, or was made later");
    if (tree_find(l->db->root, p, p->depth))
        return refuse(l, "it is there twice");
    return tree_add(&l->db->root, p, p->depth, value, len, perms);
}

/* Parses the path. A blob is refused, for SQLite would not find it as text. */
static int row_path(struct load *l)
{
    int type = sqlite3_column_type(l->q, 0);
    const char *s = (const char *)sqlite3_column_text(l->q, 0);
    size_t len = (size_t)sqlite3_column_bytes(l->q, 0);

    if (type != SQLITE_TEXT || (s[0] != '/' && s[0] != '@') ||
        path_parse(&l->path, s, len, 0, true))
        return refuse(l, "not a path");
    return 0;
}

static int node_row(struct load *l)
{
    int64_t seq = sqlite3_column_int64(l->q, 3);
    int type = sqlite3_column_type(l->q, 1), err = row_path(l);
    struct perms *perms = NULL;
    const void *value;
    int len;

    if (err)
        return err;
    if (type != SQLITE_BLOB && type != SQLITE_TEXT)
        return refuse(l, "its value is neither a blob nor a text");
    value = sqlite3_column_blob(l->q, 1);
    len = sqlite3_column_bytes(l->q, 1);
    if (len > XENSTORE_PAYLOAD_MAX)
        return refuse(l, "its value is longer than %d bytes",
                      XENSTORE_PAYLOAD_MAX);
    if (seq <= l->db->seq)
        return refuse(l, "its seq is not above that of the row before");
    l->db->seq = seq;
    err = row_perms(l, 2, &perms);
    if (!err && l->path.special)
        err = special_row(l, perms);
    else if (!err)
        err = tree_row(l, value, (size_t)len, perms);
    perms_unref(perms);
    return err;
}

int db_load(struct db *db, char why[DB_WHY_MAX])
{
    struct load *l = calloc(1, sizeof(*l));
    int err;

    if (!l)
        return -ENOMEM;
    l->db = db;
    l->why = why;
    l->table = "domain";
    err = each_row(l, "SELECT domid, birth FROM domain", domain_row);
    l->table = "node";
    if (!err)
        err =
            each_row(l, "SELECT path, value, perms, seq FROM node ORDER BY seq",
                     node_row);
    if (!err && !db->root && (db->seq || db->nr_domains)) {
        snprintf(why, DB_WHY_MAX, "row '/' of table node is missing");
        err = -EINVAL;
    }
    if (err == -ENOMEM)
        snprintf(why, DB_WHY_MAX, "no memory for what is in it");
    free(l);
    return err;
}
