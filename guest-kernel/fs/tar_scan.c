/*
 * Building the index of a tar archive: one walk over its headers.
 *
 * Formats: POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU tar's 'L' and 'K'
 * headers and base-256 numbers, V7 before them. Everything read is checked
 * here; what leaves this file is sound.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tar_scan.h"

int tar_scan_fail_(struct tar_scan *s, int err, const char *what)
{
    if (s->why && s->why_len)
        snprintf(s->why, s->why_len, "tar: %s at byte %llu", what,
                 (unsigned long long)s->at);
    return err;
}

const char *tar_scan_block_(struct tar_scan *s, uint64_t at, int *err)
{
    if (at < s->buffer_at || at - s->buffer_at >= s->buffer_len) {
        uint64_t len = s->size - at;

        if (len > sizeof(s->buffer))
            len = sizeof(s->buffer);
        s->buffer_len = 0;
        *err = s->read(s->ctx, at, s->buffer, len);
        if (*err) {
            tar_scan_fail_(s, *err, "cannot read the disk");
            return NULL;
        }
        s->buffer_at = at;
        s->buffer_len = len;
    }
    return s->buffer + (at - s->buffer_at);
}

/* Adds a member that owns path and target, which are freed on failure. */
static int add_member(struct tar_scan *s, struct tar_member m)
{
    struct tar *t = s->tar;
    int err = 0;

    if (t->count == TAR_MEMBERS_MAX) {
        err = tar_scan_fail_(s, -E2BIG, "more members than the limit");
        goto out;
    }
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct tar_member *grown = realloc(t->members, room * sizeof(*grown));

        if (!grown) {
            err = -ENOMEM;
            goto out;
        }
        t->members = grown;
        t->room = room;
    }
    m.order = t->count;
    t->members[t->count++] = m;
    return 0;
out:
    free(m.path);
    free(m.target);
    return err;
}

static int add_directory(struct tar_scan *s, const char *path, size_t len)
{
    struct tar_member m = { .type = TAR_DIRECTORY, .mode = 0755 };

    m.path = strndup(path, len);
    if (!m.path)
        return -ENOMEM;
    return add_member(s, m);
}

static void forget_overrides(struct tar_scan *s)
{
    free(s->next.path);
    free(s->next.link);
    memset(&s->next, 0, sizeof(s->next));
}

static char *member_path(const struct tar_scan *s, const struct tar_header *h)
{
    char buf[sizeof(h->prefix) + 1 + sizeof(h->name) + 1];
    bool prefixed = memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0];

    if (s->next.path)
        return strdup(s->next.path);
    snprintf(buf, sizeof(buf), "%.*s%s%.*s",
             prefixed ? (int)sizeof(h->prefix) : 0, h->prefix,
             prefixed ? "/" : "", (int)sizeof(h->name), h->name);
    return strdup(buf);
}

static char *member_link(const struct tar_scan *s, const struct tar_header *h)
{
    if (s->next.link)
        return strdup(s->next.link);
    return strndup(h->link, sizeof(h->link));
}

/* What kind of member the header makes; 1: none that is kept. */
static int member_kind(struct tar_scan *s, char type, struct tar_member *m,
                       bool slash)
{
    m->type = slash ? TAR_DIRECTORY : TAR_FILE;
    switch (type) {
    case '\0':
    case '0':
    case '7':
        break;
    case '1':
        m->type = TAR_HARDLINK;
        break;
    case '2':
        m->type = TAR_SYMLINK;
        break;
    case '5':
        m->type = TAR_DIRECTORY;
        break;
    case 'S':
        return tar_scan_fail_(s, -EINVAL, "a sparse member, which is not read");
    default:
        return 1; /* devices, pipes, volume labels */
    }
    if (m->type == TAR_DIRECTORY)
        m->size = 0;
    else if (!m->path[0])
        return tar_scan_fail_(s, -EINVAL, "a member without a name");
    if (m->type == TAR_HARDLINK && !tar_path_clean_(m->target))
        return tar_scan_fail_(s, -EINVAL, "a link leaves the archive");
    return 0;
}

static int scan_member(struct tar_scan *s, const struct tar_header *h,
                       uint64_t size)
{
    struct tar_member m = { .offset = s->at + TAR_BLOCK, .size = size };
    uint64_t mode, mtime;
    bool slash;
    size_t len;
    int err;

    if (tar_number_(h->mode, sizeof(h->mode), &mode) ||
        tar_number_(h->mtime, sizeof(h->mtime), &mtime))
        return tar_scan_fail_(s, -EINVAL, "a broken number");
    m.mode = mode & 07777;
    m.mtime = s->next.has_mtime ? s->next.mtime : (int64_t)mtime;
    m.path = member_path(s, h);
    m.target = member_link(s, h);
    err = -ENOMEM;
    if (!m.path || !m.target)
        goto out;
    len = strlen(m.path);
    slash = len && m.path[len - 1] == '/';
    if (len >= TAR_PATH_MAX || strlen(m.target) >= TAR_PATH_MAX) {
        err = tar_scan_fail_(s, -E2BIG, "a name over the limit");
        goto out;
    }
    if (!tar_path_clean_(m.path)) {
        err = tar_scan_fail_(s, -EINVAL, "a name leaves the archive");
        goto out;
    }
    err = member_kind(s, h->type, &m, slash);
    if (!err)
        return add_member(s, m);
out:
    free(m.path);
    free(m.target);
    return err < 0 ? err : 0;
}

