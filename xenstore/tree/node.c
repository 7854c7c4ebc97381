/* Nodes: allocation, copies, references; see node.h. */
#include "tree/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct node_stats node_stats;

static size_t node_size(size_t name_len, size_t value_len)
{
    return sizeof(struct node) + name_len + 1 + value_len;
}

static struct node *node_alloc(size_t name_len, size_t value_len)
{
    size_t size = node_size(name_len, value_len);
    struct node *n;

    assert(name_len <= UINT16_MAX && value_len <= UINT16_MAX);
    n = malloc(size);
    if (!n)
        return NULL;
    n->refs = 1;
    n->name_len = (uint16_t)name_len;
    n->value_len = (uint16_t)value_len;
    node_stats.nodes++;
    node_stats.bytes += size;
    return n;
}

struct node *node_new(const struct name *name, const void *value, size_t len,
                      struct perms *perms)
{
    struct node *n = node_alloc(name->len, len);

    if (!n)
        return NULL;
    n->gen = 0;
    n->perms = perms_ref(perms);
    n->children = NULL;
    memcpy(n->data, name->s, name->len);
    n->data[name->len] = '\0';
    if (len)
        memcpy(n->data + name->len + 1, value, len);
    return n;
}

struct node *node_copy(const struct node *n)
{
    struct node *c = node_alloc(n->name_len, n->value_len);

    if (!c)
        return NULL;
    c->gen = n->gen;
    c->perms = perms_ref(n->perms);
    c->children = children_ref(n->children);
    memcpy(c->data, n->data, (size_t)n->name_len + 1 + n->value_len);
    return c;
}

int node_set_value(struct node **place, const void *value, size_t len)
{
    struct node *n = *place;

    assert(n->refs == 1 && len <= UINT16_MAX);
    if (len != n->value_len) {
        n = realloc(n, node_size(n->name_len, len));
        if (!n)
            return -ENOMEM;
        node_stats.bytes += len - n->value_len;
        n->value_len = (uint16_t)len;
        *place = n;
    }
    if (len)
        memcpy(n->data + n->name_len + 1, value, len);
    return 0;
}

bool node_same(const struct node *a, const struct node *b)
{
    return a->value_len == b->value_len &&
           !memcmp(node_value(a), node_value(b), a->value_len) &&
           perms_equal(a->perms, b->perms);
}

struct node *node_ref(struct node *n)
{
    assert(n->refs);
    n->refs++;
    return n;
}

/*
 * Drops a reference; a node that lost its last one joins the list of dead
 * nodes.
 */
static void node_drop(struct node *n, void *arg)
{
    struct node **dead = arg;

    assert(n->refs);
    if (--n->refs)
        return;
    /* overwrites gen, which a dead node does not need */
    n->next_dead = *dead;
    *dead = n;
}

/* Frees the first node of a list; children that die join the list. */
static void node_free_one(struct node **dead)
{
    struct node *n = *dead;

    *dead = n->next_dead;
    perms_unref(n->perms);
    children_unref(n->children, node_drop, dead);
    assert(node_stats.nodes &&
           node_stats.bytes >= node_size(n->name_len, n->value_len));
    node_stats.nodes--;
    node_stats.bytes -= node_size(n->name_len, n->value_len);
    free(n);
}

void node_unref(struct node *n)
{
    struct node *dead = NULL;

    if (n)
        node_drop(n, &dead);
    while (dead)
        node_free_one(&dead);
}

/* Dead nodes that wait for node_reap(). */
static struct node *left_over;

void node_unref_later(struct node *n)
{
    if (n)
        node_drop(n, &left_over);
}

bool node_reap(unsigned int max)
{
    for (; left_over && max; max--)
        node_free_one(&left_over);
    return left_over != NULL;
}
