/*
 * Random work by several connections beside a model that is simple enough to
 * be believed: an array of paths. Every answer is compared. A transaction that
 * commits must have the answers and the effect of its requests done one after
 * the other at the moment of its commit; one that conflicts must have been
 * overtaken by somebody's change, and leaves nothing behind.
 *
 * RINGSIDE_TEST_SEED and _STEPS change what is played.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node.h"
#include "xs_session.h"

#define CLIENTS 3
#define TXNS    3 /* of each client, at once */
#define OPS_MAX 12
#define NAMES   3
#define PATHS   (3 + 9 + 27) /* /m/a, /m/a/b, /m/a/b/c */

static struct session t;
static struct client *k[CLIENTS];

/* ---- the model ---- */

struct item {
    bool there;
    int value; /* 0: empty */
    uint32_t order;
};

struct model {
    struct item item[PATHS];
    uint32_t next;
    uint32_t changes;
};

static struct model now;

/* Paths are numbered level by level; -1 is the directory above them all. */
static int parent_of(int i)
{
    return i < 3 ? -1 : (i - 3) / NAMES;
}

static int child_of(int i, int n)
{
    return i < 0 ? n : 3 + i * NAMES + n;
}

static bool is_there(const struct model *m, int i)
{
    return i < 0 || m->item[i].there;
}

static void name_path(int i, char *out)
{
    if (i < 0) {
        strcpy(out, "/m");
        return;
    }
    name_path(parent_of(i), out);
    out += strlen(out);
    out[0] = '/';
    out[1] = (char)('a' + (i < 3 ? i : (i - 3) % NAMES));
    out[2] = '\0';
}

static void model_create(struct model *m, int i)
{
    if (is_there(m, i))
        return;
    model_create(m, parent_of(i));
    m->item[i] = (struct item){ true, 0, ++m->next };
}

static void model_remove(struct model *m, int i)
{
    m->item[i].there = false;
    for (int n = 0; n < NAMES; n++)
        if (child_of(i, n) < PATHS)
            model_remove(m, child_of(i, n));
}

static const char *model_list(const struct model *m, int i, char *out)
{
    uint32_t last = 0;

    out[0] = '\0';
    for (;;) {
        int best = -1;

        for (int n = 0; n < NAMES; n++) {
            int c = child_of(i, n);

            if (c < PATHS && m->item[c].there && m->item[c].order > last &&
                (best < 0 ||
                 m->item[c].order < m->item[child_of(i, best)].order))
                best = n;
        }
        if (best < 0)
            return out;
        last = m->item[child_of(i, best)].order;
        sprintf(out + strlen(out), "%c|", 'a' + best);
    }
}

/* ---- operations ---- */

enum kind { READ, LIST, WRITE, MKDIR, RM, KINDS };

struct op {
    enum kind kind;
    int path, value;
    char answer[64];
};

/* What the operation answers, in the words of ask(). */
static const char *model_do(struct model *m, const struct op *o, char *text)
{
    bool there = m->item[o->path].there;

    switch (o->kind) {
    case READ:
        if (!there)
            return "ENOENT";
        text[0] = '\0';
        if (m->item[o->path].value)
            sprintf(text, "%d", m->item[o->path].value);
        return text;
    case LIST:
        return there ? model_list(m, o->path, text) : "ENOENT";
    case WRITE:
        model_create(m, o->path);
        m->item[o->path].value = o->value;
        m->changes++;
        return "OK|";
    case MKDIR:
        m->changes += !there;
        model_create(m, o->path);
        return "OK|";
    default:
        if (!there)
            return is_there(m, parent_of(o->path)) ? "OK|" : "ENOENT";
        model_remove(m, o->path);
        m->changes++;
        return "OK|";
    }
}

static const char *store_do(struct client *c, uint32_t tx, const struct op *o)
{
    static const uint32_t types[] = { XS_READ, XS_DIRECTORY, XS_WRITE, XS_MKDIR,
                                      XS_RM };
    char payload[64];
    size_t len;

    name_path(o->path, payload);
    len = strlen(payload) + 1;
    if (o->kind == WRITE)
        len += (size_t)sprintf(payload + len, "%d", o->value);
    return ask(&t, c, types[o->kind], tx, payload, len);
}

