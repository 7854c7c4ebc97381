/*
 * Time, as the C library asks for it.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/smp.h"
#include "guest-kernel/thread.h"

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    uint64_t now = clock_wall();

    (void)zone;
    tv->tv_sec = (time_t)(now / NS_PER_S);
    tv->tv_usec = (suseconds_t)(now % NS_PER_S / NS_PER_US);
    return 0;
}

/* True, and the time, if there is such a clock. */
static bool read_clock(clockid_t id, uint64_t *now)
{
    switch (id) {
    case CLOCK_REALTIME:
        *now = clock_wall();
        return true;
    case CLOCK_MONOTONIC:
        *now = clock_now();
        return true;
    case CLOCK_PROCESS_CPUTIME_ID:
        *now = smp_cpu_time();
        return true;
    default:
        errno = EINVAL;
        return false;
    }
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    uint64_t now;

    if (!read_clock(id, &now))
        return -1;
    ts->tv_sec = (time_t)(now / NS_PER_S);
    ts->tv_nsec = (long)(now % NS_PER_S);
    return 0;
}

int clock_getres(clockid_t id, struct timespec *ts)
{
    uint64_t now;

    if (!read_clock(id, &now))
        return -1;
    *ts = (struct timespec){ .tv_nsec = 1 };
    return 0;
}

/* Nothing interrupts a sleep, so nothing remains. */
int nanosleep(const struct timespec *want, struct timespec *left)
{
    if (want->tv_sec < 0 || want->tv_nsec < 0 ||
        want->tv_nsec >= (long)NS_PER_S) {
        errno = EINVAL;
        return -1;
    }
    thread_sleep((uint64_t)want->tv_sec * NS_PER_S + (uint64_t)want->tv_nsec);
    if (left)
        *left = (struct timespec){ 0 };
    return 0;
}

int usleep(useconds_t us)
{
    thread_sleep(us * NS_PER_US);
    return 0;
}

unsigned int sleep(unsigned int s)
{
    thread_sleep(s * NS_PER_S);
    return 0;
}

/* In ticks of times(); beginning with the guest's. */
static clock_t ticks(uint64_t ns)
{
    return (clock_t)(ns / (NS_PER_S / CLOCKS_PER_SEC));
}

/* There are no system calls and no children: all time is the program's. */
clock_t times(struct tms *t)
{
    *t = (struct tms){ .tms_utime = ticks(smp_cpu_time()) };
    return ticks(clock_uptime());
}
