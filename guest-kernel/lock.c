/*
 * The kernel's lock. See vcpu.h.
 *
 * Whoever holds it may have been taken off its processor by the host, so a
 * vCPU that has waited for a while lets others run.
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/invariant.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

#define SPINS      1000
#define GIVE_UP_NS (200 * NS_PER_MS)

static bool taken;
static unsigned int waiters;

static bool try_take(void)
{
    return !READ_ONCE(taken) &&
           !__atomic_exchange_n(&taken, true, __ATOMIC_ACQUIRE);
}

static bool spin(void)
{
    for (int i = 0; i < SPINS; i++) {
        if (try_take())
            return true;
        cpu_relax();
    }
    return false;
}

/* Nobody who comes back at once goes before those that wait. */
void lock_take(void)
{
    if (!READ_ONCE(waiters) && try_take())
        return;
    __atomic_fetch_add(&waiters, 1, __ATOMIC_RELAXED);
    cpu_relax();
    while (!spin())
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    __atomic_fetch_sub(&waiters, 1, __ATOMIC_RELAXED);
}

void lock_give(void)
{
    invariant(READ_ONCE(taken));
    __atomic_store_n(&taken, false, __ATOMIC_RELEASE);
}

void lock_take_or_give_up(void)
{
    uint64_t end = clock_now() + GIVE_UP_NS;

    if (this_vcpu()->lock_depth++ || !smp_active)
        return;
    while (!spin() && clock_now() < end)
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
}

unsigned int kernel_unlock_all(void)
{
    struct vcpu *v = this_vcpu();
    unsigned int depth = v->lock_depth;

    v->lock_depth = 0;
    if (depth && smp_active)
        lock_give();
    return depth;
}

void kernel_lock_again(unsigned int depth)
{
    if (depth && smp_active)
        lock_take();
    this_vcpu()->lock_depth = depth;
}
