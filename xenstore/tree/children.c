/* Children of a node: the flat form, and the choice of form; see children.h. */
#include "tree/children.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tree/children_big.h"
#include "tree/node.h"

/* node[cap], then one byte of hash for each. */
struct flat {
    struct children k;
    struct node *node[];
};

static struct flat *flat_of(const struct children *k)
{
    return (struct flat *)k;
}

static struct children *flat_children(struct flat *f)
{
    return f ? &f->k : NULL;
}

static uint8_t *flat_tags(const struct flat *f)
{
    return (uint8_t *)&f->node[f->k.cap];
}

static struct flat *flat_new(uint32_t cap)
{
    struct flat *f = malloc(sizeof(*f) + cap * (sizeof(f->node[0]) + 1));

    if (f)
        f->k = (struct children){ .refs = 1, .cap = cap };
    return f;
}

static void flat_append(struct flat *f, struct node *n, uint8_t tag)
{
    assert(f->k.count < f->k.cap);
    f->node[f->k.count] = n;
    flat_tags(f)[f->k.count++] = tag;
    f->k.bytes += n->name_len + 1u;
}

static int flat_index(const struct flat *f, const struct name *n)
{
    const uint8_t *tags = flat_tags(f);

    for (uint32_t i = 0; i < f->k.count; i++)
        if (tags[i] == (uint8_t)n->hash && node_name_is(f->node[i], n))
            return (int)i;
    return -ENOENT;
}

/* Its own container with room for `cap`: the old one, moved or copied. */
static int flat_own(struct children **k, uint32_t cap)
{
    struct flat *old = flat_of(*k), *f;

    if (old->k.refs == 1 && old->k.cap == cap)
        return 0;
    f = flat_new(cap);
    if (!f)
        return -ENOMEM;
    for (uint32_t i = 0; i < old->k.count; i++)
        flat_append(f, old->node[i], flat_tags(old)[i]);
    if (old->k.refs == 1) {
        free(old);
    } else {
        old->k.refs--;
        for (uint32_t i = 0; i < f->k.count; i++)
            node_ref(f->node[i]);
    }
    *k = &f->k;
    return 0;
}

static int big_own(struct children **k)
{
    struct children *copy;

    if ((*k)->refs == 1)
        return 0;
    copy = children_big_copy(*k);
    if (!copy)
        return -ENOMEM;
    (*k)->refs--;
    *k = copy;
    return 0;
}

static void drop_node(struct node *n, void *arg)
{
    (void)arg;
    node_unref(n);
}

/*
 * Moves the children of an owned container into a new one of either form.
 * On failure nothing has changed.
 */
static int children_rebuild(struct children **k, bool big)
{
    struct children *to =
        big ? children_big_new() : flat_children(flat_new(CHILDREN_FLAT_MAX));
    struct children_iter it;
    struct node *n;

    if (!to)
        return -ENOMEM;
    children_iterate(&it, *k);
    while ((n = children_next(&it))) {
        uint32_t hash = hash_bytes(node_name(n), n->name_len);

        node_ref(n);
        if (children_add(&to, n, hash) == 0)
            continue;
        node_unref(n);
        children_unref(to, drop_node, NULL);
        return -ENOMEM;
    }
    assert(to->count == (*k)->count && to->bytes == (*k)->bytes);
    children_unref(*k, drop_node, NULL);
    *k = to;
    return 0;
}

struct node *children_find(const struct children *k, const struct name *n)
{
    int i;

    if (!k)
        return NULL;
    if (!k->cap)
        return children_big_find(k, n);
    i = flat_index(flat_of(k), n);
    return i < 0 ? NULL : flat_of(k)->node[i];
}

int children_own(struct children **k, const struct name *n,
                 struct node ***place)
{
    int i, err;

    if (!*k)
        return -ENOENT;
    if (!(*k)->cap) {
        if ((*k)->refs > 1 && !children_big_find(*k, n))
            return -ENOENT;
        err = big_own(k);
        return err ? err : children_big_own(*k, n, place);
    }
    i = flat_index(flat_of(*k), n);
    if (i < 0)
        return i;
    err = flat_own(k, (*k)->cap);
    if (err)
        return err;
    *place = &flat_of(*k)->node[i];
    return 0;
}

