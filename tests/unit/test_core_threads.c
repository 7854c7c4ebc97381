/*
 * Threads: hypercalls of several domains, the dispatch loop, and a thread
 * that creates, pauses and destroys, all at once. What it proves, it proves
 * under the thread sanitizer; without it, that nothing locks up or leaks.
 */
#include "core.h"

#include <pthread.h>
#include <string.h>

#include "test/engine_test.h"

#define CALLERS 3
#define ROUNDS  1500

static struct rs_host *host;
static uint16_t domid[CALLERS]; /* atomic: a destroyed one is replaced */
static int stop;                /* atomic */

static uint16_t id_of(unsigned int i)
{
    return __atomic_load_n(&domid[i], __ATOMIC_RELAXED);
}

/* Domains may end under its feet; then the answer is -ESRCH. */
static void *caller(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg;

    for (unsigned int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        uint64_t shut[6] = { SCHEDOP_yield };
        uint64_t timer[6] = { i };
        uint64_t name[6] = { XENVER_extraversion, CORE_RAM };
        uint64_t alloc[6] = { EVTCHNOP_alloc_unbound, CORE_ARG };
        uint64_t bind[6] = { EVTCHNOP_bind_interdomain, CORE_ARG };
        uint64_t reset[6] = { EVTCHNOP_close, CORE_ARG };

        rs_test_hypercall(host, id_of(me), __HYPERVISOR_sched_op, shut);
        rs_test_hypercall(host, id_of(i % CALLERS), __HYPERVISOR_set_timer_op,
                          timer);
        rs_test_hypercall(host, id_of(me), __HYPERVISOR_xen_version, name);
        rs_test_hypercall(host, id_of(me), __HYPERVISOR_event_channel_op,
                          alloc);
        rs_test_hypercall(host, id_of(i % CALLERS),
                          __HYPERVISOR_event_channel_op, bind);
        rs_test_hypercall(host, id_of(me), __HYPERVISOR_event_channel_op,
                          reset);
    }
    return NULL;
}

static void *dispatcher(void *arg)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        rs_host_dispatch(host, 1);
    return arg;
}

static void *watcher(void *arg)
{
    struct rs_domain_info info[8];
    struct rs_host_info hi;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        rs_domain_list(host, info, 8);
        rs_domain_info(host, id_of(0), info);
        rs_host_info(host, &hi);
        assert_true(hi.memory_free_kib <= hi.memory_kib);
    }
    return arg;
}

static void life(unsigned int i)
{
    uint16_t old = id_of(i % CALLERS);

    rs_domain_pause(host, old);
    rs_domain_unpause(host, old);
    if (i % 4)
        return;
    rs_domain_destroy(host, old);
    __atomic_store_n(&domid[i % CALLERS], core_boot(host), __ATOMIC_RELAXED);
}

static void test_all_at_once(void **state)
{
    unsigned int fds = core_count_fds();
    pthread_t t[CALLERS + 3];
    uintptr_t n = 0;

    (void)state;
    host = core_host("test");
    stop = 0;
    for (unsigned int i = 0; i < CALLERS; i++)
        domid[i] = core_boot(host);
    for (; n < CALLERS; n++)
        assert_int_equal(pthread_create(&t[n], NULL, caller, (void *)n), 0);
    /* Two threads in the loop: both are told of the same timer. */
    assert_int_equal(pthread_create(&t[n++], NULL, dispatcher, NULL), 0);
    assert_int_equal(pthread_create(&t[n++], NULL, dispatcher, NULL), 0);
    assert_int_equal(pthread_create(&t[n++], NULL, watcher, NULL), 0);
    for (unsigned int i = 0; i < ROUNDS; i++)
        life(i);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    while (n)
        pthread_join(t[--n], NULL);
    rs_host_free(host);
    assert_int_equal(core_count_fds(), fds);
    assert_int_equal(core_count_maps(), 0);
}

static void *run(void *arg)
{
    assert_int_equal(rs_host_run(host), 0);
    return arg;
}

/* rs_host_stop() ends a loop that waits, also one that has not begun to. */
static void test_stop(void **state)
{
    pthread_t t;

    (void)state;
    host = core_host("test");
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pthread_create(&t, NULL, run, NULL), 0);
        rs_host_stop(host);
        pthread_join(t, NULL);
    }
    rs_host_free(host);
}

/* ---- who has the lock ---- */

static struct {
    pthread_cond_t over;
    bool waits, woken, slept, after;
} holder = { .over = PTHREAD_COND_INITIALIZER };

static void *sleeper(void *arg)
{
    host_lock(host);
    holder.waits = true;
    host_wait(host, &holder.over);
    holder.slept = host_is_locked_by_us(host);
    host_unlock(host);
    return arg;
}

/* Has the lock while the other waits for it. */
static void *waker(void *arg)
{
    bool waits = false;

    while (!waits) {
        host_lock(host);
        waits = holder.waits;
        holder.woken = host_is_locked_by_us(host);
        pthread_cond_broadcast(&holder.over);
        host_unlock(host);
        holder.after = host_is_locked_by_us(host);
    }
    return arg;
}

static void test_holder(void **state)
{
    pthread_t t[2];

    (void)state;
    host = core_host("test");
    assert_int_equal(pthread_create(&t[0], NULL, sleeper, NULL), 0);
    assert_int_equal(pthread_create(&t[1], NULL, waker, NULL), 0);
    pthread_join(t[1], NULL);
    pthread_join(t[0], NULL);
    assert_true(holder.woken);
    assert_false(holder.after);
    assert_true(holder.slept);
    rs_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_holder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
