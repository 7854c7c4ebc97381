/*
 * The big form of a node's children; see children.h.
 *
 * Every child has a slot number, given in order of insertion and kept until
 * the container is rebuilt. There are two tries:
 *   vec        slot -> child, 32 wide; each piece knows how many bytes of the
 *              listing lie under it, so that DIRECTORY_PART can seek;
 *   name_hash  hash of the name -> slot, 16 wide, with leaves of up to 32
 *              entries.
 * Changing a child touches only vec; creating or removing one touches both.
 * Each piece has a reference count of its own; a shared piece is copied before
 * it is changed. Both tries have at most nine levels, so recursion is bounded.
 */
#include "tree/children_big.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"

#define VEC_BITS           5
#define VEC_WIDTH          (1u << VEC_BITS)
#define NAME_HASH_BITS     4
#define NAME_HASH_WIDTH    (1u << NAME_HASH_BITS)
#define NAME_HASH_DEPTH    (32 / NAME_HASH_BITS)
#define NAME_HASH_LEAF_MAX 32

struct vec {
    uint32_t refs;
    uint32_t bytes;
    void *p[VEC_WIDTH]; /* level 0: nodes; above: pieces */
};

struct name_hash_entry {
    uint32_t hash, slot;
};

/* A piece of the trie from names to slots: an inner one, or a leaf. */
struct name_hash {
    uint32_t refs;
    uint16_t n, cap; /* cap 0: an inner piece */
    union {
        struct name_hash *sub[0];
        struct name_hash_entry e[0];
    };
};

struct big {
    struct children k;
    struct vec *vec;
    struct name_hash *name_hash;
    uint32_t next; /* slot of the next child */
    uint32_t levels;
};

static struct big *big_of(const struct children *k)
{
    return (struct big *)k;
}

/* ---- vec ---- */

static unsigned int vec_index(uint32_t slot, unsigned int level)
{
    return slot >> (level * VEC_BITS) & (VEC_WIDTH - 1);
}

/* The piece in *place, made the caller's own or new. NULL: no memory. */
static struct vec *vec_own(struct vec **place, unsigned int level)
{
    struct vec *old = *place, *v;

    if (old && old->refs == 1)
        return old;
    v = malloc(sizeof(*v));
    if (!v)
        return NULL;
    if (!old) {
        *v = (struct vec){ 0 };
    } else {
        *v = *old;
        for (unsigned int i = 0; i < VEC_WIDTH; i++) {
            if (v->p[i] && level)
                ((struct vec *)v->p[i])->refs++;
            else if (v->p[i])
                node_ref(v->p[i]);
        }
        old->refs--;
    }
    v->refs = 1;
    *place = v;
    return v;
}

static const struct vec *vec_leaf(const struct big *b, uint32_t slot)
{
    const struct vec *v = b->vec;

    for (unsigned int level = b->levels; v && level-- > 1;)
        v = v->p[vec_index(slot, level)];
    return v;
}

static struct node *vec_get(const struct big *b, uint32_t slot)
{
    return vec_leaf(b, slot)->p[vec_index(slot, 0)];
}

/* The place of a slot, with every piece above it owned. NULL: no memory. */
static struct node **vec_place(struct big *b, uint32_t slot)
{
    struct vec **place = &b->vec, *v;
    unsigned int level = b->levels;

    while (level-- > 0) {
        v = vec_own(place, level);
        if (!v)
            return NULL;
        place = (struct vec **)&v->p[vec_index(slot, level)];
    }
    return (struct node **)place;
}

/* Adds `delta` bytes of listing to the pieces above an owned slot. */
static void vec_add_bytes(struct big *b, uint32_t slot, uint32_t delta)
{
    struct vec *v = b->vec;

    for (unsigned int level = b->levels; level-- > 0;) {
        assert(v->refs == 1);
        v->bytes += delta;
        v = v->p[vec_index(slot, level)];
    }
    b->k.bytes += delta;
    assert(b->vec->bytes == b->k.bytes);
}

/* Room for slot b->next: one more level when the vector is full. */
static int vec_grow(struct big *b)
{
    struct vec *top;

    if (b->levels && b->next < 1u << (b->levels * VEC_BITS))
        return 0;
    top = calloc(1, sizeof(*top));
    if (!top)
        return -ENOMEM;
    top->refs = 1;
    top->bytes = b->k.bytes;
    top->p[0] = b->vec;
    b->vec = top;
    b->levels++;
    return 0;
}

static void vec_unref(struct vec *v, unsigned int level,
                      void (*drop)(struct node *, void *), void *arg)
{
    assert(!v || v->refs);
    if (!v || --v->refs)
        return;
    for (unsigned int i = 0; i < VEC_WIDTH; i++) {
        if (v->p[i] && level)
            vec_unref(v->p[i], level - 1, drop, arg);
        else if (v->p[i])
            drop(v->p[i], arg);
    }
    free(v);
}