static struct op random_op(void)
{
    struct op o = { .kind = (enum kind)(rand() % KINDS),
                    .path = rand() % PATHS,
                    .value = 1 + rand() % 4 };

    return o;
}

/* ---- transactions ---- */

struct running {
    uint32_t id; /* 0: not open */
    struct model seen;
    uint32_t changes; /* of `now` when it began */
    struct op op[OPS_MAX];
    int n;
};

static struct running running[CLIENTS][TXNS];
static unsigned int commits, conflicts;

static void txn_begin(struct client *c, struct running *r)
{
    r->id = (uint32_t)atoi(ASK(&t, c, XS_TRANSACTION_START, 0, "\0"));
    assert_int_not_equal(r->id, 0);
    r->seen = now;
    r->changes = now.changes;
    r->n = 0;
}

static void txn_step(struct client *c, struct running *r)
{
    struct op *o = &r->op[r->n++];
    char text[64];

    *o = random_op();
    strcpy(o->answer, model_do(&r->seen, o, text));
    assert_string_equal(store_do(c, r->id, o), o->answer);
}

static void txn_finish(struct client *c, struct running *r)
{
    const char *s;
    char text[64];

    if (rand() % 6 == 0) {
        s = ASK(&t, c, XS_TRANSACTION_END, r->id, "F\0");
        assert_string_equal(s, "OK|");
    } else if (!strcmp(s = ASK(&t, c, XS_TRANSACTION_END, r->id, "T\0"),
                       "EAGAIN")) {
        assert_int_not_equal(r->changes, now.changes);
        conflicts++;
    } else {
        assert_string_equal(s, "OK|");
        for (int i = 0; i < r->n; i++)
            assert_string_equal(model_do(&now, &r->op[i], text),
                                r->op[i].answer);
        commits++;
    }
    r->id = 0;
}

/* ---- the test ---- */

static void compare_all(void)
{
    struct op o = { .kind = READ };
    char text[64];

    for (o.path = 0; o.path < PATHS; o.path++) {
        o.kind = READ;
        assert_string_equal(store_do(k[0], 0, &o), model_do(&now, &o, text));
        o.kind = LIST;
        assert_string_equal(store_do(k[0], 0, &o), model_do(&now, &o, text));
    }
    assert_int_equal(session_check(&t), 0);
}

static void step(void)
{
    int who = rand() % CLIENTS;
    struct running *r = &running[who][rand() % TXNS];
    struct op o = random_op();
    char text[64];

    if (rand() % 4 == 0)
        assert_string_equal(store_do(k[who], 0, &o), model_do(&now, &o, text));
    else if (!r->id)
        txn_begin(k[who], r);
    else if (r->n < OPS_MAX && rand() % 4)
        txn_step(k[who], r);
    else
        txn_finish(k[who], r);
}

static int env(const char *name, int standard)
{
    const char *s = getenv(name);

    return s ? atoi(s) : standard;
}

static void test_model(void **state)
{
    int seed = env("RINGSIDE_TEST_SEED", 1);
    int steps = env("RINGSIDE_TEST_STEPS", 40000);

    (void)state;
    srand((unsigned int)seed);
    assert_true(session_new(&t));
    for (int i = 0; i < CLIENTS; i++)
        k[i] = client_new(&t);
    assert_string_equal(ASK(&t, k[0], XS_MKDIR, 0, "/m\0"), "OK|");
    for (int i = 0; i < steps; i++) {
        step();
        if (i % 500 == 0)
            compare_all();
    }
    compare_all();
    print_message("# seed %d: %u commits, %u conflicts\n", seed, commits,
                  conflicts);
    assert_true(commits > (unsigned int)steps / 100);
    assert_true(conflicts > (unsigned int)steps / 100);
    for (int i = 0; i < CLIENTS; i++)
        client_free(&t, k[i]);
    session_free(&t);
    assert_int_equal(node_stats.nodes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
