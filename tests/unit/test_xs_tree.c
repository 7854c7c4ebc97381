/*
 * The tree under everything: children in order, versions that do not change,
 * and both forms of a node's children under random work beside a plain model.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tree/children_big.h"
#include "tree/tree.h"

static struct perms *perms;
static struct path path;

static int setup(void **state)
{
    struct perm owner = { 0, 0 };

    (void)state;
    perms = perms_get(&owner, 1);
    return perms ? 0 : -1;
}

/* Nothing is left of nodes or permissions. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(node_stats.nodes, 0);
    assert_int_equal(node_stats.bytes, 0);
    assert_int_equal(perms->refs, 1);
    perms_unref(perms);
    return 0;
}

static const struct path *at(const char *s)
{
    assert_int_equal(path_parse(&path, s, strlen(s), 0, false), 0);
    return &path;
}

static const struct path *child_at(unsigned int i)
{
    char s[32];

    snprintf(s, sizeof(s), "/dir/c%u", i);
    return at(s);
}

static int add(struct node **root, const char *s, const char *value)
{
    const struct path *p = at(s);

    return tree_add(root, p, p->depth, value, strlen(value), perms);
}

static void remove_at(struct node **root, const struct path *p)
{
    struct node *gone = NULL;

    assert_int_equal(tree_remove(root, p, &gone), 0);
    node_unref(gone);
}

static void value_is(struct node *root, const char *s, const char *want)
{
    const struct path *p = at(s);
    struct node *n = tree_find(root, p, p->depth);

    assert_non_null(n);
    assert_int_equal(n->value_len, strlen(want));
    assert_memory_equal(node_value(n), want, strlen(want));
}

static void test_basics(void **state)
{
    struct node *root = tree_new(perms);
    unsigned int depth;

    (void)state;
    assert_int_equal(add(&root, "/a", "1"), 0);
    assert_int_equal(add(&root, "/a/b", "22"), 0);
    value_is(root, "/a", "1");
    value_is(root, "/a/b", "22");
    assert_int_equal(tree_write(&root, at("/a/b"), "longer than before", 18),
                     0);
    value_is(root, "/a/b", "longer than before");
    assert_int_equal(tree_write(&root, at("/a/b"), "", 0), 0);
    value_is(root, "/a/b", "");
    assert_null(tree_find(root, at("/a/c"), 2));
    tree_nearest(root, at("/a/c/d"), &depth);
    assert_int_equal(depth, 1);
    assert_int_equal(tree_write(&root, at("/x"), "v", 1), -ENOENT);
    remove_at(&root, at("/a"));
    assert_null(root->children);
    node_unref(root);
}

/* A version that is held does not change, at any depth. */
static void test_versions(void **state)
{
    struct node *root = tree_new(perms), *old, *older;

    (void)state;
    assert_int_equal(add(&root, "/a", "1"), 0);
    assert_int_equal(add(&root, "/a/b", "1"), 0);
    assert_int_equal(add(&root, "/z", "1"), 0);
    older = node_ref(root);
    assert_int_equal(tree_write(&root, at("/a/b"), "2", 1), 0);
    old = node_ref(root);
    assert_int_equal(tree_write(&root, at("/a/b"), "3", 1), 0);
    assert_int_equal(add(&root, "/a/c", "3"), 0);
    remove_at(&root, at("/z"));
    value_is(older, "/a/b", "1");
    value_is(older, "/z", "1");
    value_is(old, "/a/b", "2");
    assert_null(tree_find(old, at("/a/c"), 2));
    value_is(root, "/a/b", "3");
    value_is(root, "/a/c", "3");
    assert_null(tree_find(root, at("/z"), 1));
    /* What did not change is shared. */
    assert_ptr_equal(tree_find(older, at("/z"), 1),
                     tree_find(old, at("/z"), 1));
    node_unref(old);
    value_is(older, "/a/b", "1");
    node_unref(older);
    node_unref(root);
}

/* Nobody holds a version: nothing is copied. */
static void test_in_place(void **state)
{
    struct node *root = tree_new(perms), *before;

    (void)state;
    assert_int_equal(add(&root, "/a", "1"), 0);
    before = tree_find(root, at("/a"), 1);
    assert_int_equal(tree_write(&root, at("/a"), "2", 1), 0);
    assert_ptr_equal(tree_find(root, at("/a"), 1), before);
    assert_int_equal(node_stats.nodes, 2);
    node_unref(root);
}

static void test_generations(void **state)
{
    struct node *root = tree_new(perms);
    uint64_t top, a;

    (void)state;
    assert_int_equal(add(&root, "/a", "1"), 0);
    top = root->gen;
    a = tree_find(root, at("/a"), 1)->gen;
    assert_int_equal(tree_write(&root, at("/a"), "1", 1), 0);
    assert_true(tree_find(root, at("/a"), 1)->gen > a);
    assert_int_equal(root->gen, top); /* the child's value is not the root's */
    a = tree_find(root, at("/a"), 1)->gen;
    assert_int_equal(add(&root, "/a/b", ""), 0);
    assert_true(tree_find(root, at("/a"), 1)->gen > a);
    remove_at(&root, at("/a"));
    assert_true(root->gen > top);
    node_unref(root);
}

