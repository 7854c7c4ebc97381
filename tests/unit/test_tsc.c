/*
 * The clock that guests extrapolate: whatever its measurements are off by, no
 * reader who changes from one line to the next sees time go back, and it stays
 * near the truth.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tsc.h"

#define MS 1000000ull

/* The truth: 2.3 ticks a nanosecond. */
static uint64_t ticks(uint64_t ns)
{
    return ns * 23 / 10;
}

static uint64_t read_at(const struct tsc_clock *c, uint64_t ns)
{
    return c->base.ns + tsc_ticks_ns(c, ticks(ns) - c->base.tsc);
}

static uint64_t random_below(uint64_t n)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % n;
}

/* What a measurement says that was interrupted between its two clocks. */
static struct tsc_moment measure(uint64_t ns, uint64_t worst)
{
    return (struct tsc_moment){ ticks(ns),
                                ns + random_below(2 * worst + 1) - worst };
}

/* A life of measurements that are off by up to `worst` ns. */
static void live(uint64_t worst)
{
    struct tsc_clock c, old;
    uint64_t ns = 1000 * MS, next = 20 * MS;

    tsc_begin(&c, measure(ns, worst), measure(ns + 2 * MS, worst));
    ns += 2 * MS;
    for (int i = 0; i < 40; i++) {
        ns += next;
        if (next < 60000 * MS)
            next *= 2;
        old = c;
        tsc_follow(&c, measure(ns, worst), next);
        for (uint64_t late = 0; late <= TSC_LATE_NS; late += 999)
            assert_true(read_at(&c, ns + late) >= read_at(&old, ns + late));
        assert_true(read_at(&c, ns + MS) > read_at(&c, ns));
    }
    assert_in_range(read_at(&c, ns), ns - 2 * worst - 10, ns + 8 * worst + 10);
}

static void test_good_measurements(void **state)
{
    (void)state;
    live(0);
}

static void test_bad_measurements(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        live(30);
        live(1000);
        live(50000);
    }
}

/* One that was very wrong is forgotten, little by little. */
static void test_an_outlier(void **state)
{
    uint64_t ns = 1000 * MS, next = 20 * MS;
    struct tsc_clock c;

    (void)state;
    tsc_begin(&c, measure(ns, 0), measure(ns + 2 * MS, 0));
    ns += 20 * MS;
    tsc_follow(&c, (struct tsc_moment){ ticks(ns), ns + 10 * MS }, next);
    assert_in_range(read_at(&c, ns), ns + 10 * MS, ns + 11 * MS);
    for (int i = 0; i < 12; i++) {
        ns += next;
        next *= 2;
        tsc_follow(&c, measure(ns, 0), next);
    }
    assert_in_range(read_at(&c, ns), ns, ns + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_measurements),
        cmocka_unit_test(test_bad_measurements),
        cmocka_unit_test(test_an_outlier),
    };

    return cmocka_run_group_tests_name("tsc", tests, NULL, NULL);
}
