/*
 * A guest lists directories whose names do not fit one message: from a store
 * that is honest, one whose directory changes, and one that lies.
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

#include "guest-kernel/xenbus_ring.h"

#define PART 4096

/* ---- the store ---- */

static struct {
    int children;
    int changes;     /* so many parts are followed by a change, outside */
    int generation;  /* of the directory */
    bool no_txn;     /* its quota is used up */
    int open, parts; /* transactions, and parts that were asked for */
    const char *lie; /* instead of a part, `lie_len` bytes */
    size_t lie_len;
} store;

static size_t name_of(int i, char out[64])
{
    return (size_t)sprintf(out, "a-rather-long-name-of-a-node-%04d", i) + 1;
}

/* Whole names from `offset` on, and the end's empty one if there is room. */
static size_t fill_part(char *out, size_t room, size_t offset)
{
    char name[64];
    size_t at = 0, len = 0;

    for (int i = 0; i < store.children; i++) {
        size_t n = name_of(i, name);

        if (at >= offset) {
            if (len + n > room - 1)
                return len;
            memcpy(out + len, name, n);
            len += n;
        }
        at += n;
    }
    out[len++] = '\0';
    return len;
}

static int answer(const void *data, size_t len, char **reply, size_t *size)
{
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    copy[len] = '\0';
    *reply = copy;
    if (size)
        *size = len;
    return 0;
}

static int answer_part(xenbus_tx tx, const char *offset, char **reply,
                       size_t *size)
{
    char part[PART];
    size_t len;

    store.parts++;
    if (store.lie)
        return answer(store.lie, store.lie_len, reply, size);
    /* Inside of a transaction it stands still. */
    len = (size_t)sprintf(part, "%d", tx ? 1000 : store.generation) + 1;
    len += fill_part(part + len, PART - len, strtoul(offset, NULL, 10));
    if (store.changes) {
        store.changes--;
        store.generation++;
    }
    return answer(part, len, reply, size);
}

struct xs_part xs_string(const char *s)
{
    return (struct xs_part){ s, strlen(s) + 1 };
}

int xs_request(enum xsd_sockmsg_type type, xenbus_tx tx,
               const struct xs_part *parts, unsigned int n, char **reply,
               size_t *len)
{
    char body[PART];

    switch (type) {
    case XS_DIRECTORY:
        if (store.children * name_of(0, body) > PART)
            return -E2BIG;
        return answer(body, fill_part(body, PART, 0) - 1, reply, len);
    case XS_DIRECTORY_PART:
        assert_int_equal(n, 2);
        return answer_part(tx, parts[1].data, reply, len);
    case XS_TRANSACTION_START:
        if (store.no_txn)
            return -ENOSPC;
        store.open++;
        return answer("7", 2, reply, len);
    case XS_TRANSACTION_END:
        assert_int_equal(tx, 7);
        assert_string_equal(parts[0].data, "F");
        store.open--;
        return 0;
    default:
        fail();
        return -ENOSYS;
    }
}

int xs_post(struct xs_request *r, enum xsd_sockmsg_type type, xenbus_tx tx,
            const struct xs_part *parts, unsigned int n)
{
    (void)r;
    (void)type;
    (void)tx;
    (void)parts;
    (void)n;
    return -ENODEV;
}

int xs_wait(struct xs_request *r, char **reply, size_t *len)
{
    (void)r;
    (void)reply;
    (void)len;
    return -ENODEV;
}

/* ---- the guest ---- */

static int setup(void **state)
{
    (void)state;
    memset(&store, 0, sizeof(store));
    store.generation = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(store.open, 0);
    return 0;
}

static void check_list(xenbus_tx tx)
{
    char **names = NULL, name[64];
    size_t n = 0;

    assert_int_equal(xenbus_ls(tx, "/dir", &names, &n), 0);
    assert_int_equal(n, store.children);
    for (int i = 0; i < store.children; i++) {
        name_of(i, name);
        assert_string_equal(names[i], name);
    }
    assert_null(names[n]);
    free(names);
}

/* Around the sizes at which a message is full, and many messages. */
static void test_sizes(void **state)
{
    static const int sizes[] = { 0,   1,   119, 120, 121,  122,
                                 123, 124, 240, 241, 1000, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        store.children = sizes[i];
        check_list(XENBUS_NO_TX);
    }
}

/* One that fits is one request, as before. */
static void test_short_is_one_request(void **state)
{
    (void)state;
    store.children = 50;
    check_list(XENBUS_NO_TX);
    assert_int_equal(store.parts, 0);
}

static void test_changes(void **state)
{
    (void)state;
    store.children = 1000;
    store.changes = 1 << 30; /* in a transaction they do not matter */
    check_list(XENBUS_NO_TX);
    assert_in_range(store.parts, 9, 9);
}

/* The caller's transaction is used, and stays open. */
static void test_callers_transaction(void **state)
{
    (void)state;
    store.children = 1000;
    store.changes = 1 << 30;
    check_list(3);
    assert_int_equal(store.open, 0);
}

/* Without a transaction it is listed again, but not for ever. */
static void test_changes_outside(void **state)
{
    char **names;
    size_t n;

    (void)state;
    store.children = 1000;
    store.no_txn = true;
    store.changes = 5;
    check_list(XENBUS_NO_TX);
    store.parts = 0;
    store.changes = 1 << 30;
    assert_int_equal(xenbus_ls(XENBUS_NO_TX, "/dir", &names, &n), -EAGAIN);
    assert_in_range(store.parts, 2, 100);
}

static void test_lies(void **state)
{
    static const struct {
        const char *part;
        size_t len;
    } lies[] = {
        { "", 0 },                                  /* no generation */
        { "17", 2 },                                /* without its end */
        { "17", 3 },                                /* no names, and no end */
        { "123456789012345678901234567\0a\0", 31 }, /* no number */
    };
    char **names;
    size_t n;

    (void)state;
    store.children = 1000;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        store.lie = lies[i].part;
        store.lie_len = lies[i].len;
        assert_int_equal(xenbus_ls(XENBUS_NO_TX, "/dir", &names, &n), -EIO);
    }
    store.lie = "17\0\0"; /* all was removed */
    store.lie_len = 4;
    assert_int_equal(xenbus_ls(XENBUS_NO_TX, "/dir", &names, &n), 0);
    assert_int_equal(n, 0);
    free(names);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_sizes),           T(test_short_is_one_request),
        T(test_changes),         T(test_callers_transaction),
        T(test_changes_outside), T(test_lies),
    };

    return cmocka_run_group_tests_name("listings", tests, NULL, NULL);
}