static uint32_t flat_grown(uint32_t cap)
{
    if (cap < 2)
        return cap + 1;
    return cap * 2 < CHILDREN_FLAT_MAX ? cap * 2 : CHILDREN_FLAT_MAX;
}

int children_add(struct children **k, struct node *child, uint32_t hash)
{
    int err;

    if (!*k) {
        struct flat *f = flat_new(1);

        if (!f)
            return -ENOMEM;
        *k = &f->k;
    }
    if ((*k)->cap && (*k)->count == CHILDREN_FLAT_MAX) {
        err = children_rebuild(k, true);
        if (err)
            return err;
    }
    if (!(*k)->cap) {
        err = big_own(k);
        return err ? err : children_big_add(*k, child, hash);
    }
    err = flat_own(k,
                   (*k)->count < (*k)->cap ? (*k)->cap : flat_grown((*k)->cap));
    if (!err)
        flat_append(flat_of(*k), child, (uint8_t)hash);
    return err;
}

static int flat_remove(struct children **k, const struct name *n,
                       struct node **child)
{
    int i = flat_index(flat_of(*k), n), err;
    struct flat *f;
    size_t tail;

    if (i < 0)
        return i;
    err = flat_own(k, (*k)->cap);
    if (err)
        return err;
    f = flat_of(*k);
    assert(f->k.refs == 1 && f->k.count > (uint32_t)i);
    *child = f->node[i];
    tail = --f->k.count - (uint32_t)i;
    f->k.bytes -= (*child)->name_len + 1u;
    memmove(&f->node[i], &f->node[i + 1], tail * sizeof(f->node[0]));
    memmove(&flat_tags(f)[i], &flat_tags(f)[i + 1], tail);
    if (!f->k.count) {
        assert(!f->k.bytes);
        free(f);
        *k = NULL;
    }
    return 0;
}

int children_remove(struct children **k, const struct name *n,
                    struct node **child)
{
    int err;

    if (!*k)
        return -ENOENT;
    if ((*k)->cap)
        return flat_remove(k, n, child);
    err = big_own(k);
    if (!err)
        err = children_big_remove(*k, n, child);
    if (err)
        return err;
    /* Failing to shrink costs memory, nothing else. */
    if ((*k)->count < CHILDREN_FLAT_MIN)
        (void)children_rebuild(k, false);
    else if (children_big_sparse(*k))
        (void)children_rebuild(k, true);
    return 0;
}

struct children *children_ref(struct children *k)
{
    if (k)
        k->refs++;
    return k;
}

void children_unref(struct children *k, void (*drop)(struct node *, void *),
                    void *arg)
{
    assert(!k || k->refs);
    if (!k || --k->refs)
        return;
    if (!k->cap) {
        children_big_free(k, drop, arg);
        return;
    }
    for (uint32_t i = 0; i < k->count; i++)
        drop(flat_of(k)->node[i], arg);
    free(k);
}

void children_iterate(struct children_iter *it, const struct children *k)
{
    *it = (struct children_iter){ .children = k };
}

struct node *children_next(struct children_iter *it)
{
    if (!it->children)
        return NULL;
    if (!it->children->cap)
        return children_big_next(it);
    if (it->at >= it->children->count)
        return NULL;
    return flat_of(it->children)->node[it->at++];
}

void children_skip_same(struct children_iter *a, struct children_iter *b)
{
    if (a->children && b->children && !a->children->cap && !b->children->cap)
        children_big_skip_same(a, b);
}

uint32_t children_seek(struct children_iter *it, const struct children *k,
                       uint32_t off)
{
    children_iterate(it, k);
    if (!k->cap)
        return children_big_seek(it, off);
    for (; it->at < k->count; it->at++) {
        uint32_t size = flat_of(k)->node[it->at]->name_len + 1u;

        if (off < size)
            break;
        off -= size;
    }
    return off;
}
