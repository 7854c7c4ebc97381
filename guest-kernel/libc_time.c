/*
 * Time, as the C library asks for it.
 */
#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    uint64_t now = clock_wall();

    (void)zone;
    tv->tv_sec = (time_t)(now / NS_PER_S);
    tv->tv_usec = (suseconds_t)(now % NS_PER_S / NS_PER_US);
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    uint64_t now;

    if (id == CLOCK_REALTIME) {
        now = clock_wall();
    } else if (id == CLOCK_MONOTONIC) {
        now = clock_now();
    } else {
        errno = EINVAL;
        return -1;
    }
    ts->tv_sec = (time_t)(now / NS_PER_S);
    ts->tv_nsec = (long)(now % NS_PER_S);
    return 0;
}

int clock_getres(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC) {
        errno = EINVAL;
        return -1;
    }
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

/* The guest has no account of its CPU time: all of its uptime is its own. */
clock_t times(struct tms *t)
{
    clock_t now = (clock_t)(clock_uptime() * CLOCKS_PER_SEC / NS_PER_S);

    *t = (struct tms){ .tms_utime = now };
    return now;
}
