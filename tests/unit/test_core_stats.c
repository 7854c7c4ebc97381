/*
 * Counters of hypercalls: exact numbers, one call for many turns, times in the
 * right entry of the histogram, and who has none.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "hypercalls/hypercall.h"

static struct rs_host *h;
static uint16_t d;

static int setup(void **state)
{
    (void)state;
    h = core_host("test");
    d = core_boot(h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(h);
    return 0;
}

/* The counters of one name, all 0 if it was never called. */
static struct rs_hypercall_stats stats_of(const char *name)
{
    struct rs_hypercall_stats s[STATS_SLOTS], none = { .name = "" };
    int n = rs_hypercall_stats(h, d, s, STATS_SLOTS);

    assert_true(n >= 0);
    for (int i = 0; i < n; i++)
        if (!strcmp(s[i].name, name))
            return s[i];
    return none;
}

static uint64_t in_histogram(const struct rs_hypercall_stats *s)
{
    uint64_t n = 0;

    for (int i = 0; i < RS_HISTOGRAM; i++)
        n += s->histogram[i];
    return n;
}

static void test_exact_numbers(void **state)
{
    struct rs_hypercall_stats s;

    (void)state;
    for (int i = 0; i < 1000; i++)
        core_call(h, d, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    for (int i = 0; i < 7; i++)
        core_call(h, d, __HYPERVISOR_xen_version, 99, 0, 0);
    for (int i = 0; i < 3; i++)
        core_call(h, d, __HYPERVISOR_mmu_update, 0, 0, 0);
    core_call(h, d, 4711, 0, 0, 0);
    s = stats_of("xen_version");
    assert_int_equal(s.calls, 1007);
    assert_int_equal(s.failed, 7);
    assert_int_equal(s.batched, 0);
    assert_int_equal(in_histogram(&s), 1007);
    assert_true(s.total_ns > 0);
    s = stats_of("other");
    assert_int_equal(s.calls, 4);
    assert_int_equal(s.failed, 4);
    assert_int_equal(stats_of("grant_table_op").calls, 0);
}

static void test_info_tells_their_sum(void **state)
{
    struct rs_hypercall_stats s[STATS_SLOTS];
    struct rs_domain_info info;
    uint64_t sum = 0;
    int n;

    (void)state;
    core_call(h, d, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    core_call(h, d, 63, 0, 0, 0);
    n = rs_hypercall_stats(h, d, s, STATS_SLOTS);
    assert_int_equal(n, 2);
    for (int i = 0; i < n; i++)
        sum += s[i].calls + s[i].batched;
    assert_int_equal(rs_domain_info(h, d, &info), 0);
    assert_int_equal(info.hypercalls, sum);
    assert_int_equal(sum, 2);
    assert_int_equal(rs_hypercall_stats(h, d, s, 1), 1);
    assert_int_equal(rs_hypercall_stats(h, d, s, 0), 0);
}

/* A long batch is one call; its entries are counted where they belong, those
 * that take turns themselves, too. */
static void test_batches_and_turns(void **state)
{
    enum { N = 500 };
    struct rs_hypercall_stats s;
    uint64_t turns;

    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        struct multicall_entry *e = core_at(h, d, CORE_RAM + i * 64);

        *e = (struct multicall_entry){
            .op = i % 5 ? __HYPERVISOR_xen_version : 63,
            .args = { XENVER_pagesize },
        };
    }
    assert_int_equal(core_call(h, d, __HYPERVISOR_multicall, CORE_RAM, N, 0),
                     0);
    s = stats_of("multicall");
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.failed, 0);
    assert_int_equal(in_histogram(&s), 1);
    turns = s.total_ns;
    assert_true(turns > 0);
    s = stats_of("xen_version");
    assert_int_equal(s.calls, 0);
    assert_int_equal(s.batched, N - N / 5);
    assert_int_equal(s.failed, 0);
    assert_int_equal(s.total_ns, 0);
    s = stats_of("other");
    assert_int_equal(s.batched, N / 5);
    assert_int_equal(s.failed, N / 5);
}

