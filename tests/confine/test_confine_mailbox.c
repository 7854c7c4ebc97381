/*
 * Hypercalls by mailbox: the same answers as by notification, none lost or done
 * twice, and nothing that a guest writes there is believed.
 *
 * Whether the hypervisor looks at mailboxes depends on how quick the machine
 * is; what needs that encourages it, and is skipped where there is one
 * processor.
 */
#include "confine.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/sandbox.h"

static void need_two_cpus(void)
{
    cpu_set_t cpus;

    if (!sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2) {
        print_message("# skipped: one processor\n");
        skip();
    }
}

static uint16_t boot(struct confined *c, const char *mode)
{
    uint16_t d;

    confine_domain_flags = RS_DOMAIN_POLLED;
    d = confine_boot(c, "%s", mode);
    confine_domain_flags = 0;
    return d;
}

/* Makes looking at d's mailbox worth while, however slow it was at its last
 * call: a crowded machine is no reason not to look. */
static void encourage(struct confined *c, uint16_t d)
{
    struct sandbox_domain *sd = host_domain(c->h, d)->engine;

    sd->ring.last_ns = host_now();
    sd->ring.not_before_ns = 0;
}

/* Dispatches until so many calls more went by mailbox. */
static void wait_for_calls(struct confined *c, uint16_t d, uint64_t n)
{
    uint64_t end = confine_deadline();
    uint64_t from = confine_info(c, d).polled_calls;

    while (confine_info(c, d).polled_calls < from + n) {
        if (host_now() > end)
            fail_msg("mailboxes are not looked at; it said: %s", c->console);
        encourage(c, d);
        rs_host_dispatch(c->h, 10);
    }
}

/* Each call of mode "carried" was done once, and was right. */
static void check_counts(struct confined *c, uint16_t d)
{
    struct probe_shared *s = confine_shared(c, d);
    struct rs_domain_info info;

    __atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
    info = confine_wait(c, d);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(s->wrong, 0);
    /* The timer's bind, and the shutdown. */
    assert_int_equal(info.hypercalls, 3 * s->count + 2);
    assert_true(info.polled_calls <= 3 * s->count);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
}

/* ---- answers ---- */

static void test_same_answers(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "mail-same");
    struct probe_shared *s = confine_shared(c, d);
    struct rs_domain_info info = confine_wait(c, d);

    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(s->wrong, 0);
    assert_true(s->count > 40);
    assert_true(info.polled_calls >= s->count);
    assert_string_equal(c->console, "ok\nok\n");
}

/* A request counts as a call only if it was carried out. */
static void sweep(struct confined *c, unsigned int flags, const char *mode)
{
    struct probe_shared *s;
    struct rs_domain_info info;
    uint16_t d;

    confine_domain_flags = flags;
    d = confine_boot(c, "%s", mode);
    confine_domain_flags = 0;
    s = confine_shared(c, d);
    info = confine_wait(c, d);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->count, 80 * 40);
    assert_int_equal(info.hypercalls, info.polled_calls + 1);
    assert_int_equal(info.ports, 0);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
}

static void test_only_what_may_be_carried(void **state)
{
    sweep(*state, RS_DOMAIN_POLLED, "mail-sweep 1");
}

static void test_nothing_without_the_flag(void **state)
{
    struct confined *c = *state;

    sweep(c, 0, "mail-sweep 0");
}

/* ---- while they are looked at ---- */

static void test_carried(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "carried");

    need_two_cpus();
    wait_for_calls(c, d, 10000);
    check_counts(c, d);
}

static void test_one_cpu(void **state)
{
    struct confined *c = *state;
    cpu_set_t all, one;
    uint16_t d;

    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    d = boot(c, "carried");
    assert_int_equal(rs_vcpu_pin(c->h, d, 0, one.__bits[0]), 0);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    confine_wait_for(c, &confine_shared(c, d)->count, 3000);
    assert_int_equal(confine_info(c, d).polled_calls, 0);
    check_counts(c, d);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* An application that never waits in the library is not made to. */
static void test_no_waiting(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "carried");
    struct probe_shared *s = confine_shared(c, d);
    uint64_t end = confine_deadline();

    while (__atomic_load_n(&s->count, __ATOMIC_SEQ_CST) < 1000) {
        assert_true(host_now() < end);
        assert_int_equal(rs_host_dispatch(c->h, 0), 0);
    }
    assert_int_equal(confine_info(c, d).polled_calls, 0);
    check_counts(c, d);
}

/* ---- stopped in between ---- */

static void random_nap(void)
{
    struct timespec t = { 0, rand() % 700 * 1000L };

    nanosleep(&t, NULL);
}

/* The lock is had although the loop takes it again and again. */
static void test_pauses(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "carried");
    struct probe_shared *s = confine_shared(c, d);
    struct confine_loop l;

    confine_loop_start(&l, c);
    for (int i = 0; i < 300; i++) {
        uint64_t count, calls;

        random_nap();
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        count = __atomic_load_n(&s->count, __ATOMIC_SEQ_CST);
        calls = confine_info(c, d).polled_calls;
        random_nap();
        assert_int_equal(confine_info(c, d).polled_calls, calls);
        assert_int_equal(__atomic_load_n(&s->count, __ATOMIC_SEQ_CST), count);
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
    }
    confine_loop_end(&l);
    check_counts(c, d);
}

