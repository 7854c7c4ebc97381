/*
 * Clocks and timers.
 */
#include <errno.h>
#include <sys/time.h>
#include <time.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"
#include "tests/guest/tap.h"

#define YEAR_2020 1577836800

static bool monotonic(void)
{
    uint64_t last = clock_now();

    for (int i = 0; i < 1000000; i++) {
        uint64_t now = clock_now();

        if (now < last)
            return false;
        last = now;
    }
    return true;
}

/* Sleeps n times for ns; false if one ended early. */
static bool sleeps(int n, uint64_t ns)
{
    for (int i = 0; i < n; i++) {
        uint64_t before = clock_now();

        thread_sleep(ns);
        if (clock_now() - before < ns)
            return false;
    }
    return true;
}

/* CPU time stands still while the program sleeps, and never is more than what
 * passes. */
static bool cpu_time_is_used(void)
{
    uint64_t start = clock_now(), wall;
    clock_t before = clock(), slept;

    thread_sleep(300 * NS_PER_MS);
    slept = clock() - before;
    wall = clock_now() - start;
    return (uint64_t)slept * (NS_PER_S / CLOCKS_PER_SEC) < wall / 2;
}

static bool cpu_time_goes_on(void)
{
    uint64_t start = clock_now();
    clock_t before = clock();

    while (clock() - before < CLOCKS_PER_SEC / 20)
        if (clock_now() - start > 20 * NS_PER_S)
            return false;
    /* One tick is what rounding may add. */
    return clock_now() - start >= NS_PER_S / 20 - NS_PER_S / CLOCKS_PER_SEC;
}

int main(void)
{
    struct timespec half = { .tv_nsec = 5000000 }, bad = { .tv_nsec = -1 };
    struct timespec a, b;
    struct timeval tv;
    uint64_t before;

    plan(11);
    point(monotonic(), "the clock never goes back");
    point(sleeps(20, NS_PER_MS), "1 ms sleeps last at least 1 ms");
    point(sleeps(5, 20 * NS_PER_MS), "20 ms sleeps last at least 20 ms");
    point(sleeps(100, 0), "sleeping for nothing returns");
    before = clock_now();
    point(nanosleep(&half, NULL) == 0 && clock_now() - before >= 5 * NS_PER_MS,
          "nanosleep");
    point(nanosleep(&bad, NULL) == -1 && errno == EINVAL,
          "nanosleep refuses negative times");
    clock_gettime(CLOCK_MONOTONIC, &a);
    clock_gettime(CLOCK_MONOTONIC, &b);
    point(b.tv_sec > a.tv_sec ||
              (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec),
          "CLOCK_MONOTONIC");
    point(cpu_time_is_used(), "sleep takes no CPU time");
    point(cpu_time_goes_on(), "work does");
    point(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0 &&
              (a.tv_sec || a.tv_nsec),
          "CLOCK_PROCESS_CPUTIME_ID");
    gettimeofday(&tv, NULL);
    point(tv.tv_sec > YEAR_2020, "the time of day is after 2020");
    return done();
}