/* What a guest leaves unfinished was a call, but is in no histogram. */
static void test_abandoned_turns(void **state)
{
    struct vcpu *v = &core_domain(h, d)->vcpu[0];
    const uint64_t args[6] = { CORE_RAM, 500 }, none[6] = { 0 };
    struct rs_hypercall_stats s;

    (void)state;
    for (uint64_t i = 0; i < 500; i++)
        *(struct multicall_entry *)core_at(h, d, CORE_RAM + i * 64) =
            (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    hypercall_dispatch(v, __HYPERVISOR_multicall, args);
    assert_true(v->continued);
    hypercall_dispatch(v, __HYPERVISOR_xen_version, none);
    assert_false(v->continued);
    s = stats_of("multicall");
    assert_int_equal(s.calls, 1);
    assert_int_equal(in_histogram(&s), 0);
    s = stats_of("xen_version");
    assert_int_equal(s.calls, 1);
    assert_int_equal(in_histogram(&s), 1);
}

/* Ticks that last about so long. */
static uint64_t ticks_of(uint64_t ns)
{
    uint64_t ticks = 1;

    while (time_from_ticks(h, ticks) < ns)
        ticks += ticks / 64 + 1;
    return ticks;
}

static void test_histogram(void **state)
{
    struct vcpu *v = &core_domain(h, d)->vcpu[0];
    struct rs_hypercall_stats s;
    uint64_t total = 0;

    (void)state;
    v->continued = false;
    v->sample_weight = 1;
    for (unsigned int i = 0; i < RS_HISTOGRAM + 4; i++) {
        /* The middle of the entry. */
        uint64_t ns = (RS_HISTOGRAM_MIN_NS / 4 * 3ull) << i;

        stats_run(v, STATS_SYSCTL, ticks_of(ns), false, 0);
        total += ns;
    }
    s = stats_of("sysctl");
    for (unsigned int i = 0; i < RS_HISTOGRAM - 1; i++)
        assert_int_equal(s.histogram[i], 1);
    assert_int_equal(s.histogram[RS_HISTOGRAM - 1], 5);
    assert_in_range(s.total_ns, total, total + total / 16);
    stats_run(v, STATS_SYSCTL, UINT64_MAX >> 1, false, 0);
    assert_int_equal(stats_of("sysctl").histogram[RS_HISTOGRAM - 1], 6);
    stats_run(v, STATS_SYSCTL, -5ull, false, 0); /* it went backwards */
    assert_int_equal(stats_of("sysctl").histogram[0], 2);
}

static void sampled(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    struct hypercall_run t;

    hypercall_dispatch_sampled(v, nr, args, &t);
    hypercall_count(v, &t);
}

/* Calls that are not all timed: each is counted, and what is timed stands for
 * those before it, so that the sums come out. */
static void test_sampled(void **state)
{
    struct vcpu *v = &core_domain(h, d)->vcpu[0];
    const uint64_t args[6] = { XENVER_version }, none[6] = { 99 };
    struct rs_hypercall_stats s;

    (void)state;
    for (unsigned int i = 0; i < 10000; i++) {
        sampled(v, __HYPERVISOR_xen_version, args);
        sampled(v, __HYPERVISOR_hvm_op, none);
    }
    s = stats_of("xen_version");
    assert_int_equal(s.calls, 10000);
    assert_in_range(in_histogram(&s), 10000 - 10000 / 10, 10000);
    assert_true(s.total_ns > 0);
    s = stats_of("hvm_op");
    assert_int_equal(s.calls, 10000);
    assert_int_equal(s.failed, 10000);
    assert_in_range(in_histogram(&s), 10000 - 10000 / 10, 10000);
    assert_true(s.total_ns > 0);
}

/* Whether a call is timed is decided once: the first of its kind is, and all of
 * its turns count with it. */
static void test_sampled_turns(void **state)
{
    struct vcpu *v = &core_domain(h, d)->vcpu[0];
    uint64_t args[6] = { CORE_RAM, 500 };
    struct rs_hypercall_stats s;
    unsigned int turns = 0;

    (void)state;
    for (uint64_t i = 0; i < args[1]; i++)
        *(struct multicall_entry *)core_at(h, d, CORE_RAM + i * 64) =
            (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                      .args = { XENVER_pagesize } };
    do {
        sampled(v, __HYPERVISOR_multicall, args);
        memcpy(args, v->continuation, sizeof(v->continuation));
        turns++;
    } while (v->continued);
    assert_true(turns > 1);
    s = stats_of("multicall");
    assert_int_equal(s.calls, 1);
    assert_int_equal(in_histogram(&s), 1);
}

/* Turns add up to one time. */
static void test_turns_add_up(void **state)
{
    struct vcpu *v = &core_domain(h, d)->vcpu[0];
    uint64_t ticks = ticks_of(3000);
    struct rs_hypercall_stats s;

    (void)state;
    v->sample_weight = 1;
    for (int i = 0; i < 4; i++) {
        v->continued = i < 3;
        stats_run(v, STATS_SYSCTL, ticks, i > 0, i < 3 ? 0 : -EFAULT);
    }
    s = stats_of("sysctl");
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.failed, 1);
    assert_in_range(s.total_ns, 12000, 13000);
    assert_int_equal(s.histogram[9], 1); /* 8,192 to 16,383 */
    assert_int_equal(in_histogram(&s), 1);
}

/* A line of the table that forgot its counter would be counted as "other". */
static void test_all_have_their_own(void **state)
{
    unsigned int named = 0;

    (void)state;
    for (unsigned int nr = 0; nr < HYPERCALL_MAX; nr++) {
        uint64_t args[6] = { ~0ull, 0, 0, 0, 0, 0 };

        if (!hypercall_name(nr))
            continue;
        named++;
        assert_int_equal(stats_of(hypercall_name(nr)).calls, 0);
        hypercall_dispatch(&core_domain(h, d)->vcpu[0], nr, args);
        assert_int_equal(stats_of(hypercall_name(nr)).calls, 1);
    }
    assert_int_equal(named, STATS_SLOTS - 1);
    assert_int_equal(stats_of("other").calls, 0);
}

static void test_who_has_none(void **state)
{
    struct domain *p = core_join(h, RS_DOMID_DRIVER);
    struct rs_hypercall_stats s[STATS_SLOTS];
    struct rs_guest_counts c = { .sends = 1 };

    (void)state;
    assert_int_equal(rs_hypercall_stats(h, 4711, s, STATS_SLOTS), -ESRCH);
    assert_string_equal(rs_error(), "no domain 4711");
    assert_int_equal(rs_hypercall_stats(h, p->domid, s, STATS_SLOTS), 0);
    assert_int_equal(rs_guest_counts(h, p->domid, &c), -ESRCH);
    assert_int_equal(rs_guest_counts(h, 4711, &c), -ESRCH);
    assert_int_equal(rs_guest_counts(h, d, &c), 0);
    assert_int_equal(c.sends, 0);
    domain_destroy(p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_exact_numbers),
        CASE(test_info_tells_their_sum),
        CASE(test_batches_and_turns),
        CASE(test_abandoned_turns),
        CASE(test_histogram),
        CASE(test_turns_add_up),
        CASE(test_sampled),
        CASE(test_sampled_turns),
        CASE(test_all_have_their_own),
        CASE(test_who_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
