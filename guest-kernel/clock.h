/*
 * Time without leaving the guest: pvclock (<xen/xen.h>, vcpu_time_info).
 */
#ifndef RINGSIDE_GUEST_CLOCK_H
#define RINGSIDE_GUEST_CLOCK_H

#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* System time in ns, since the start of the host: monotonic, on whichever vCPU
 * it is read. [upcall] */
uint64_t clock_now(void);

/* ns since 1970 (UTC). [upcall] */
uint64_t clock_wall(void);

/* ns since this guest's boot.c began. */
uint64_t clock_uptime(void);

static inline uint64_t clock_deadline_ms(uint64_t ms)
{
    return clock_now() + ms * NS_PER_MS;
}

/* When a timeout of so many ns is over; UINT64_MAX stays for ever. */
static inline uint64_t clock_deadline(uint64_t timeout)
{
    uint64_t now = clock_now();

    return timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
}

/*
 * After all loads before it. By itself the processor reads the counter while
 * an earlier load still waits for its line, and that load may then return a
 * later time that another vCPU stored: time would go back.
 */
static inline uint64_t clock_tsc(void)
{
    uint32_t lo, hi;

    __asm__ __volatile__("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

void clock_init(void);

#endif
