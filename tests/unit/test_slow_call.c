/*
 * Calls that hang, beside calls that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "list.h"
#include "slow_call.h"

struct task {
    struct slow_call call;
    int from; /* what it reads, or -1 */
    atomic_bool ran, left;
    bool done;
};

static struct event_base *base;
static struct slow_calls *slow;
static int hung[2]; /* a pipe: who reads it hangs until it is closed */

static void run(struct slow_call *call)
{
    struct task *t = container_of(call, struct task, call);
    char c;

    t->ran = true;
    if (t->from >= 0)
        while (read(t->from, &c, 1) > 0)
            ;
    t->left = true;
}

static void done(struct slow_call *call)
{
    struct task *t = container_of(call, struct task, call);

    assert_true(t->left);
    t->done = true;
}

static void make(struct task *t, int from)
{
    *t = (struct task){ .call = { .run = run, .done = done }, .from = from };
    slow_calls_make(slow, &t->call);
    assert_false(t->done);
}

static void wait_done(const struct task *t)
{
    for (int i = 0; i < 10000 && !t->done; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
    assert_true(t->done);
}

static void wait_for(const atomic_bool *what)
{
    for (int i = 0; i < 10000 && !*what; i++)
        usleep(1000);
    assert_true(*what);
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    return pipe(hung) || slow_calls_new(base, &slow);
}

static int teardown(void **state)
{
    (void)state;
    slow_calls_free(slow);
    event_base_free(base);
    return 0;
}

static void test_one_after_another(void **state)
{
    static struct task t[3];

    (void)state;
    for (int i = 0; i < 30; i++) {
        make(&t[i % 3], -1);
        wait_done(&t[i % 3]);
    }
    close(hung[0]);
    close(hung[1]);
}

/* All but one thread hang: the rest goes through that one. */
static void test_beside_what_hangs(void **state)
{
    static struct task stuck[SLOW_CALLS_MAX - 1], quick[20];

    (void)state;
    for (int i = 0; i < SLOW_CALLS_MAX - 1; i++)
        make(&stuck[i], hung[0]);
    for (int i = 0; i < 20; i++)
        make(&quick[i], -1);
    for (int i = 0; i < 20; i++)
        wait_done(&quick[i]);
    for (int i = 0; i < SLOW_CALLS_MAX - 1; i++)
        assert_false(stuck[i].done);
    close(hung[1]);
    for (int i = 0; i < SLOW_CALLS_MAX - 1; i++)
        wait_done(&stuck[i]);
    close(hung[0]);
}

/* There is a bound, behind which calls wait. */
static void test_no_more_threads_than(void **state)
{
    static struct task stuck[SLOW_CALLS_MAX], next;

    (void)state;
    for (int i = 0; i < SLOW_CALLS_MAX; i++)
        make(&stuck[i], hung[0]);
    for (int i = 0; i < SLOW_CALLS_MAX; i++)
        wait_for(&stuck[i].ran);
    make(&next, -1);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_false(next.ran);
    close(hung[1]);
    wait_done(&next);
    for (int i = 0; i < SLOW_CALLS_MAX; i++)
        wait_done(&stuck[i]);
    close(hung[0]);
}

/* The end of all does not wait; what hangs comes back to nobody. */
static void test_end_beside_what_hangs(void **state)
{
    static struct task stuck;

    (void)state;
    make(&stuck, hung[0]);
    wait_for(&stuck.ran);
    slow_calls_free(slow);
    slow = NULL;
    close(hung[1]);
    wait_for(&stuck.left);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_false(stuck.done);
    close(hung[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_after_another),
        TEST(test_beside_what_hangs),
        TEST(test_no_more_threads_than),
        TEST(test_end_beside_what_hangs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
