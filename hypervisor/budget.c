/*
 * What all domains of a host share: pages of memory, and descriptors of this
 * process. Neither can be had beyond a bound, and descriptors not by one
 * domain alone (host.h says how they are divided).
 */
#include <errno.h>
#include <sys/resource.h>

#include "host.h"
#include "invariant.h"

int host_charge(struct rs_host *h, uint64_t pages)
{
    if (pages > h->budget_pages - h->used_pages)
        return -ENOMEM;
    h->used_pages += pages;
    host_invariant(h, h->used_pages <= h->budget_pages);
    return 0;
}

void host_uncharge(struct rs_host *h, uint64_t pages)
{
    host_invariant(h, h->used_pages >= pages);
    h->used_pages -= pages;
}

#define RESERVE_LEAST 32u
#define RESERVE_MOST  2048u

void host_count_files(struct rs_host *h)
{
    const rlim_t most = 1u << 24;
    uint32_t kept;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > most)
        r.rlim_cur = most;
    h->files_limit = (uint32_t)r.rlim_cur;
    kept = h->files_limit / 8;
    if (kept > RESERVE_MOST)
        kept = RESERVE_MOST;
    h->files_reserve = kept + RESERVE_LEAST;
    if (h->files_reserve > h->files_limit / 2)
        h->files_reserve = h->files_limit / 2;
}

int host_charge_files(struct rs_host *h, uint32_t n, uint32_t held)
{
    uint32_t all, left;

    if (held == HOST_FILES_NEW)
        host_count_files(h); /* somebody may have changed the limit */
    all = h->files_limit - h->files_reserve;
    if (held == HOST_FILES_NEW)
        all += h->files_reserve / 4;
    if (all < h->files_used || n > all - h->files_used)
        return -ENOSPC;
    left = all - h->files_used - n;
    if (held != HOST_FILES_NEW && held + n > HOST_FILES_LEAST &&
        held + n > left / HOST_FILES_PART)
        return -ENOSPC;
    h->files_used += n;
    return 0;
}

void host_uncharge_files(struct rs_host *h, uint32_t n)
{
    host_invariant(h, h->files_used >= n);
    h->files_used -= n;
}

uint32_t host_clients_max(const struct rs_host *h)
{
    return h->files_reserve > 2 * RESERVE_LEAST
               ? h->files_reserve - RESERVE_LEAST
               : h->files_reserve / 2;
}
