/* A xenstore in memory; see fake_xs.h. */
#include "fake_xs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"
#include "xs_pipeline.h"

#define MAX_NODES 512

struct node {
    char *path, *value;
    char perms[40];
};

struct xs_pipeline {
    struct node nodes[MAX_NODES], saved[MAX_NODES];
    unsigned int n, saved_n;
    int writes;
    int error; /* the first since the last run */
    char answer[4097];
    size_t answer_len;
};

int fake_xs_conflicts, fake_xs_failing_write;
unsigned int fake_xs_introduced;
bool fake_xs_refuse_introduction;

struct xs_pipeline *fake_xs_new(void)
{
    fake_xs_conflicts = fake_xs_failing_write = 0;
    fake_xs_introduced = 0;
    fake_xs_refuse_introduction = false;
    return calloc(1, sizeof(struct xs_pipeline));
}

static void free_nodes(struct node *nodes, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        free(nodes[i].path);
        free(nodes[i].value);
    }
}

void fake_xs_free(struct xs_pipeline *xs)
{
    free_nodes(xs->nodes, xs->n);
    free(xs);
}

static struct node *find(struct xs_pipeline *xs, const char *path)
{
    for (unsigned int i = 0; i < xs->n; i++) {
        if (strcmp(xs->nodes[i].path, path) == 0)
            return &xs->nodes[i];
    }
    return NULL;
}

/* The node, made with its parents if it is not there. */
static struct node *touch(struct xs_pipeline *xs, const char *path)
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

const char *fake_xs_value(struct xs_pipeline *xs, const char *path)
{
    struct node *node = find(xs, path);

    return node != NULL ? node->value : NULL;
}

const char *fake_xs_perms(struct xs_pipeline *xs, const char *path)
{
    struct node *node = find(xs, path);

    return node != NULL ? node->perms : NULL;
}

unsigned int fake_xs_count(struct xs_pipeline *xs)
{
    return xs->n;
}

void fake_xs_write(struct xs_pipeline *xs, const char *path, const char *value)
{
    struct node *node = touch(xs, path);

    free(node->value);
    node->value = strdup(value);
}

/* ---- requests ---- */

static int serve_write(struct xs_pipeline *p, const char *path,
                       const char *value, size_t len)
{
    char copy[4097];

    if (++p->writes == fake_xs_failing_write)
        return -ENOSPC;
    memcpy(copy, value, len);
    copy[len] = '\0';
    fake_xs_write(p, path, copy);
    return 0;
}

static int serve_perms(struct xs_pipeline *p, const char *path,
                       const char *perms, size_t len)
{
    struct node *node = find(p, path);

    if (node == NULL)
        return -ENOENT;
    memcpy(node->perms, perms, len);
    for (size_t i = 0; i + 1 < len; i++)
        if (node->perms[i] == '\0')
            node->perms[i] = ' ';
    return 0;
}

static void start_transaction(struct xs_pipeline *p)
{
    for (unsigned int i = 0; i < p->n; i++) {
        p->saved[i] = p->nodes[i];
        p->saved[i].path = strdup(p->nodes[i].path);
        p->saved[i].value = strdup(p->nodes[i].value);
    }
    p->saved_n = p->n;
    strcpy(p->answer, "1");
}

static int end_transaction(struct xs_pipeline *p, bool commit)
{
    bool conflict = commit && fake_xs_conflicts > 0;

    if (commit && !conflict) {
        free_nodes(p->saved, p->saved_n);
        return 0;
    }
    free_nodes(p->nodes, p->n);
    memcpy(p->nodes, p->saved, sizeof(p->nodes));
    p->n = p->saved_n;
    fake_xs_conflicts -= conflict;
    return conflict ? -EAGAIN : 0;
}

static void serve_rm(struct xs_pipeline *p, const char *path)
{
    size_t len = strlen(path);
    unsigned int kept = 0;

    for (unsigned int i = 0; i < p->n; i++) {
        const char *at = p->nodes[i].path;

        if (strncmp(at, path, len) == 0 && (at[len] == '\0' || at[len] == '/'))
            free_nodes(&p->nodes[i], 1);
        else
            p->nodes[kept++] = p->nodes[i];
    }
    p->n = kept;
}

static int serve_read(struct xs_pipeline *p, const char *path)
{
    struct node *node = find(p, path);

    if (node == NULL)
        return -ENOENT;
    p->answer_len = strlen(strcpy(p->answer, node->value));
    return 0;
}

static void serve_directory(struct xs_pipeline *p, const char *path)
{
    size_t len = strlen(path);
    char *at = p->answer;

    for (unsigned int i = 0; i < p->n; i++) {
        const char *name = p->nodes[i].path;

        if (strncmp(name, path, len) == 0 && name[len] == '/' &&
            strchr(name + len + 1, '/') == NULL)
            at = stpcpy(at, name + len + 1) + 1;
    }
    p->answer_len = (size_t)(at - p->answer);
}

static int introduce(const char *domid)
{
    if (fake_xs_refuse_introduction)
        return -EINVAL;
    fake_xs_introduced = (unsigned int)atoi(domid);
    return 0;
}

static int serve(struct xs_pipeline *p, uint32_t type, const char *path,
                 const void *data, size_t len)
{
    switch (type) {
    case XS_WRITE:
        return serve_write(p, path, data, len);
    case XS_MKDIR:
        touch(p, path);
        return 0;
    case XS_SET_PERMS:
        return serve_perms(p, path, data, len);
    case XS_TRANSACTION_START:
        start_transaction(p);
        return 0;
    case XS_TRANSACTION_END:
        return end_transaction(p, path[0] == 'T');
    case XS_RM:
        serve_rm(p, path);
        return 0;
    case XS_READ:
        return serve_read(p, path);
    case XS_DIRECTORY:
        serve_directory(p, path);
        return 0;
    case XS_INTRODUCE:
        return introduce(path);
    case XS_RELEASE:
        if ((unsigned int)atoi(path) == fake_xs_introduced)
            fake_xs_introduced = 0;
        return 0;
    default:
        return -ENOSYS;
    }
}

/* ---- xs_pipeline.h ---- */

int xs_pipeline_add(struct xs_pipeline *p, uint32_t type, uint32_t tx,
                    const char *path, const void *data, size_t len)
{
    int err;

    (void)tx;
    p->answer[0] = '\0';
    p->answer_len = 0;
    err = serve(p, type, path, data, len);
    if (p->error == 0)
        p->error = err;
    return 0;
}

int xs_pipeline_run(struct xs_pipeline *p)
{
    int err = p->error;

    p->error = 0;
    errno = -err;
    return err;
}

/* Only the last one's is kept. */
const char *xs_pipeline_answer(struct xs_pipeline *p, unsigned int i,
                               size_t *len)
{
    (void)i;
    *len = p->answer_len;
    return errno == 0 ? p->answer : NULL;
}

const char *xs_pipeline_ask(struct xs_pipeline *p, uint32_t type,
                            const char *path, const void *data, size_t len)
{
    xs_pipeline_add(p, type, 0, path, data, len);
    return xs_pipeline_run(p) == 0 ? p->answer : NULL;
}

char *xs_pipeline_list(struct xs_pipeline *p, const char *path, size_t *len)
{
    char *list;

    if (xs_pipeline_ask(p, XS_DIRECTORY, path, NULL, 0) == NULL)
        return NULL;
    *len = p->answer_len;
    list = malloc(*len + 1);
    memcpy(list, p->answer, *len + 1);
    return list;
}
