/*
 * Stopping: whatever a guest is doing, it can be paused, killed and destroyed
 * at any moment, and nothing is lost or done twice by it.
 */
#include "confine.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A busy machine may be late, but never fails to stop a guest. */
static void check_stopped_by(uint64_t deadline)
{
    assert_true(host_now() < deadline);
}

/* ---- while the loop runs in a thread of its own ---- */

static void nap(unsigned int us)
{
    struct timespec t = { 0, us * 1000L };

    nanosleep(&t, NULL);
}

/* A delay that falls anywhere into what the guest does. */
static void random_nap(void)
{
    nap((unsigned int)(rand() % 700));
}

static uint64_t count_of(struct probe_shared *s)
{
    return __atomic_load_n(&s->count, __ATOMIC_SEQ_CST);
}

static void wait_until(struct probe_shared *s, uint64_t count)
{
    uint64_t end = confine_deadline();

    while (count_of(s) < count) {
        if (host_now() > end)
            fail_msg("the guest does not get on");
        nap(50);
    }
}

/* ---- pausing ---- */

/* Paused, nothing of it moves; unpaused, it goes on. */
static void pause_rounds(struct confined *c, const char *mode, int rounds)
{
    uint16_t d = confine_boot(c, "%s", mode);
    struct probe_shared *s = confine_shared(c, d);
    struct confine_loop l;

    confine_loop_start(&l, c);
    wait_until(s, 1);
    for (int i = 0; i < rounds; i++) {
        uint64_t deadline, count;

        random_nap();
        deadline = confine_deadline();
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        check_stopped_by(deadline);
        count = count_of(s);
        if (i % 8 == 0) {
            nap(5000);
            assert_int_equal(count_of(s), count);
        }
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
        if (strcmp(mode, "sleep"))
            wait_until(s, count + 1);
    }
    assert_int_equal(s->wrong, 0);
    confine_loop_end(&l);
    assert_int_equal(confine_info(c, d).state, RS_DOMAIN_RUNNING);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
}

static void test_pause_spinning(void **state)
{
    pause_rounds(*state, "spin", 80);
}

static void test_pause_in_hypercalls(void **state)
{
    pause_rounds(*state, "hypercalls", 200);
}

static void test_pause_sleeping(void **state)
{
    pause_rounds(*state, "sleep", 50);
}

/* Of each vCPU of a domain. */
static void words_of(struct probe_shared *s, uint64_t words[4])
{
    words[0] = __atomic_load_n(&s->count, __ATOMIC_SEQ_CST);
    words[1] = __atomic_load_n(&s->traps, __ATOMIC_SEQ_CST);
    words[2] = __atomic_load_n(&s->upcalls, __ATOMIC_SEQ_CST);
    words[3] = __atomic_load_n(&s->port, __ATOMIC_SEQ_CST);
}

static bool all_moved(struct probe_shared *s, const uint64_t before[4])
{
    uint64_t now[4];

    words_of(s, now);
    for (int i = 0; i < 4; i++)
        if (now[i] == before[i])
            return false;
    return true;
}

/* Paused, none of four vCPUs moves; destroyed, none is left. */
static void test_pause_many(void **state)
{
    struct confined *c = *state;
    struct probe_shared *s;
    struct confine_loop l;
    uint16_t d;

    confine_vcpus = 4;
    d = confine_boot(c, "many");
    confine_vcpus = 1;
    s = confine_shared(c, d);
    confine_loop_start(&l, c);
    for (int i = 0; i < 60; i++) {
        uint64_t words[4], again[4], end = confine_deadline();

        words_of(s, words);
        while (!all_moved(s, words) && host_now() < end)
            nap(50);
        assert_true(all_moved(s, words));
        random_nap();
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        words_of(s, words);
        nap(i % 8 ? 100 : 5000);
        words_of(s, again);
        assert_memory_equal(words, again, sizeof(words));
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
    }
    assert_int_equal(s->wrong, 0);
    confine_loop_end(&l);
    assert_int_equal(confine_info(c, d).state, RS_DOMAIN_RUNNING);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
}

/* No signal gets through to it, nor has it a stack for one. */
static void test_pause_with_signals_blocked(void **state)
{
    struct confined *c = *state;
    uint16_t d = confine_boot(c, "block-signals");
    struct probe_shared *s = confine_shared(c, d);

    confine_wait_for(c, &s->count, 1);
    for (int i = 0; i < 20; i++) {
        uint64_t deadline = confine_deadline(), count;

        assert_int_equal(rs_domain_pause(c->h, d), 0);
        check_stopped_by(deadline);
        count = count_of(s);
        nap(2000);
        assert_int_equal(count_of(s), count);
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
        confine_wait_for(c, &s->count, count + 1);
    }
    assert_null(strstr(c->console, "no"));
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
}

