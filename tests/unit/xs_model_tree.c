/* The model's tree: an array of paths; see xs_model.h. */
#include "xs_model.h"

#include <stdio.h>
#include <string.h>

#define HOME "/local/domain/"

static bool path_is_clean(const char *s)
{
    size_t len = strlen(s);

    if (strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                  "0123456789-/_@") != len)
        return false;
    return !strcmp(s, "/") || (!strstr(s, "//") && s[len - 1] != '/');
}

bool m_path(unsigned int domid, const char *s, size_t len, bool special,
            char out[M_PATH])
{
    int n = 0;

    if (len == 0 || len > M_PATH - 32 || (s[0] == '@' && !special))
        return false;
    if (s[0] != '/' && s[0] != '@')
        n = sprintf(out, HOME "%u/", domid);
    memcpy(out + n, s, len);
    out[(size_t)n + len] = '\0';
    return path_is_clean(out);
}

size_t m_path_charged(const char *path)
{
    unsigned int domid;
    int n = 0;

    if (sscanf(path, HOME "%5u/%n", &domid, &n) == 1 && n > 0)
        return strlen(path) - (size_t)n;
    return strlen(path);
}

bool m_parent(const char *path, char out[M_PATH])
{
    char *slash;

    if (!strcmp(path, "/"))
        return false;
    strcpy(out, path);
    slash = strrchr(out, '/');
    slash[slash == out] = '\0';
    return true;
}

int m_below(const char *path, const char *top)
{
    size_t len = strcmp(top, "/") ? strlen(top) : 0;
    int levels = 0;

    if (!strcmp(path, top))
        return 0;
    if (strncmp(path, top, len) || path[len] != '/')
        return -1;
    for (path += len; *path; path++)
        levels += *path == '/';
    return levels;
}

struct m_node *m_find(struct m_tree *t, const char *path)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->node[i].path, path))
            return &t->node[i];
    return NULL;
}

struct m_node *m_nearest(struct m_tree *t, const char *path)
{
    struct m_node *n = m_find(t, path);
    char up[M_PATH];

    if (n)
        return n;
    m_parent(path, up);
    return m_nearest(t, up);
}

struct m_node *m_add(struct m_tree *t, const char *path, unsigned int owner,
                     uint64_t version)
{
    struct m_node *n = &t->node[t->n], *parent;
    char up[M_PATH];

    m_parent(path, up);
    parent = m_find(t, up);
    memset(n, 0, sizeof(*n));
    strcpy(n->path, path);
    n->perms = parent->perms;
    n->perms.e[0].domid = owner;
    n->version = parent->version = version;
    t->n++;
    return n;
}

void m_remove(struct m_tree *t, const char *path, uint64_t version)
{
    char top[M_PATH], up[M_PATH];
    int kept = 0;

    strcpy(top, path); /* it may lie in what moves */
    m_parent(top, up);
    m_find(t, up)->version = version;
    for (int i = 0; i < t->n; i++)
        if (m_below(t->node[i].path, top) < 0)
            t->node[kept++] = t->node[i];
    t->n = kept;
}

size_t m_list(const struct m_tree *t, const char *path, char *out)
{
    size_t len = 0;

    for (int i = 0; i < t->n; i++) {
        const char *name = strrchr(t->node[i].path, '/') + 1;

        if (m_below(t->node[i].path, path) != 1)
            continue;
        strcpy(out + len, name);
        len += strlen(name) + 1;
    }
    return len;
}

int m_count(const struct m_tree *t, unsigned int owner)
{
    int n = 0;

    for (int i = 0; i < t->n; i++)
        n += t->node[i].perms.e[0].domid == owner;
    return n;
}

static unsigned int letter_rights(char letter)
{
    switch (letter) {
    case 'r':
        return M_READ;
    case 'w':
        return M_WRITE;
    case 'b':
        return M_READ | M_WRITE;
    default:
        return 0;
    }
}

unsigned int m_rights(const struct m_perms *p, unsigned int domid, int target)
{
    unsigned int any = M_ANY_DOMID;

    for (int i = 0; i < p->n; i++) {
        const struct m_perm *e = &p->e[i];
        bool mine = e->domid == domid || (int)e->domid == target;

        if (i == 0 && mine)
            return M_READ | M_WRITE | M_OWNER;
        if (i > 0 && !e->inactive && (mine || e->domid == any))
            return letter_rights(e->letter);
    }
    return letter_rights(p->e[0].letter);
}

bool m_perms_equal(const struct m_perms *a, const struct m_perms *b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->e[i].domid != b->e[i].domid ||
            a->e[i].letter != b->e[i].letter ||
            a->e[i].inactive != b->e[i].inactive)
            return false;
    return true;
}

bool m_same(const struct m_node *a, const struct m_node *b)
{
    return a->len == b->len && !memcmp(a->value, b->value, a->len) &&
           m_perms_equal(&a->perms, &b->perms);
}

void m_strip(struct m_perms *p, unsigned int domid)
{
    int kept = 1;

    for (int i = 1; i < p->n; i++)
        if (p->e[i].domid != domid)
            p->e[kept++] = p->e[i];
    if (p->n)
        p->n = kept;
}