/* ---- random work beside a model ---- */

#define CHILDREN 4000

struct model {
    bool there[CHILDREN];
    uint32_t order[CHILDREN], version[CHILDREN];
    uint32_t next;
};

static void compare(struct node *root, const struct model *m)
{
    struct node *dir = tree_find(root, at("/dir"), 1), *n;
    uint32_t count = 0, bytes = 0, last = 0;
    struct children_iter it;

    children_iterate(&it, dir->children);
    while ((n = children_next(&it))) {
        unsigned int i = (unsigned int)atoi(node_name(n) + 1);
        uint32_t version;

        assert_true(m->there[i]);
        assert_true(m->order[i] > last);
        last = m->order[i];
        memcpy(&version, node_value(n), sizeof(version));
        assert_int_equal(version, m->version[i]);
        assert_int_equal(children_seek(&it, dir->children, bytes), 0);
        assert_ptr_equal(children_next(&it), n);
        assert_int_equal(children_seek(&it, dir->children, bytes + 1), 1);
        assert_ptr_equal(children_next(&it), n);
        count++;
        bytes += n->name_len + 1u;
    }
    assert_int_equal(children_count(dir->children), count);
    assert_int_equal(children_bytes(dir->children), bytes);
    for (unsigned int i = 0; i < CHILDREN; i++)
        assert_int_equal(!!tree_find(root, child_at(i), 2), m->there[i]);
}

static void work(struct node **root, struct model *m, unsigned int range)
{
    unsigned int i = (unsigned int)rand() % range;
    const struct path *p = child_at(i);
    uint32_t version = (uint32_t)rand();

    if (!m->there[i]) {
        assert_int_equal(tree_add(root, p, 2, &version, sizeof(version), perms),
                         0);
        m->there[i] = true;
        m->order[i] = ++m->next;
        m->version[i] = version;
    } else if (rand() % 2) {
        assert_int_equal(tree_write(root, p, &version, sizeof(version)), 0);
        m->version[i] = version;
    } else {
        remove_at(root, p);
        m->there[i] = false;
    }
}

static void test_random(void **state)
{
    static struct model now, held;
    static const unsigned int ranges[] = { 5, 30, 60, 400, CHILDREN, 40, 8 };
    struct node *root = tree_new(perms), *version = NULL;

    (void)state;
    srand(1);
    assert_int_equal(add(&root, "/dir", ""), 0);
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
        for (int i = 0; i < 6000; i++) {
            work(&root, &now, ranges[r]);
            if (i % 1500 != 700)
                continue;
            if (version)
                compare(version, &held);
            node_unref(version);
            version = node_ref(root);
            held = now;
        }
        compare(root, &now);
        compare(version, &held);
        /* Shrink, so that the next round begins small. */
        for (unsigned int i = 0; i < CHILDREN; i++) {
            if (now.there[i] && i % 7) {
                remove_at(&root, child_at(i));
                now.there[i] = false;
            }
        }
        compare(root, &now);
        compare(version, &held);
    }
    node_unref(root);
    compare(version, &held);
    node_unref(version);
}

static void drop(struct node *n, void *arg)
{
    (void)arg;
    node_unref(n);
}

/*
 * Names whose hashes are equal end in one leaf, and are told apart. (A rebuilt
 * container would hash them truly: so not fewer than half are removed.)
 */
static void test_equal_hashes(void **state)
{
    struct children *k = children_big_new();
    char name[16];
    struct name n = { name, 0, 12345 };
    struct node *child;

    (void)state;
    for (int i = 0; i < 300; i++) {
        n.len = (uint32_t)snprintf(name, sizeof(name), "n%d", i);
        child = node_new(&n, NULL, 0, perms);
        assert_int_equal(children_add(&k, child, n.hash), 0);
    }
    for (int i = 0; i < 300; i++) {
        n.len = (uint32_t)snprintf(name, sizeof(name), "n%d", i);
        assert_string_equal(node_name(children_find(k, &n)), name);
        if (i % 2)
            continue;
        assert_int_equal(children_remove(&k, &n, &child), 0);
        node_unref(child);
        assert_null(children_find(k, &n));
    }
    children_unref(k, drop, NULL);
}

