/*
 * pvclock: the engine publishes a point (tsc, ns) and a scale; the guest
 * extrapolates with rdtsc. See clock.h.
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/upcall.h"

static uint64_t boot_time;

/* ns that `delta` ticks take under the scale of t. */
static uint64_t scale_ticks(const struct vcpu_time_info *t, uint64_t delta)
{
    if (t->tsc_shift >= 0)
        delta <<= t->tsc_shift;
    else
        delta >>= -t->tsc_shift;
    return (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

/*
 * Reads like a seqlock: the engine makes version odd, changes the point, makes
 * it even again. A tsc a little older than the point (another CPU's) counts as
 * the point.
 */
uint64_t clock_now(void)
{
    const struct vcpu_time_info *shared = &this_vcpu_info()->time;
    struct vcpu_time_info t;
    uint32_t version;
    int64_t delta;

    do {
        version = READ_ONCE(shared->version);
        xen_rmb();
        t = *shared;
        delta = (int64_t)(clock_tsc() - t.tsc_timestamp);
        xen_rmb();
    } while ((version & 1) || version != READ_ONCE(shared->version));
    return t.system_time + scale_ticks(&t, delta > 0 ? (uint64_t)delta : 0);
}

uint64_t clock_wall(void)
{
    uint32_t version, hi, lo, nsec;

    do {
        version = READ_ONCE(shared_info->wc_version);
        xen_rmb();
        hi = READ_ONCE(shared_info->wc_sec_hi);
        lo = READ_ONCE(shared_info->wc_sec);
        nsec = READ_ONCE(shared_info->wc_nsec);
        xen_rmb();
    } while ((version & 1) || version != READ_ONCE(shared_info->wc_version));
    return ((uint64_t)hi << 32 | lo) * NS_PER_S + nsec + clock_now();
}

uint64_t clock_uptime(void)
{
    return clock_now() - boot_time;
}

void clock_init(void)
{
    boot_time = clock_now();
}
