/* A xenstore in memory; see fake_xs.h. */
#include "fake_xs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#define MAX_NODES 512

struct node {
    char *path, *value;
    char perms[40];
};

struct xs_handle {
    struct node nodes[MAX_NODES], saved[MAX_NODES];
    unsigned int n, saved_n;
    int writes;
};

int fake_xs_conflicts, fake_xs_failing_write;
unsigned int fake_xs_introduced;
bool fake_xs_refuse_introduction;

struct xs_handle *fake_xs_new(void)
{
    fake_xs_conflicts = fake_xs_failing_write = 0;
    fake_xs_introduced = 0;
    fake_xs_refuse_introduction = false;
    return calloc(1, sizeof(struct xs_handle));
}

static void free_nodes(struct node *nodes, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        free(nodes[i].path);
        free(nodes[i].value);
    }
}

void fake_xs_free(struct xs_handle *xs)
{
    free_nodes(xs->nodes, xs->n);
    free(xs);
}

static struct node *find(struct xs_handle *xs, const char *path)
{
    for (unsigned int i = 0; i < xs->n; i++) {
        if (strcmp(xs->nodes[i].path, path) == 0)
            return &xs->nodes[i];
    }
    return NULL;
}

/* The node, made with its parents if it is not there. */
static struct node *touch(struct xs_handle *xs, const char *path)
{
    struct node *node = find(xs, path);
    const char *perms = "n0";
    char parent[256];

    if (node != NULL)
        return node;
    snprintf(parent, sizeof(parent), "%s", path);
    *strrchr(parent, '/') = '\0';
    if (parent[0] != '\0')
        perms = touch(xs, parent)->perms;
    node = &xs->nodes[xs->n++];
    node->path = strdup(path);
    node->value = strdup("");
    snprintf(node->perms, sizeof(node->perms), "%s", perms);
    return node;
}

const char *fake_xs_value(struct xs_handle *xs, const char *path)
{
    struct node *node = find(xs, path);

    return node != NULL ? node->value : NULL;
}

const char *fake_xs_perms(struct xs_handle *xs, const char *path)
{
    struct node *node = find(xs, path);

    return node != NULL ? node->perms : NULL;
}

unsigned int fake_xs_count(struct xs_handle *xs)
{
    return xs->n;
}

/* ---- <xenstore.h> ---- */

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int len)
{
    struct node *node;

    (void)t;
    if (++h->writes == fake_xs_failing_write) {
        errno = ENOSPC;
        return false;
    }
    node = touch(h, path);
    free(node->value);
    node->value = strndup(data, len);
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    (void)t;
    return touch(h, path) != NULL;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned int num_perms)
{
    struct node *node = find(h, path);
    size_t at = 0;

    (void)t;
    for (unsigned int i = 0; i < num_perms; i++)
        at += (size_t)snprintf(node->perms + at, sizeof(node->perms) - at,
                               "%s%c%u", i > 0 ? " " : "",
                               perms[i].perms == XS_PERM_READ ? 'r' : 'n',
                               perms[i].id);
    return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    for (unsigned int i = 0; i < h->n; i++) {
        h->saved[i] = h->nodes[i];
        h->saved[i].path = strdup(h->nodes[i].path);
        h->saved[i].value = strdup(h->nodes[i].value);
    }
    h->saved_n = h->n;
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    bool conflict = !abort && fake_xs_conflicts > 0;

    (void)t;
    if (!abort && !conflict) {
        free_nodes(h->saved, h->saved_n);
        return true;
    }
    free_nodes(h->nodes, h->n);
    memcpy(h->nodes, h->saved, sizeof(h->nodes));
    h->n = h->saved_n;
    if (conflict) {
        fake_xs_conflicts--;
        errno = EAGAIN;
    }
    return !conflict;
}

bool xs_introduce_domain(struct xs_handle *h, unsigned int domid,
                         unsigned long mfn, unsigned int eventchn)
{
    (void)h;
    (void)mfn;
    (void)eventchn;
    if (fake_xs_refuse_introduction) {
        errno = EINVAL;
        return false;
    }
    fake_xs_introduced = domid;
    return true;
}

bool xs_release_domain(struct xs_handle *h, unsigned int domid)
{
    (void)h;
    if (domid == fake_xs_introduced)
        fake_xs_introduced = 0;
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    size_t len = strlen(path);
    unsigned int kept = 0;

    (void)t;
    for (unsigned int i = 0; i < h->n; i++) {
        const char *p = h->nodes[i].path;

        if (strncmp(p, path, len) == 0 && (p[len] == '\0' || p[len] == '/'))
            free_nodes(&h->nodes[i], 1);
        else
            h->nodes[kept++] = h->nodes[i];
    }
    h->n = kept;
    return true;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    struct node *node = find(h, path);

    (void)t;
    if (node == NULL) {
        errno = ENOENT;
        return NULL;
    }
    *len = (unsigned int)strlen(node->value);
    return strdup(node->value);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned int *num)
{
    size_t len = strlen(path);
    char **names = malloc(MAX_NODES * (sizeof(*names) + 64)), *at;

    (void)t;
    at = (char *)(names + MAX_NODES);
    *num = 0;
    for (unsigned int i = 0; i < h->n; i++) {
        const char *p = h->nodes[i].path;

        if (strncmp(p, path, len) != 0 || p[len] != '/' ||
            strchr(p + len + 1, '/') != NULL)
            continue;
        names[(*num)++] = at;
        at = stpcpy(at, p + len + 1) + 1;
    }
    return names;
}