/* While a grant is mapped or its removal is under way. */
static void test_pause_in_maps(void **state)
{
    struct confined *c = *state;
    uint16_t next = c->h->next_domid;
    uint16_t g = confine_boot(c, "grant %x", next + 1), m;
    struct probe_shared *s;
    struct confine_loop l;

    confine_wait_for(c, &confine_shared(c, g)->count, 1);
    m = confine_boot(c, "map %x 0", g);
    s = confine_shared(c, m);
    confine_loop_start(&l, c);
    for (int i = 0; i < 200; i++) {
        uint64_t deadline, count;

        random_nap();
        deadline = confine_deadline();
        assert_int_equal(rs_domain_pause(c->h, m), 0);
        check_stopped_by(deadline);
        count = count_of(s);
        assert_int_equal(rs_domain_unpause(c->h, m), 0);
        wait_until(s, count + 1);
    }
    assert_int_equal(s->wrong, 0);
    confine_loop_end(&l);
    assert_int_equal(rs_domain_destroy(c->h, m), 0);
    assert_int_equal(host_domain(c->h, g)->memory.pins, 0);
}

/* From before its first instruction on. */
static void test_pause_at_birth(void **state)
{
    struct confined *c = *state;

    for (int i = 0; i < 40; i++) {
        uint16_t d = confine_create(c, PROBE_KIB, "spin");
        struct probe_shared *s = confine_shared(c, d);
        uint64_t count;
        struct confine_loop l;

        confine_loop_start(&l, c);
        if (i % 3 == 0)
            random_nap();
        for (int k = 0; k < 3; k++) {
            assert_int_equal(rs_domain_unpause(c->h, d), 0);
            if (i % 2)
                nap((unsigned int)(rand() % 300));
            assert_int_equal(rs_domain_pause(c->h, d), 0);
        }
        count = count_of(s);
        nap(200);
        assert_int_equal(count_of(s), count);
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
        wait_until(s, count + 1);
        confine_loop_end(&l);
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
    }
}

/* ---- destroying ---- */

static void destroy_rounds(struct confined *c, const char *mode, int rounds)
{
    unsigned int fds = confine_count_fds();
    struct confine_loop l;

    confine_loop_start(&l, c);
    for (int i = 0; i < rounds; i++) {
        uint16_t d = confine_boot(c, "%s", mode);
        struct probe_shared *s = confine_shared(c, d);
        uint64_t deadline;

        if (i % 4) {
            wait_until(s, 1);
            random_nap();
        }
        if (i % 5 == 0)
            assert_int_equal(rs_domain_pause(c->h, d), 0);
        deadline = confine_deadline();
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
        check_stopped_by(deadline);
    }
    confine_loop_end(&l);
    confine_dispatch(c, 10);
    assert_int_equal(confine_count_fds(), fds);
    assert_int_equal(confine_count_processes(c), 0);
    assert_int_equal(c->h->used_pages, 0);
}

static void test_destroy_at_any_moment(void **state)
{
    destroy_rounds(*state, "spin", 60);
    destroy_rounds(*state, "hypercalls", 100);
    destroy_rounds(*state, "sleep", 40);
    destroy_rounds(*state, "block-signals", 20);
}

/* Killed by somebody else in the middle of what it does. */
static void test_kill_at_any_moment(void **state)
{
    struct confined *c = *state;

    for (int i = 0; i < 60; i++) {
        uint16_t d = confine_boot(c, "hypercalls");
        struct probe_shared *s = confine_shared(c, d);

        confine_wait_for(c, &s->count, (uint64_t)(rand() % 20));
        assert_int_equal(kill(confine_info(c, d).pid, SIGKILL), 0);
        assert_int_equal(confine_wait(c, d).shutdown_reason, SHUTDOWN_crash);
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
    }
    assert_int_equal(c->h->used_pages, 0);
}

static void on_signal(int sig)
{
    (void)sig;
}

/* A guest that is destroyed has ended, also if signals came while we waited. */
static void test_destroy_under_signals(void **state)
{
    const struct sigaction act = { .sa_handler = on_signal };
    const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { 0 };
    struct confined *c = *state;
    struct sigaction before;

    assert_int_equal(sigaction(SIGALRM, &act, &before), 0);
    for (int i = 0; i < 20; i++) {
        uint16_t d = confine_boot(c, "hypercalls");
        struct pollfd p = { .events = POLLIN };

        confine_wait_for(c, &confine_shared(c, d)->count, 1);
        p.fd = (int)syscall(SYS_pidfd_open, confine_info(c, d).pid, 0);
        assert_true(p.fd >= 0);
        setitimer(ITIMER_REAL, &often, NULL);
        rs_domain_destroy(c->h, d);
        setitimer(ITIMER_REAL, &never, NULL);
        assert_int_equal(poll(&p, 1, 0), 1);
        close(p.fd);
    }
    sigaction(SIGALRM, &before, NULL);
}

/* Two guests, one of which is destroyed in its hypercall by another thread
 * than the one that handles it. */
static void test_destroy_in_maps(void **state)
{
    struct confined *c = *state;
    struct confine_loop l;

    confine_loop_start(&l, c);
    for (int i = 0; i < 40; i++) {
        uint16_t g = confine_boot(c, "grant %x", c->h->next_domid + 1), m;

        wait_until(confine_shared(c, g), 1);
        m = confine_boot(c, "map %x 0", g);
        wait_until(confine_shared(c, m), 3);
        random_nap();
        assert_int_equal(rs_domain_destroy(c->h, i % 2 ? g : m), 0);
        assert_int_equal(rs_domain_destroy(c->h, i % 2 ? m : g), 0);
        assert_int_equal(c->h->used_pages, 0);
    }
    confine_loop_end(&l);
    assert_int_equal(c->h->nr_domains, 0);
}

