/*
 * The pool of mapped pages: steady traffic maps nothing, bounds hold, and
 * whatever is refused leaves nothing mapped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_host.h"
#include "grant_pool.h"

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    return 0;
}

static struct grant_pool *make(bool persistent, unsigned int max)
{
    struct grant_pool *pool;

    assert_int_equal(grant_pool_new(NULL, 7, persistent, max, &pool), 0);
    return pool;
}

static void test_persistent(void **state)
{
    struct grant_pool *pool = make(true, 64);
    const grant_ref_t refs[] = { 8, 9, 10, 9 }, again[] = { 10, 8 };
    struct grant_page *page[4], *second[2];

    (void)state;
    assert_int_equal(grant_pool_get(pool, refs, 4, false, page), 0);
    assert_int_equal(fake.map_calls, 1);
    assert_int_equal(fake.maps, 3); /* 9 twice is one page */
    assert_ptr_equal(page[1], page[3]);
    assert_ptr_equal(page[0]->addr, fake_page(8));
    assert_int_equal(grant_pool_get(pool, again, 2, true, second), 0);
    assert_ptr_equal(second[0], page[2]);
    grant_pool_put(pool, page, 4);
    grant_pool_put(pool, second, 2);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(grant_pool_get(pool, refs, 4, i & 1, page), 0);
        grant_pool_put(pool, page, 4);
    }
    assert_int_equal(fake.map_calls, 1);
    assert_int_equal(fake.unmap_calls, 0);
    grant_pool_free(pool);
    assert_int_equal(fake.maps, 0);
}

static void test_not_persistent(void **state)
{
    struct grant_pool *pool = make(false, 64);
    const grant_ref_t refs[] = { 8, 9, 9 };
    struct grant_page *page[3];

    (void)state;
    fake.read_only[8] = fake.read_only[9] = true;
    assert_int_equal(grant_pool_get(pool, refs, 3, false, page), -EFAULT);
    assert_int_equal(fake.maps, 0);
    assert_int_equal(grant_pool_get(pool, refs, 3, true, page), 0);
    assert_int_equal(fake.maps, 3);
    grant_pool_put(pool, page, 3);
    assert_int_equal(fake.maps, 0);
    grant_pool_free(pool);
}

/* Pages that a frontend grants for reading only are kept like others, and are
 * not what is written to. */
static void test_persistent_read_only(void **state)
{
    struct grant_pool *pool = make(true, 64);
    const grant_ref_t refs[] = { 8, 9, 8 };
    struct grant_page *page[3], *written;

    (void)state;
    fake.read_only[8] = true;
    assert_int_equal(grant_pool_get(pool, refs, 3, false, page), -EFAULT);
    assert_int_equal(fake.maps, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(grant_pool_get(pool, refs, 3, true, page), 0);
        assert_ptr_equal(page[0], page[2]);
        assert_int_equal(fake.maps, 2);
        grant_pool_put(pool, page, 3);
    }
    assert_int_equal(fake.map_calls, 3);
    assert_int_equal(grant_pool_get(pool, refs, 1, false, page), -EFAULT);
    /* It is granted anew, for both, while we read it. */
    assert_int_equal(grant_pool_get(pool, refs, 1, true, page), 0);
    fake.read_only[8] = false;
    assert_int_equal(grant_pool_get(pool, refs, 1, false, &written), 0);
    assert_ptr_not_equal(written, page[0]);
    assert_int_equal(fake.mapped[8], 2);
    grant_pool_put(pool, &written, 1);
    grant_pool_put(pool, page, 1);
    grant_pool_free(pool);
    assert_int_equal(fake.maps, 0);
}

static void test_all_or_nothing(void **state)
{
    struct grant_pool *pool = make(true, 64);
    const grant_ref_t good[] = { 8 }, bad[] = { 8, 9, 10, 11 };
    struct grant_page *page[4];

    (void)state;
    assert_int_equal(grant_pool_get(pool, good, 1, false, page), 0);
    grant_pool_put(pool, page, 1);
    fake.denied[10] = true;
    assert_int_equal(grant_pool_get(pool, bad, 4, false, page), -EFAULT);
    assert_int_equal(fake.mapped[9], 0);
    assert_int_equal(fake.mapped[11], 0);
    assert_int_equal(fake.mapped[8], 1);
    fake.denied[10] = false;
    assert_int_equal(grant_pool_get(pool, bad, 4, false, page), 0);
    grant_pool_put(pool, page, 4);
    grant_pool_free(pool);
    assert_int_equal(fake.maps, 0);
}

