/*
 * A frontend's pages, as a backend sees them.
 *
 * Persistent: a page stays mapped after its request and is found again by
 * its reference, so that steady traffic maps nothing. Above a bound the least
 * recently used pages are unmapped, as <xen/io/blkif.h> suggests. Not
 * persistent: mapped for the request, unmapped after it.
 *
 * The hypervisor gives a domain a number of grant handles, which all pools of
 * this process share. Each pool has an equal part of them for certain, and more
 * while others do not want theirs: when handles run short the pool that has
 * most gives pages back that it does not use. What is in use cannot be taken
 * back, so whoever holds pages for long (a disk's requests) holds no more than
 * grant_pool_share() at a time.
 */
#ifndef RINGSIDE_BACKENDS_GRANT_POOL_H
#define RINGSIDE_BACKENDS_GRANT_POOL_H

#include <stdbool.h>

#include "list.h"
#include "xen_compat.h"

struct grant_pool;
struct rs_client;

struct grant_page {
    void *addr; /* 4096 bytes of the granter's memory */

    /* The pool's own. */
    struct list link; /* in order of use, while nobody uses it */
    struct grant_page *hash_next;
    grant_ref_t ref;
    grant_handle_t handle;
    unsigned int users;
    bool read_only; /* it could not be mapped for writing */
};

/* At most `max` pages stay mapped without use. -ENOMEM. */
int grant_pool_new(struct rs_client *client, domid_t domid, bool persistent,
                   unsigned int max, struct grant_pool **out);

/* Unmaps everything; no page is in use. */
void grant_pool_free(struct grant_pool *pool);

/*
 * Makes the pages refs[0..n-1] accessible: out[i] belongs to refs[i] (a
 * reference may occur twice). All missing ones are mapped in one batch.
 * read_only is honoured when not persistent. A page that persists is mapped for
 * both, or, if it is granted for reading only, for what is read_only. All or
 * nothing: -EFAULT if one of them is not granted,
 * -EAGAIN if all handles are in use by others: later, please.
 */
int grant_pool_get(struct grant_pool *pool, const grant_ref_t *refs,
                   unsigned int n, bool read_only, struct grant_page **out);

/* The end of using pages[0..n-1]. */
void grant_pool_put(struct grant_pool *pool, struct grant_page **pages,
                    unsigned int n);

/*
 * What all pools may map at a time: of the 65,536 handles of a domain; the rest
 * is for rings and consoles. A variable for tests.
 */
extern unsigned int grant_pool_handles_;

/* How many pages a pool may hold in use, whatever others do. */
unsigned int grant_pool_share(void);

/* How many pages are mapped, and how many were ever mapped. */
unsigned int grant_pool_mapped(const struct grant_pool *pool);
uint64_t grant_pool_total(const struct grant_pool *pool);

#endif
