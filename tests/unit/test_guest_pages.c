/*
 * The guest's page allocator, on an arena of the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- pages that hold zeros ---- */

static bool is_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n * PAGE_SIZE - 1) == 0);
}

static void fill_and_free(char *p, size_t n)
{
    memset(p, 'S', n * PAGE_SIZE);
    pages_free(p, n);
}

static void test_used_pages_are_cleared(void **state)
{
    char *p = pages_alloc(20);

    (void)state;
    fill_and_free(p, 20);
    assert_ptr_equal(pages_alloc(5), p + 15 * PAGE_SIZE);
    assert_int_equal(p[15 * PAGE_SIZE], 'S'); /* nobody asked */
    /* Some of these were used, some never. */
    assert_ptr_equal(pages_alloc_zeroed(40), p - 25 * PAGE_SIZE);
    assert_true(is_zero(p - 25 * PAGE_SIZE, 40));
}

/* The heap had them, and gave them back. */
static void test_claimed_pages_are_cleared(void **state)
{
    char *p;

    (void)state;
    assert_true(pages_claim(page(BITMAP), 100));
    fill_and_free(page(BITMAP), 100);
    p = pages_alloc_zeroed(PAGES - BITMAP);
    assert_ptr_equal(p, page(BITMAP));
    assert_true(is_zero(p, PAGES - BITMAP));
}

static size_t count_resident(char *p, size_t n)
{
    unsigned char in[PAGES];
    size_t count = 0;

    assert_int_equal(mincore(p, n * PAGE_SIZE, in), 0);
    for (size_t i = 0; i < n; i++)
        count += in[i] & 1;
    return count;
}

/* What nobody ever had costs nothing until it is used. */
static void test_fresh_pages_stay_untouched(void **state)
{
    char *p;

    (void)state;
    fill_and_free(pages_alloc(10), 10);
    assert_true(pages_claim(page(BITMAP), 10));
    p = pages_alloc_zeroed(200);
    assert_int_equal(count_resident(p, 190), 0);
    assert_true(is_zero(p, 200));
}

/* Random takers that leave secrets behind; zeroed runs hold none. */
static void test_zeroed_model(void **state)
{
    static bool taken[PAGES];
    unsigned int seed = 2;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand_r(&seed) % 12 + 1;
        size_t i = (size_t)rand_r(&seed) % PAGES;
        unsigned int how = (unsigned int)rand_r(&seed) % 6;
        char *p = NULL;

        if (how < 3) {
            if (taken[i])
                pages_free(page(i), 1);
            taken[i] = false;
            continue;
        }
        if (how == 3)
            p = pages_alloc(n);
        else if (how == 4)
            p = pages_alloc_zeroed(n);
        else if (i % 8 == 0 && pages_claim(page(i / 4), n))
            p = page(i / 4);
        if (!p)
            continue;
        if (how == 4)
            assert_true(is_zero(p, n));
        memset(p, 'S', n * PAGE_SIZE);
        for (size_t k = 0; k < n; k++)
            taken[(size_t)(p - arena) / PAGE_SIZE + k] = true;
    }
    for (size_t i = 0; i < PAGES; i++)
        if (taken[i])
            pages_free(page(i), 1);
    assert_int_equal(pages_free_count(), PAGES - BITMAP);
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
        cmocka_unit_test_setup_teardown(test_used_pages_are_cleared, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_claimed_pages_are_cleared, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_fresh_pages_stay_untouched, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_zeroed_model, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