/* A walk visits parents first, can leave a subtree out, and knows its path. */
static void test_walk(void **state)
{
    static const char *const want[] = { "", "/a", "/a/b", "/c", "/c/d", "/e" };
    static struct tree_walk w;
    struct node *root = tree_new(perms), *n;
    char got[64];
    size_t i = 0;

    (void)state;
    assert_int_equal(add(&root, "/a", ""), 0);
    assert_int_equal(add(&root, "/a/b", ""), 0);
    assert_int_equal(add(&root, "/a/b/left", ""), 0);
    assert_int_equal(add(&root, "/a/b/left/out", ""), 0);
    assert_int_equal(add(&root, "/c", ""), 0);
    assert_int_equal(add(&root, "/c/d", ""), 0);
    assert_int_equal(add(&root, "/e", ""), 0);
    tree_walk_begin(&w, root);
    while ((n = tree_walk_next(&w))) {
        assert_true(i < 6);
        tree_walk_path(&w, got);
        got[tree_walk_path_len(&w)] = '\0';
        assert_string_equal(got, want[i++]);
        if (!strcmp(node_name(n), "b"))
            tree_walk_skip(&w);
    }
    assert_int_equal(i, 6);
    node_unref(root);
}

/* As deep as a path can be; freed without recursion. */
static void test_deep(void **state)
{
    struct node *root = tree_new(perms), *old;
    static struct path p;
    char s[3073];

    (void)state;
    for (int i = 0; i < 3072; i += 2)
        memcpy(s + i, "/d", 2);
    assert_int_equal(path_parse(&p, s, 3072, 0, false), 0);
    for (unsigned int i = 1; i <= p.depth; i++)
        assert_int_equal(tree_add(&root, &p, i, NULL, 0, perms), 0);
    old = node_ref(root);
    assert_int_equal(tree_write(&root, &p, "x", 1), 0);
    assert_int_equal(node_stats.nodes, 2 * 1537);
    node_unref(old);
    node_unref(root);
}

/* What is left over ends by and by; what a version still holds does not. */
static void test_reap(void **state)
{
    struct node *root = tree_new(perms), *gone, *old;

    (void)state;
    assert_int_equal(add(&root, "/dir", ""), 0);
    for (unsigned int i = 0; i < 100; i++) {
        const struct path *p = child_at(i);

        assert_int_equal(tree_add(&root, p, p->depth, NULL, 0, perms), 0);
    }
    old = node_ref(root);
    assert_int_equal(tree_remove(&root, at("/dir"), &gone), 0);
    node_unref_later(gone);
    assert_false(node_reap(10));
    assert_int_equal(node_stats.nodes, 103); /* the new root is a copy */
    node_unref_later(old);
    assert_int_equal(node_stats.nodes, 103);
    assert_true(node_reap(10));
    assert_int_equal(node_stats.nodes, 93);
    assert_false(node_reap(92));
    assert_int_equal(node_stats.nodes, 1);
    node_unref_later(NULL);
    assert_false(node_reap(1));
    node_unref(root);
}

/* ---- permissions ---- */

static void test_perms(void **state)
{
    struct perm e[] = { { 3, PERM_READ },
                        { 4, 0 },
                        { 5, PERM_WRITE },
                        { 4, PERM_WRITE },
                        { 6, PERM_READ | PERM_INACTIVE } };
    struct perms *p = perms_get(e, 5), *same = perms_get(e, 5), *q;
    const unsigned int all = PERM_READ | PERM_WRITE | PERM_OWNER;

    (void)state;
    assert_ptr_equal(p, same);
    perms_unref(same);
    assert_int_equal(perms_rights(p, 3, -1), all);
    assert_int_equal(perms_rights(p, 4, -1), 0); /* the first that matches */
    assert_int_equal(perms_rights(p, 5, -1), PERM_WRITE);
    assert_int_equal(perms_rights(p, 6, -1), PERM_READ); /* inactive */
    assert_int_equal(perms_rights(p, 9, -1), PERM_READ);
    assert_int_equal(perms_rights(p, 9, 3), all); /* its target's rights */
    assert_int_equal(perms_rights(p, 9, 5), PERM_WRITE);
    q = perms_with_owner(p, 9);
    assert_int_equal(perms_owner(q), 9);
    assert_int_equal(perms_rights(q, 3, -1), PERM_READ);
    perms_strip(5);
    assert_int_equal(p->n, 4);
    assert_int_equal(q->n, 4);
    assert_int_equal(perms_rights(p, 5, -1), PERM_READ);
    perms_strip(4);
    perms_strip(6);
    assert_int_equal(p->n, 1);
    same = perms_get(e, 1);
    assert_true(perms_equal(p, same));
    perms_unref(same);
    perms_unref(p);
    perms_unref(q);
}

static void test_any_domain(void **state)
{
    struct perm e[] = { { 3, 0 }, { 4, 0 }, { PERM_ANY_DOMID, PERM_READ } };
    struct perms *p = perms_get(e, 3);

    (void)state;
    assert_int_equal(perms_rights(p, 4, -1), 0);
    assert_int_equal(perms_rights(p, 77, -1), PERM_READ);
    perms_unref(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_basics),      T(test_versions), T(test_in_place),
        T(test_generations), T(test_random),   T(test_equal_hashes),
        T(test_walk),        T(test_deep),     T(test_perms),
        T(test_any_domain),  T(test_reap),
    };

    hash_init();
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