/* ---- name_hash ---- */

static unsigned int name_hash_index(uint32_t hash, unsigned int depth)
{
    return hash >> (depth * NAME_HASH_BITS) & (NAME_HASH_WIDTH - 1);
}

static struct name_hash *name_hash_alloc(unsigned int cap)
{
    size_t size = cap ? cap * sizeof(struct name_hash_entry)
                      : NAME_HASH_WIDTH * sizeof(struct name_hash *);
    struct name_hash *h = malloc(sizeof(*h) + size);

    if (h) {
        memset(h, 0, sizeof(*h) + size);
        h->refs = 1;
        h->cap = (uint16_t)cap;
    }
    return h;
}

static void name_hash_unref(struct name_hash *h)
{
    assert(!h || h->refs);
    if (!h || --h->refs)
        return;
    for (unsigned int i = 0; !h->cap && i < NAME_HASH_WIDTH; i++)
        name_hash_unref(h->sub[i]);
    free(h);
}

/* A leaf of at least n + 1 entries, or an inner piece, owned. */
static struct name_hash *name_hash_own(struct name_hash **place,
                                       unsigned int cap)
{
    struct name_hash *old = *place, *h;

    if (old && old->refs == 1 && old->cap == cap)
        return old;
    h = name_hash_alloc(cap);
    if (!h)
        return NULL;
    if (old && cap) {
        h->n = old->n;
        memcpy(h->e, old->e, old->n * sizeof(old->e[0]));
    } else if (old) {
        for (unsigned int i = 0; i < NAME_HASH_WIDTH; i++)
            if ((h->sub[i] = old->sub[i]))
                h->sub[i]->refs++;
    }
    name_hash_unref(old);
    *place = h;
    return h;
}

static unsigned int name_hash_leaf_cap(unsigned int cap, unsigned int n)
{
    if (n < cap)
        return cap;
    if (cap < 16)
        return cap + 4;
    return cap < NAME_HASH_LEAF_MAX ? cap + 8 : cap * 2;
}

static int name_hash_insert(struct name_hash **place, unsigned int depth,
                            uint32_t hash, uint32_t slot);

/* Replaces a full leaf by an inner piece with its entries one level deeper. */
static int name_hash_split(struct name_hash **place, unsigned int depth)
{
    struct name_hash *leaf = *place, *inner = name_hash_alloc(0);

    if (!inner)
        return -ENOMEM;
    for (unsigned int i = 0; i < leaf->n; i++) {
        const struct name_hash_entry *e = &leaf->e[i];
        struct name_hash **sub = &inner->sub[name_hash_index(e->hash, depth)];

        if (name_hash_insert(sub, depth + 1, e->hash, e->slot)) {
            name_hash_unref(inner);
            return -ENOMEM;
        }
    }
    name_hash_unref(leaf);
    *place = inner;
    return 0;
}

static int name_hash_insert(struct name_hash **place, unsigned int depth,
                            uint32_t hash, uint32_t slot)
{
    struct name_hash *h;

    for (;; place = &h->sub[name_hash_index(hash, depth++)]) {
        h = *place;
        if (h && h->cap && h->n == NAME_HASH_LEAF_MAX &&
            depth < NAME_HASH_DEPTH && name_hash_split(place, depth))
            return -ENOMEM;
        h = *place;
        if (!h || h->cap)
            break;
        h = name_hash_own(place, 0);
        if (!h)
            return -ENOMEM;
    }
    h = name_hash_own(place, h ? name_hash_leaf_cap(h->cap, h->n) : 4);
    if (!h)
        return -ENOMEM;
    h->e[h->n++] = (struct name_hash_entry){ hash, slot };
    return 0;
}

static int name_hash_remove(struct name_hash **place, uint32_t hash,
                            uint32_t slot)
{
    struct name_hash *h;
    unsigned int i = 0;

    for (unsigned int depth = 0; !(*place)->cap; depth++) {
        h = name_hash_own(place, 0);
        if (!h)
            return -ENOMEM;
        place = &h->sub[name_hash_index(hash, depth)];
    }
    h = name_hash_own(place, (*place)->cap);
    if (!h)
        return -ENOMEM;
    while (i < h->n && h->e[i].slot != slot)
        i++;
    assert(i < h->n); /* both tries have every child */
    h->e[i] = h->e[--h->n];
    return 0;
}

/* The slot of a name, or -ENOENT. */
static int64_t big_slot(const struct big *b, const struct name *n)
{
    const struct name_hash *h = b->name_hash;

    for (unsigned int depth = 0; h && !h->cap; depth++)
        h = h->sub[name_hash_index(n->hash, depth)];
    for (unsigned int i = 0; h && i < h->n; i++)
        if (h->e[i].hash == n->hash &&
            node_name_is(vec_get(b, h->e[i].slot), n))
            return h->e[i].slot;
    return -ENOENT;
}

