/*
 * Runstate: what a vCPU did with its time, asked for and written down while it
 * computes (<xen/vcpu.h>). Stolen time is what it was ready and had to wait.
 */
#include <ringside/guest.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define LIMIT_NS (5 * NS_PER_S)

static struct vcpu_runstate_info area;

static uint64_t ran(void)
{
    return READ_ONCE(area.time[RUNSTATE_running]);
}

/* Without a hypercall: who waits must be told all the same. */
static bool goes_on_by(uint64_t ns)
{
    uint64_t start = ran(), limit = clock_now() + LIMIT_NS;

    while (ran() - start < ns && clock_now() < limit)
        cpu_relax();
    return ran() - start >= ns;
}

static uint64_t sum(const struct vcpu_runstate_info *r)
{
    return r->time[RUNSTATE_running] + r->time[RUNSTATE_runnable] +
           r->time[RUNSTATE_blocked] + r->time[RUNSTATE_offline];
}

int main(void)
{
    struct vcpu_register_runstate_memory_area op = { .addr.p =
                                                         (uintptr_t)&area };
    struct vcpu_runstate_info before, after;

    plan(6);
    point(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &before) == 0 &&
              before.state == RUNSTATE_running,
          "who asks is running");
    /* A busy machine takes its part of the time before and after. */
    rs_sleep(50 * NS_PER_MS);
    hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &after);
    point(after.time[RUNSTATE_blocked] > before.time[RUNSTATE_blocked],
          "sleep is blocked time");
    point(sum(&after) - sum(&before) >= 50 * NS_PER_MS &&
              after.time[RUNSTATE_offline] == 0,
          "the four add up to time");
    point(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op) == 0,
          "an area is registered");
    point(area.state == RUNSTATE_running && ran() > 0, "and written at once");
    point(goes_on_by(20 * NS_PER_MS), "and while the vCPU computes");
    return done();
}