/* The bound holds for idle pages, and the least recently used go first. */
static void test_bound(void **state)
{
    struct grant_pool *pool = make(true, 4);
    struct grant_page *page, *held;
    grant_ref_t ref = 100;

    (void)state;
    assert_int_equal(grant_pool_get(pool, &ref, 1, false, &held), 0);
    for (ref = 8; ref < 28; ref++) {
        assert_int_equal(grant_pool_get(pool, &ref, 1, false, &page), 0);
        grant_pool_put(pool, &page, 1);
        assert_true(fake.maps <= 5);
    }
    assert_int_equal(fake.mapped[100], 1); /* in use */
    assert_int_equal(fake.mapped[27], 1);
    assert_int_equal(fake.mapped[8], 0);
    grant_pool_put(pool, &held, 1);
    assert_true(grant_pool_mapped(pool) <= 4);
    grant_pool_free(pool);
    assert_int_equal(fake.maps, 0);
}

/* More than one batch in one call. */
static void test_large(void **state)
{
    static grant_ref_t refs[1000];
    static struct grant_page *page[1000];
    struct grant_pool *pool = make(true, 2000);

    (void)state;
    for (unsigned int i = 0; i < 1000; i++)
        refs[i] = 8 + i;
    assert_int_equal(grant_pool_get(pool, refs, 1000, false, page), 0);
    assert_int_equal(fake.maps, 1000);
    for (unsigned int i = 0; i < 1000; i++)
        assert_ptr_equal(page[i]->addr, fake_page(refs[i]));
    grant_pool_put(pool, page, 1000);
    refs[999] = 5000; /* no such page: the first batches must be let go */
    assert_int_equal(grant_pool_get(pool, refs, 1000, false, page), -EFAULT);
    grant_pool_free(pool);
    assert_int_equal(fake.maps, 0);
}

/* Gets pages first to first + n - 1. */
static int get_range(struct grant_pool *pool, unsigned int first,
                     unsigned int n, struct grant_page **page)
{
    static grant_ref_t refs[200];

    for (unsigned int i = 0; i < n; i++)
        refs[i] = first + i;
    return grant_pool_get(pool, refs, n, false, page);
}

/* Pools share the handles: idle pages go back, pages in use do not. */
static void test_shared_handles(void **state)
{
    static struct grant_page *a_page[200], *b_page[200];
    struct grant_pool *a = make(true, 200), *b = make(true, 200);
    unsigned int handles = grant_pool_handles_;

    (void)state;
    grant_pool_handles_ = 100;
    assert_int_equal(grant_pool_share(), 50);
    assert_int_equal(get_range(a, 8, 80, a_page), 0);
    assert_int_equal(get_range(b, 200, 50, b_page), -EAGAIN);
    assert_int_equal(grant_pool_mapped(b), 0);
    assert_int_equal(fake.maps, 80);
    assert_int_equal(get_range(b, 200, 20, b_page), 0);
    grant_pool_put(a, a_page, 80);
    assert_int_equal(fake.maps, 100);
    assert_int_equal(get_range(b, 220, 30, b_page + 20), 0);
    assert_true(fake.maps <= 100);
    assert_int_equal(grant_pool_mapped(b), 50);
    for (unsigned int i = 0; i < 50; i++)
        assert_int_equal(fake.mapped[200 + i], 1);
    assert_int_equal(get_range(a, 8, 51, a_page), -EAGAIN);
    assert_int_equal(get_range(a, 8, 50, a_page), 0);
    assert_int_equal(fake.maps, 100);
    grant_pool_put(a, a_page, 50);
    grant_pool_put(b, b_page, 50);
    grant_pool_handles_ = handles;
    grant_pool_free(a);
    grant_pool_free(b);
    assert_int_equal(fake.maps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_persistent, setup),
        cmocka_unit_test_setup(test_not_persistent, setup),
        cmocka_unit_test_setup(test_persistent_read_only, setup),
        cmocka_unit_test_setup(test_all_or_nothing, setup),
        cmocka_unit_test_setup(test_bound, setup),
        cmocka_unit_test_setup(test_large, setup),
        cmocka_unit_test_setup(test_shared_handles, setup),
    };

    return cmocka_run_group_tests_name("grant_pool", tests, NULL, NULL);
}
