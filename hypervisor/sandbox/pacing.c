/*
 * Pacing: whether the hypervisor's thread waits for a guest's next call without
 * going to sleep, and on which processor the two wake each other.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sandbox.h"

/* Newer than Debian 12's headers (Linux 6.6). */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

#define NEXT_MISSES 6

#define YIELD_LONG_NS      10000ull /* twice as long as a call takes */
#define YIELD_PAUSE        32u /* times what a long one took, until the next */
#define YIELD_WORST_NS     1000000ull
#define YIELD_PAUSE_MAX_NS 10000000000ull

int pacing_set_sync(int listener, bool sync)
{
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                 sync ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0);
}

/*
 * Has the guest made its next call meanwhile? It mostly has if it makes many,
 * because who is answered runs before we come back. The kernel numbers the
 * calls of a listener; an answer to the next one, which nobody has taken, is
 * refused with EINPROGRESS if it is there and with ENOENT if not, for half of
 * what epoll takes to say so.
 */
static bool next_is_there(struct sandbox_domain *sd)
{
    struct seccomp_notif_resp *r = sd->host->resp;

    memset(r, 0, sd->host->resp_size);
    r->id = sd->next.id;
    return ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, r) &&
           errno == EINPROGRESS;
}

/*
 * For how long nobody yields after a yield that took so long: for a multiple,
 * and a higher one the longer it was. A yield of milliseconds says that this
 * processor is not enough for all.
 */
static uint64_t pause_after_yield(uint64_t took)
{
    if (took <= YIELD_LONG_NS)
        return 0;
    if (took >= YIELD_WORST_NS)
        return YIELD_PAUSE_MAX_NS;
    return YIELD_PAUSE * took * (took / YIELD_LONG_NS);
}

/*
 * Where the scheduler did not put the guest before us at once, it does so if
 * asked; that is quicker than to sleep and to be woken by the next call. But
 * all that the host does waits, if the guest then computes or if others need
 * this processor: so not again soon after one that took long, by anybody.
 */
static bool next_is_there_soon(struct sandbox_domain *sd)
{
    uint64_t before, now;

    if (next_is_there(sd))
        return true;
    if (!sd->host->sync_wake || !list_empty(&sd->host->ring_active))
        return false; /* it runs elsewhere; or many wait for us */
    before = host_now();
    if (before < sd->host->no_yield_ns)
        return false;
    sched_yield();
    now = host_now();
    sd->host->no_yield_ns = now + pause_after_yield(now - before);
    return next_is_there(sd);
}

/* A guest whose calls do not follow each other is asked ever more seldom. */
bool pacing_another_call(struct sandbox_domain *sd)
{
    const struct domain *d = sd->domain;

    if (sd->next.skip) {
        sd->next.skip--;
        return false;
    }
    if (d->shut_down || d->pause_count || host_lock_contended(d->host))
        return false;
    if (next_is_there_soon(sd)) {
        sd->next.misses = 0;
        return true;
    }
    if (sd->next.misses < NEXT_MISSES)
        sd->next.misses++;
    sd->next.skip = (1u << sd->next.misses) - 1;
    return false;
}