/* ---- the container ---- */

struct children *children_big_new(void)
{
    struct big *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->k.refs = 1;
    return &b->k;
}

struct children *children_big_copy(const struct children *k)
{
    struct big *b = malloc(sizeof(*b));

    if (!b)
        return NULL;
    *b = *big_of(k);
    b->k.refs = 1;
    if (b->vec)
        b->vec->refs++;
    if (b->name_hash)
        b->name_hash->refs++;
    return &b->k;
}

struct node *children_big_find(const struct children *k, const struct name *n)
{
    int64_t slot = big_slot(big_of(k), n);

    return slot < 0 ? NULL : vec_get(big_of(k), (uint32_t)slot);
}

int children_big_own(struct children *k, const struct name *n,
                     struct node ***place)
{
    int64_t slot = big_slot(big_of(k), n);

    if (slot < 0)
        return (int)slot;
    *place = vec_place(big_of(k), (uint32_t)slot);
    return *place ? 0 : -ENOMEM;
}

int children_big_add(struct children *k, struct node *child, uint32_t hash)
{
    struct big *b = big_of(k);
    struct node **place;

    if (vec_grow(b))
        return -ENOMEM;
    place = vec_place(b, b->next);
    if (!place || name_hash_insert(&b->name_hash, 0, hash, b->next))
        return -ENOMEM;
    vec_add_bytes(b, b->next, child->name_len + 1u);
    assert(!*place);
    *place = child;
    b->next++;
    k->count++;
    assert(k->count <= b->next);
    return 0;
}

int children_big_remove(struct children *k, const struct name *n,
                        struct node **child)
{
    struct big *b = big_of(k);
    int64_t slot = big_slot(b, n);
    struct node **place;

    if (slot < 0)
        return (int)slot;
    place = vec_place(b, (uint32_t)slot);
    if (!place || name_hash_remove(&b->name_hash, n->hash, (uint32_t)slot))
        return -ENOMEM;
    assert(*place && k->count);
    *child = *place;
    vec_add_bytes(b, (uint32_t)slot, -((*child)->name_len + 1u));
    *place = NULL;
    k->count--;
    return 0;
}

void children_big_free(struct children *k, void (*drop)(struct node *, void *),
                       void *arg)
{
    struct big *b = big_of(k);

    if (b->vec)
        vec_unref(b->vec, b->levels - 1, drop, arg);
    name_hash_unref(b->name_hash);
    free(b);
}

bool children_big_sparse(const struct children *k)
{
    return big_of(k)->next > 2 * k->count + 2 * VEC_WIDTH;
}

struct node *children_big_next(struct children_iter *it)
{
    const struct big *b = big_of(it->children);
    struct node *n;

    while (it->at < b->next) {
        if (!it->leaf || vec_index(it->at, 0) == 0)
            it->leaf = vec_leaf(b, it->at);
        n = it->leaf->p[vec_index(it->at++, 0)];
        if (n)
            return n;
    }
    return NULL;
}

/*
 * The level of the largest piece that begins at slot `at` in both and is the
 * same piece; -1: there is none.
 */
static int same_level(const struct big *a, const struct big *b, uint32_t at)
{
    const struct vec *va = a->vec, *vb = b->vec;
    unsigned int la = a->levels, lb = b->levels;

    while (la > lb)
        va = va->p[vec_index(at, --la)];
    while (lb > la)
        vb = vb->p[vec_index(at, --lb)];
    while (la-- > 0) {
        if (va == vb && !(at & ((1u << ((la + 1) * VEC_BITS)) - 1)))
            return (int)la;
        if (la) {
            va = va->p[vec_index(at, la)];
            vb = vb->p[vec_index(at, la)];
        }
    }
    return -1;
}

void children_big_skip_same(struct children_iter *a, struct children_iter *b)
{
    const struct big *ba = big_of(a->children), *bb = big_of(b->children);
    int level;

    while (a->at == b->at && a->at < ba->next && a->at < bb->next) {
        level = same_level(ba, bb, a->at);
        if (level < 0)
            return;
        a->at += 1u << ((unsigned int)(level + 1) * VEC_BITS);
        b->at = a->at;
    }
}

uint32_t children_big_seek(struct children_iter *it, uint32_t off)
{
    const struct big *b = big_of(it->children);
    const struct vec *v = b->vec;
    unsigned int i;

    for (unsigned int level = b->levels; level-- > 1;) {
        for (i = 0; off >= ((struct vec *)v->p[i])->bytes; i++)
            off -= ((struct vec *)v->p[i])->bytes;
        it->at |= i << (level * VEC_BITS);
        v = v->p[i];
    }
    for (i = 0;; i++) {
        const struct node *n = v->p[i];

        if (n && off < n->name_len + 1u)
            break;
        off -= n ? n->name_len + 1u : 0;
    }
    it->at |= i;
    it->leaf = v;
    return off;
}
