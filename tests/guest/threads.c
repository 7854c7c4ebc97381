/*
 * Threads, mutexes, semaphores, conditions, timeouts, per-thread state.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/lock.h>
#include <sys/stdio.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"
#include "tests/guest/tap.h"

#define THREADS 20
#define ROUNDS  100

static struct mutex mutex = MUTEX_INIT(mutex);
static struct semaphore turn = SEMAPHORE_INIT(turn, 0);
static struct condition changed = CONDITION_INIT(changed);
static int counter, ready;
static _Thread_local int own = 5;

static void count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int seen;

        mutex_lock(&mutex);
        seen = counter;
        thread_yield();
        counter = seen + 1;
        mutex_unlock(&mutex);
    }
}

static void many_counters(void)
{
    struct thread *t[THREADS];

    for (int i = 0; i < THREADS; i++)
        t[i] = thread_create("count", count, NULL, 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(t[i]);
    point(counter == THREADS * ROUNDS, "a mutex keeps %d threads apart",
          THREADS);
}

static void wait_turn(void *arg)
{
    int *result = arg;

    *result = semaphore_down(&turn, clock_deadline_ms(2000));
}

static void semaphores(void)
{
    uint64_t before = clock_now();
    int result = 1;
    struct thread *t;

    point(semaphore_down(&turn, before + 20 * NS_PER_MS) == -ETIMEDOUT,
          "an empty semaphore times out");
    point(clock_now() - before >= 20 * NS_PER_MS, "and not too early");
    t = thread_create("turn", wait_turn, &result, 0);
    thread_yield();
    semaphore_up(&turn);
    thread_join(t);
    point(result == 0, "a raised semaphore wakes its waiter");
    point(!semaphore_try_down(&turn), "once");
}

static void wait_ready(void *arg)
{
    (void)arg;
    mutex_lock(&mutex);
    while (!ready)
        condition_wait(&changed, &mutex, NEVER);
    ready++;
    mutex_unlock(&mutex);
}

static void conditions(void)
{
    struct thread *t[3];

    for (int i = 0; i < 3; i++)
        t[i] = thread_create("ready", wait_ready, NULL, 0);
    thread_yield();
    mutex_lock(&mutex);
    ready = 1;
    condition_broadcast(&changed);
    mutex_unlock(&mutex);
    for (int i = 0; i < 3; i++)
        thread_join(t[i]);
    point(ready == 4, "a broadcast wakes all three");
    mutex_lock(&mutex);
    point(condition_wait(&changed, &mutex, clock_deadline_ms(5)) == -ETIMEDOUT,
          "a condition times out");
    point(mutex_is_mine(&mutex), "with its mutex held");
    mutex_unlock(&mutex);
}

static void own_state(void *arg)
{
    bool *good = arg;

    *good = own == 5 && errno == 0;
    own = 6;
    errno = EDOM;
    thread_yield();
    *good &= own == 6 && errno == EDOM;
}

static void locals(void)
{
    bool good[2] = { false, false };
    struct thread *a = thread_create("a", own_state, &good[0], 0);
    struct thread *b = thread_create("b", own_state, &good[1], 0);

    errno = ERANGE;
    thread_join(a);
    thread_join(b);
    point(good[0] && good[1] && own == 5, "thread-local variables");
    point(errno == ERANGE, "errno is per thread");
}

static void print_locked(void *arg)
{
    int *order = arg;

    printf("# a thread that waited for the stream's lock\n");
    *order = 2;
}

/* The C library's locks are real: a stream that is locked makes others wait. */
static void library_locks(void)
{
    int order = 0;
    struct thread *t;

    _flockfile(stdout);
    t = thread_create("print", print_locked, &order, 0);
    thread_yield();
    thread_sleep(5 * NS_PER_MS);
    point(order == 0, "a locked stream is locked");
    _funlockfile(stdout);
    thread_join(t);
}

static void sleep_ms(void *arg)
{
    int *order = arg;
    static int next;

    thread_sleep((uint64_t)*order * 10 * NS_PER_MS);
    *order = next++;
}

static void sleepers(void)
{
    int order[3] = { 3, 1, 2 };
    struct thread *t[3];

    for (int i = 0; i < 3; i++)
        t[i] = thread_create("sleep", sleep_ms, &order[i], 0);
    for (int i = 0; i < 3; i++)
        thread_join(t[i]);
    point(order[0] == 2 && order[1] == 0 && order[2] == 1,
          "sleepers wake in the order of their deadlines");
}

int main(void)
{
    unsigned int before = thread_count();

    plan(13);
    many_counters();
    semaphores();
    conditions();
    locals();
    sleepers();
    library_locks();
    point(thread_count() == before, "no thread is left over");
    return done();
}