static void test_destroyed_at_any_moment(void **state)
{
    struct confined *c = *state;
    struct confine_loop l;

    confine_loop_start(&l, c);
    for (int i = 0; i < 60; i++) {
        uint16_t d = boot(c, "carried"), e = boot(c, "carried");

        random_nap();
        random_nap();
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
        if (i % 3 == 0)
            random_nap();
        assert_int_equal(rs_domain_destroy(c->h, e), 0);
    }
    confine_loop_end(&l);
    assert_int_equal(c->h->used_pages, 0);
    assert_int_equal(confine_count_processes(c), 0);
    assert_false(c->h->polling);
}

static bool serve(struct vcpu *v)
{
    bool did;

    host_lock(v->domain->host);
    did = mailbox_serve(v);
    host_unlock(v->domain->host);
    return did;
}

/* Asks in a stopped guest's place. */
static bool is_refused(struct vcpu *v)
{
    struct sandbox_mailbox *m = &sandbox_page_of(v)->mailbox;
    uint64_t before = stats_total(v->domain);

    m->request.nr = __HYPERVISOR_xen_version;
    m->request.args[0] = XENVER_pagesize;
    m->request.asked++;
    assert_true(serve(v));
    assert_false(serve(v)); /* once */
    assert_int_equal(m->answer.answered, m->request.asked);
    assert_int_equal(stats_total(v->domain), before + !m->answer.refused);
    return m->answer.refused;
}

static void test_stopped_domains(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "spin");
    struct vcpu *v = &host_domain(c->h, d)->vcpu[0];

    confine_wait_for(c, &confine_shared(c, d)->count, 1);
    assert_false(is_refused(v));
    assert_int_equal(sandbox_page_of(v)->mailbox.answer.value, PAGE_SIZE);
    assert_int_equal(rs_domain_pause(c->h, d), 0);
    assert_true(is_refused(v));
    assert_int_equal(rs_domain_unpause(c->h, d), 0);
    assert_false(is_refused(v));
    v->up = false;
    assert_true(is_refused(v));
    v->up = true;
    host_lock(c->h);
    domain_shutdown(v->domain, SHUTDOWN_poweroff, 0);
    host_unlock(c->h);
    assert_true(is_refused(v));
}

/* The number tells only that a request is new, wherever it moves: each change
 * of it is one request, no change is none. */
static void test_numbers(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot(c, "spin");
    struct vcpu *v = &host_domain(c->h, d)->vcpu[0];
    struct sandbox_mailbox *m = &sandbox_page_of(v)->mailbox;
    const uint32_t moves[] = { 1, 1000, -1u, -1000u, 0x80000000, 0, 7 };
    uint64_t calls = 0;

    confine_wait_for(c, &confine_shared(c, d)->count, 1);
    m->request.nr = __HYPERVISOR_xen_version;
    m->request.args[0] = XENVER_pagesize;
    m->request.asked = -2u; /* so that numbers wrap */
    serve(v);
    calls = stats_total(v->domain);
    for (unsigned int i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        m->request.asked += moves[i];
        assert_int_equal(serve(v), moves[i] != 0);
        assert_false(serve(v));
        calls += moves[i] != 0;
        assert_int_equal(m->answer.answered, m->request.asked);
        assert_int_equal(stats_total(v->domain), calls);
    }
}

/* ---- hostile, and greedy ---- */

/* Two vCPUs against the mailbox of a third; a neighbour does not notice. */
static void test_storm(void **state)
{
    struct confined *c = *state;
    struct rs_domain_info info;
    struct probe_shared *s;
    uint16_t d, honest;

    confine_vcpus = 3;
    d = boot(c, "mail-storm");
    confine_vcpus = 1;
    s = confine_shared(c, d);
    honest = boot(c, "carried");
    for (int i = 1; i <= 20; i++) {
        confine_wait_for(c, &s->count, 200 * (uint64_t)i);
        confine_wait_for(c, &confine_shared(c, honest)->count,
                         200 * (uint64_t)i);
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        confine_dispatch(c, 1);
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
    }
    info = confine_info(c, d);
    assert_int_equal(info.state, RS_DOMAIN_RUNNING);
    assert_true(info.polled_calls > 0);
    assert_int_equal(info.vcpus, 3);
    assert_int_equal(info.ports, 0);
    assert_int_equal(info.grants_mapped, 0);
    assert_int_equal(info.memory_kib, PROBE_KIB);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    check_counts(c, honest);
}

/* A domain that floods its mailbox keeps nobody from the hypervisor: neither
 * one that notifies it, nor a thread that wants the lock. */
static void test_others_get_on(void **state)
{
    struct confined *c = *state;
    uint16_t flood = boot(c, "carried"), d;
    struct confine_loop l;

    need_two_cpus();
    wait_for_calls(c, flood, 1000);
    d = confine_boot(c, "hypercalls");
    confine_wait_for(c, &confine_shared(c, d)->count, 500);
    assert_int_equal(confine_shared(c, d)->wrong, 0);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    confine_loop_start(&l, c);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(confine_info(c, flood).state, RS_DOMAIN_RUNNING);
    confine_loop_end(&l);
    check_counts(c, flood);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_same_answers),
        CASE(test_only_what_may_be_carried),
        CASE(test_nothing_without_the_flag),
        CASE(test_carried),
        CASE(test_one_cpu),
        CASE(test_no_waiting),
        CASE(test_pauses),
        CASE(test_destroyed_at_any_moment),
        CASE(test_stopped_domains),
        CASE(test_numbers),
        CASE(test_storm),
        CASE(test_others_get_on),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
