/*
 * The children of a node that come in parts, from a store that splits them
 * anywhere, changes them meanwhile, or lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel/xenbus_ring.h"

/* ---- the store ---- */

static struct {
    const char *list;  /* as on the wire */
    size_t len, piece; /* bytes in a part */
    unsigned int generation, asked;
    unsigned int changes; /* so many answers have another generation */
    const char *lie;      /* the whole answer */
    size_t lie_len;
} store;

struct xs_part xs_string(const char *s)
{
    return (struct xs_part){ s, strlen(s) + 1 };
}

static int answer(const void *text, size_t n, char **reply, size_t *len)
{
    *reply = malloc(n + 1);
    memcpy(*reply, text, n);
    (*reply)[n] = '\0';
    *len = n;
    return 0;
}

static size_t part_at(size_t offset, char *out)
{
    size_t n = (size_t)sprintf(out, "%u", store.generation) + 1;
    size_t rest = store.len - offset;

    if (rest > store.piece)
        rest = store.piece;
    memcpy(out + n, store.list + offset, rest);
    n += rest;
    if (offset + rest == store.len)
        out[n++] = '\0';
    return n;
}

int xs_request(enum xsd_sockmsg_type type, xenbus_tx tx,
               const struct xs_part *parts, unsigned int n, char **reply,
               size_t *len)
{
    char out[200];
    size_t offset;

    assert_int_equal(tx, 5);
    assert_string_equal(parts[0].data, "dir");
    if (type == XS_DIRECTORY)
        return -E2BIG;
    assert_int_equal(type, XS_DIRECTORY_PART);
    assert_int_equal(n, 2);
    store.asked++;
    if (store.lie)
        return answer(store.lie, store.lie_len, reply, len);
    offset = strtoul(parts[1].data, NULL, 10);
    assert_true(offset <= store.len);
    if (store.changes) {
        store.changes--;
        store.generation++;
    }
    return answer(out, part_at(offset, out), reply, len);
}

#define LIST(text)                    \
    do {                              \
        store.list = (text);          \
        store.len = sizeof(text) - 1; \
    } while (0)

static int setup(void **state)
{
    (void)state;
    memset(&store, 0, sizeof(store));
    store.generation = 99;
    store.piece = 2;
    LIST("one\0two\0three\0");
    return 0;
}

/* ---- the tests ---- */

static void all_three(void)
{
    char **names;
    size_t n;

    assert_int_equal(xenbus_ls(5, "dir", &names, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "one");
    assert_string_equal(names[1], "two");
    assert_string_equal(names[2], "three");
    assert_null(names[3]);
    free(names);
}

static void test_pieces(void **state)
{
    (void)state;
    for (store.piece = 2; store.piece < 20; store.piece++)
        all_three();
}

static void test_empty(void **state)
{
    char **names;
    size_t n;

    (void)state;
    LIST("");
    assert_int_equal(xenbus_ls(5, "dir", &names, &n), 0);
    assert_int_equal(n, 0);
    free(names);
}

/* It is listed anew as it is then. */
static void test_changes(void **state)
{
    (void)state;
    store.piece = 5;
    store.changes = 4;
    all_three();
    assert_true(store.asked > 3);
}

static void test_changes_for_ever(void **state)
{
    char **names;
    size_t n;

    (void)state;
    store.piece = 5;
    store.changes = ~0u;
    assert_int_equal(xenbus_ls(5, "dir", &names, &n), -EAGAIN);
}

static int with_lie(const char *lie, size_t len)
{
    char **names;
    size_t n;

    store.lie = lie;
    store.lie_len = len;
    return xenbus_ls(5, "dir", &names, &n);
}

static void test_lies(void **state)
{
    (void)state;
    assert_int_equal(with_lie("", 0), -EIO);
    assert_int_equal(with_lie("99", 2), -EIO);
    assert_int_equal(with_lie("99\0", 3), -EIO); /* no list, not even an end */
    assert_int_equal(with_lie("1111111111111111111111111\0x\0\0", 29), -EIO);
    assert_int_equal(store.asked, 4);
}

/* More and more names. */
static void test_without_end(void **state)
{
    (void)state;
    assert_int_equal(with_lie("99\0name\0", 8), -EAGAIN);
    assert_true(store.asked <= 1000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces),           TEST(test_empty), TEST(test_changes),
        TEST(test_changes_for_ever), TEST(test_lies),  TEST(test_without_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
