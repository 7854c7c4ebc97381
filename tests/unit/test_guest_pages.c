/*
 * The guest's page allocator, on an arena of the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "guest-kernel/pages.h"

#define PAGES  300
#define BITMAP 1 /* page that the bitmap takes */

static char *arena;

static int setup(void **state)
{
    (void)state;
    arena = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED)
        return -1;
    pages_init((uintptr_t)arena, (uintptr_t)arena + PAGES * PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return munmap(arena, PAGES * PAGE_SIZE);
}

static char *page(size_t i)
{
    return arena + i * PAGE_SIZE;
}

static void test_from_the_top(void **state)
{
    (void)state;
    assert_int_equal(pages_free_count(), PAGES - BITMAP);
    assert_ptr_equal(pages_lowest_free(), page(BITMAP));
    assert_ptr_equal(pages_alloc(1), page(PAGES - 1));
    assert_ptr_equal(pages_alloc(3), page(PAGES - 4));
    assert_int_equal(pages_free_count(), PAGES - BITMAP - 4);
}

static void test_all_of_it(void **state)
{
    size_t n = 0;

    (void)state;
    while (pages_alloc(1))
        n++;
    assert_int_equal(n, PAGES - BITMAP);
    assert_int_equal(pages_free_count(), 0);
    pages_free(page(BITMAP), PAGES - BITMAP);
    assert_ptr_equal(pages_alloc(PAGES - BITMAP), page(BITMAP));
}

static void test_refusals(void **state)
{
    (void)state;
    assert_null(pages_alloc(0));
    assert_null(pages_alloc(PAGES));
    assert_null(pages_alloc(SIZE_MAX));
    pages_free(NULL, 5);
    assert_int_equal(pages_free_count(), PAGES - BITMAP);
}

/* A hole is found by what fits into it, and by nothing larger. */
static void test_holes(void **state)
{
    char *a;

    (void)state;
    a = pages_alloc(100);
    pages_free(a + 40 * PAGE_SIZE, 5);
    assert_ptr_equal(pages_alloc(6), a - 6 * PAGE_SIZE);
    assert_ptr_equal(pages_alloc(5), a + 40 * PAGE_SIZE);
    pages_free(a + 99 * PAGE_SIZE, 1);
    assert_ptr_equal(pages_alloc(1), a + 99 * PAGE_SIZE);
}

static void test_claims(void **state)
{
    char *top;

    (void)state;
    assert_true(pages_claim(page(BITMAP), 10));
    assert_false(pages_claim(page(BITMAP + 9), 2));
    top = pages_alloc(1);
    assert_false(pages_claim(top, 1));
    assert_false(pages_claim(top - PAGE_SIZE, 2));
    assert_false(pages_claim(page(PAGES), 1));
    assert_false(pages_claim(arena - PAGE_SIZE, 1));
    assert_false(pages_claim(page(PAGES - 1), SIZE_MAX));
    assert_int_equal(pages_free_count(), PAGES - BITMAP - 11);
}

/* Random work against a plain model of it. */
static void test_model(void **state)
{
    static unsigned char owner[PAGES];
    unsigned int seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand_r(&seed) % 12 + 1;
        size_t i = (size_t)rand_r(&seed) % PAGES;
        char *p;

        if (rand_r(&seed) % 2) {
            if (owner[i]) {
                pages_free(page(i), 1);
                owner[i] = 0;
            }
            continue;
        }
        p = pages_alloc(n);
        for (size_t k = 0; p && k < n; k++) {
            size_t at = (size_t)(p - arena) / PAGE_SIZE + k;

            assert_in_range(at, BITMAP, PAGES - 1);
            assert_int_equal(owner[at], 0);
            owner[at] = 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