static bool all_zero(const char *block)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* One header and what belongs to it; 1 at the end of the archive. */
static int scan_step(struct tar_scan *s)
{
    struct tar_header h;
    const char *block;
    uint64_t size;
    int err = 0;

    if (s->size - s->at < TAR_BLOCK)
        return 1;
    block = tar_scan_block_(s, s->at, &err);
    if (!block)
        return err;
    if (all_zero(block))
        return 1;
    memcpy(&h, block, sizeof(h));
    if (!tar_checksum_ok_(&h))
        return tar_scan_fail_(s, -EINVAL,
                              s->at ? "a broken header" : "not a tar archive");
    if (tar_number_(h.size, sizeof(h.size), &size))
        return tar_scan_fail_(s, -EINVAL, "a broken size");
    if (s->next.has_size && !strchr("xgLK", h.type))
        size = s->next.size;
    if (h.type == '1')
        size = 0; /* a link has no data, whatever its size says */
    if (size > s->size - s->at - TAR_BLOCK)
        return tar_scan_fail_(s, -EINVAL,
                              "a member that the archive cuts short");

    if (h.type && strchr("xgLK", h.type)) {
        err = tar_scan_extended_(s, h.type, size);
    } else {
        err = scan_member(s, &h, size);
        forget_overrides(s);
    }
    if (err)
        return err;
    s->at += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    if (s->at > s->size)
        s->at = s->size;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct tar_member *x = a, *y = b;
    int c = tar_path_compare_(x->path, y->path);

    if (c)
        return c;
    return x->order < y->order ? -1 : 1;
}

/* Sorts, and of members of one name keeps the last. */
static void sort_members(struct tar *t)
{
    size_t kept = 0;

    qsort(t->members, t->count, sizeof(t->members[0]), by_path);
    for (size_t i = 0; i < t->count; i++) {
        struct tar_member *last = kept ? &t->members[kept - 1] : NULL;

        if (last && strcmp(last->path, t->members[i].path) == 0) {
            free(last->path);
            free(last->target);
            *last = t->members[i];
        } else {
            t->members[kept++] = t->members[i];
        }
    }
    t->count = kept;
}

/* Adds the directories that members lie in but nobody named. */
static int make_parents(struct tar_scan *s)
{
    struct tar *t = s->tar;
    size_t named = t->count;

    for (size_t i = 0; i < named; i++) {
        const char *path = t->members[i].path;
        const char *before = i ? t->members[i - 1].path : "";

        for (const char *p = path; (p = strchr(p, '/')); p++) {
            size_t len = (size_t)(p - path);
            int err;

            /* The neighbour before has the same parents, or is one. */
            if (!strncmp(before, path, len) &&
                (before[len] == '/' || before[len] == '\0'))
                continue;
            err = add_directory(s, path, len);
            if (err)
                return err;
        }
    }
    if (t->count > named)
        sort_members(t);
    return 0;
}

/* A file may not also be a directory that others lie in. */
static int check_parents(struct tar_scan *s)
{
    const struct tar *t = s->tar;

    for (size_t i = 1; i < t->count; i++) {
        const char *path = t->members[i].path;
        size_t len = strlen(t->members[i - 1].path);

        if (t->members[i - 1].type != TAR_DIRECTORY &&
            !strncmp(t->members[i - 1].path, path, len) && path[len] == '/')
            return tar_scan_fail_(s, -EINVAL,
                                  "a file that is also a directory");
    }
    return 0;
}

/* Gives hard links the place and size of the file they name. */
static int resolve_links(struct tar_scan *s)
{
    for (size_t i = 0; i < s->tar->count; i++) {
        struct tar_member *m = &s->tar->members[i];
        const struct tar_member *to = m;

        for (int n = 0; to && to->type == TAR_HARDLINK; n++)
            to = n < TAR_LINKS_MAX ? tar_find_(s->tar, to->target) : NULL;
        if (!to || (to != m && to->type != TAR_FILE))
            return tar_scan_fail_(s, -EINVAL, "a hard link to no file");
        m->offset = to->offset;
        m->size = to->size;
    }
    for (size_t i = 0; i < s->tar->count; i++) {
        struct tar_member *m = &s->tar->members[i];

        if (m->type == TAR_HARDLINK)
            m->type = TAR_FILE;
        if (m->type != TAR_SYMLINK) {
            free(m->target);
            m->target = NULL;
        }
    }
    return 0;
}

int tar_open(tar_read_t *read, void *ctx, uint64_t size, struct tar **out,
             char *why, size_t n)
{
    struct tar_scan *s = calloc(1, sizeof(*s));
    struct tar *t = calloc(1, sizeof(*t));
    int err = -ENOMEM;

    if (!s || !t)
        goto out;
    s->read = read;
    s->ctx = ctx;
    s->tar = t;
    s->size = size - size % TAR_BLOCK;
    s->why = why;
    s->why_len = n;
    if (!s->size) {
        err = tar_scan_fail_(s, -EINVAL, "not a tar archive");
        goto out;
    }
    err = add_directory(s, "", 0);
    while (!err)
        err = scan_step(s);
    if (err < 0)
        goto out;
    sort_members(t);
    err = make_parents(s);
    if (!err)
        err = check_parents(s);
    if (!err)
        err = resolve_links(s);
out:
    if (s)
        forget_overrides(s);
    free(s);
    if (err) {
        if (err == -ENOMEM && why && n)
            snprintf(why, n, "tar: out of memory");
        tar_close(t);
        return err;
    }
    *out = t;
    return 0;
}
