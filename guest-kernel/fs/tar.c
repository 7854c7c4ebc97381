/*
 * Look-ups in the index of a tar archive; tar_scan.c builds it.
 *
 * Members stand in one array, sorted so that a directory is followed at once
 * by all that is below it: the slash sorts before every other character.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tar_index.h"

/* The slash before everything, the end of the string before that. */
static int tar_rank(char c)
{
    if (c == '\0')
        return 0;
    return c == '/' ? 1 : (unsigned char)c + 1;
}

int tar_path_compare_(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return tar_rank(*a) - tar_rank(*b);
}

size_t tar_count(const struct tar *t)
{
    return t->count;
}

void tar_close(struct tar *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->members[i].path);
        free(t->members[i].target);
    }
    free(t->members);
    free(t);
}

struct tar_member *tar_find_(const struct tar *t, const char *path)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = tar_path_compare_(t->members[mid].path, path);

        if (c == 0)
            return &t->members[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/*
 * A look-up walks `done` (canonical, a directory) along `rest`. A symbolic
 * link puts its target in front of the rest.
 */
struct walk {
    char done[TAR_PATH_MAX];
    char rest[TAR_PATH_MAX];
};

static void walk_up(struct walk *w)
{
    char *slash = strrchr(w->done, '/');

    if (slash)
        *slash = '\0';
    else
        w->done[0] = '\0';
}

static int walk_down(struct walk *w, const char *name, size_t len)
{
    size_t at = strlen(w->done);

    if (at + 1 + len + 1 > sizeof(w->done))
        return -ENAMETOOLONG;
    if (at)
        w->done[at++] = '/';
    memcpy(w->done + at, name, len);
    w->done[at + len] = '\0';
    return 0;
}

/* Continues at the link's target, then with the rest of the path. */
static int walk_link(struct walk *w, const char *target, const char *left)
{
    size_t n = strlen(target), m = strlen(left);

    if (n + 1 + m + 1 > sizeof(w->rest))
        return -ENAMETOOLONG;
    memmove(w->rest + n + 1, left, m + 1);
    memcpy(w->rest, target, n);
    w->rest[n] = '/';
    if (target[0] == '/')
        w->done[0] = '\0';
    else
        walk_up(w);
    return 0;
}

int tar_lookup(const struct tar *t, const char *path, int follow,
               const struct tar_member **out)
{
    struct walk w = { .done = "" };
    const struct tar_member *m = &t->members[0];
    const char *p = w.rest;
    int links = 0, err;

    if (strlen(path) >= sizeof(w.rest))
        return -ENAMETOOLONG;
    strcpy(w.rest, path);

    for (;;) {
        size_t len;

        p += strspn(p, "/");
        if (!*p)
            break;
        if (m->type != TAR_DIRECTORY)
            return -ENOTDIR;
        len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.')
            walk_up(&w);
        else if (len != 1 || p[0] != '.')
            if ((err = walk_down(&w, p, len)))
                return err;
        p += len;
        m = tar_find_(t, w.done);
        if (!m)
            return -ENOENT;
        if (m->type == TAR_SYMLINK && (follow || *p)) {
            if (++links > TAR_LINKS_MAX)
                return -ELOOP;
            if ((err = walk_link(&w, m->target, p)))
                return err;
            p = w.rest;
            m = tar_find_(t, w.done);
        }
    }
    if (*path && path[strlen(path) - 1] == '/' && m->type != TAR_DIRECTORY)
        return -ENOTDIR;
    *out = m;
    return 0;
}

const struct tar_member *tar_next(const struct tar *t,
                                  const struct tar_member *dir,
                                  const struct tar_member *after)
{
    const struct tar_member *end = t->members + t->count;
    const struct tar_member *m = after ? after + 1 : dir + 1;
    size_t len = strlen(dir->path);

    for (; m < end; m++) {
        const char *name = m->path + len;

        if (strncmp(m->path, dir->path, len) != 0 || (len && *name != '/'))
            return NULL;
        if (!strchr(name + (len ? 1 : 0), '/'))
            return m;
    }
    return NULL;
}