/*
 * Two threads in the loop are told of the same call: the second must not wait
 * for another one, which never comes.
 */
static void test_two_loops(void **state)
{
    struct confined *c = *state;
    struct confine_loop l, m;

    alarm(60); /* a hang holds the host's lock */
    confine_loop_start(&l, c);
    confine_loop_start(&m, c);
    for (int i = 0; i < 100; i++) {
        uint16_t d = confine_boot(c, "call 5011 0 / 5011 0 / 5011 0");

        while (confine_info(c, d).state != RS_DOMAIN_SHUTDOWN)
            nap(50);
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
    }
    confine_loop_end(&l);
    confine_loop_end(&m);
    alarm(0);
}

/*
 * The same where one thread is told of a call while the other is at work on
 * the calls of several guests, this one among them.
 */
static void test_two_loops_many_guests(void **state)
{
    struct confined *c = *state;
    struct confine_loop l, m;
    uint16_t d[8];

    alarm(60);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 8; i++)
            d[i] = confine_boot(c, "call 5011 0 / 5011 0 / 5011 0");
        confine_loop_start(&l, c);
        confine_loop_start(&m, c);
        for (int i = 0; i < 8; i++)
            while (confine_info(c, d[i]).state != RS_DOMAIN_SHUTDOWN)
                nap(50);
        confine_loop_end(&l);
        confine_loop_end(&m);
        for (int i = 0; i < 8; i++)
            assert_int_equal(rs_domain_destroy(c->h, d[i]), 0);
    }
    alarm(0);
}

/* ---- hypercalls under a timer ---- */

/*
 * 100,000 hypercalls while a 1 kHz timer interrupts: each result is right and
 * the hypervisor counted as many as the guest made.
 */
static void test_hypercalls_under_a_timer(void **state)
{
    struct confined *c = *state;
    const uint64_t rounds = 33334, calls = 3 * rounds;
    uint16_t d = confine_boot(c, "timer %llx", (unsigned long long)rounds);
    struct probe_shared *s = confine_shared(c, d);
    struct rs_domain_info info = confine_wait(c, d);
    struct rs_guest_counts counts;

    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->count, rounds);
    /* Its bind and its shutdown. */
    assert_int_equal(info.hypercalls, calls + 2);
    assert_true(s->upcalls >= 20);
    assert_int_equal(rs_guest_counts(c->h, d, &counts), 0);
    assert_true(counts.upcalls >= s->upcalls);
    assert_true(counts.timers >= s->upcalls && counts.ticks >= 20);
    assert_int_equal(counts.sends + counts.blocks + counts.polls, 0);
}

/* The same with pauses in between. */
static void test_hypercalls_under_timer_and_pauses(void **state)
{
    struct confined *c = *state;
    const uint64_t rounds = 5000, calls = 3 * rounds;
    uint16_t d = confine_boot(c, "timer %llx", (unsigned long long)rounds);
    struct probe_shared *s = confine_shared(c, d);
    struct rs_domain_info info;
    struct confine_loop l;

    confine_loop_start(&l, c);
    do {
        random_nap();
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        random_nap();
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
        info = confine_info(c, d);
    } while (info.state != RS_DOMAIN_SHUTDOWN);
    confine_loop_end(&l);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->count, rounds);
    assert_int_equal(info.hypercalls, calls + 2);
}

/* ---- taking turns ---- */

/*
 * A row of calls of one guest ends when its time is over, not only when it has
 * as many as there may be: where that time is none, after one.
 */
static void test_a_row_is_timed(void **state)
{
    struct confined *c = *state;
    struct domain *d;
    uint16_t id;

    confine_vcpus = 4;
    id = confine_boot(c, "many");
    confine_vcpus = 1;
    confine_wait_for(c, &confine_shared(c, id)->traps, 100);
    d = host_domain(c->h, id);
    c->h->budget_ticks = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = stats_total(d);

        rs_host_dispatch(c->h, 1);
        assert_in_range(stats_total(d) - before, 0, 1);
    }
    assert_int_equal(rs_domain_destroy(c->h, id), 0);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_pause_spinning),
        CASE(test_a_row_is_timed),
        CASE(test_pause_in_hypercalls),
        CASE(test_pause_sleeping),
        CASE(test_pause_many),
        CASE(test_pause_with_signals_blocked),
        CASE(test_pause_in_maps),
        CASE(test_pause_at_birth),
        CASE(test_destroy_at_any_moment),
        CASE(test_kill_at_any_moment),
        CASE(test_destroy_under_signals),
        CASE(test_destroy_in_maps),
        CASE(test_two_loops),
        CASE(test_two_loops_many_guests),
        CASE(test_hypercalls_under_a_timer),
        CASE(test_hypercalls_under_timer_and_pauses),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
