/*
 * Time does not go back from one vCPU to another: what a vCPU read and passed
 * on is never later than what the next one reads. run-guest: --vcpus 2
 */
#include <ringside/guest.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "tests/guest/tap.h"

#define READS 300000

static uint64_t monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct {
    const char *name;
    uint64_t (*now)(void);
} clocks[] = { { "rs_now", rs_now }, { "clock_gettime", monotonic } };

static _Alignas(64) _Atomic uint64_t passed_on;
static _Alignas(64) uint64_t zero;
static atomic_bool stop;

static void pass_on(void *arg)
{
    uint64_t (*now)(void) = ((typeof(&clocks[0]))arg)->now;

    while (!stop)
        atomic_store_explicit(&passed_on, now(), memory_order_release);
}

/* What was passed on. The load waits for another that comes from memory, so a
 * clock that is read without waiting for it is read long before. */
static uint64_t look(void)
{
    uint64_t none;

    __asm__ __volatile__("clflush %0; mfence" : : "m"(zero) : "memory");
    none = *(volatile uint64_t *)&zero;
    return atomic_load_explicit(&passed_on + none, memory_order_acquire);
}

static unsigned int times_back(uint64_t (*now)(void))
{
    unsigned int n = 0;

    for (int i = 0; i < READS; i++) {
        uint64_t seen = look();

        n += now() < seen;
    }
    return n;
}

int main(void)
{
    const unsigned int n = sizeof(clocks) / sizeof(clocks[0]);
    unsigned int back;

    plan((int)n);
    while (rs_vcpus_online() < 2)
        rs_sleep(1000000);
    for (unsigned int i = 0; i < n; i++) {
        struct rs_thread *t;

        passed_on = 0;
        stop = false;
        t = rs_thread_create("other", pass_on, (void *)&clocks[i], 0);
        while (!passed_on)
            rs_sleep(1000);
        back = times_back(clocks[i].now);
        stop = true;
        rs_thread_join(t);
        point(back == 0, "%s went back %u times of %d", clocks[i].name, back,
              READS);
    }
    return done();
}
