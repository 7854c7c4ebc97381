/*
 * Grants of one domain that are kept mapped, found by reference.
 *
 * A frontend that reuses its pages (a persistent pool) has each of them mapped
 * once, at the first request that names it. The number of mappings is bounded:
 * a frontend that shows ever new references has all mappings dropped and made
 * again.
 *
 * A reference that the granter ends and gives out again for another page does
 * not deceive us: while we have it mapped the hypervisor keeps the old page,
 * which was the granter's own.
 */
#ifndef RINGSIDE_BACKENDS_GRANT_CACHE_H
#define RINGSIDE_BACKENDS_GRANT_CACHE_H

#include "host.h"

#define GRANT_CACHE_MAX   1024                  /* mappings */
#define GRANT_CACHE_SLOTS (2 * GRANT_CACHE_MAX) /* of the hash table */

struct grant_cache {
    domid_t domid;
    bool read_only;
    unsigned int n;
    struct grant_mapping maps[GRANT_CACHE_MAX];
    uint16_t slots[GRANT_CACHE_SLOTS]; /* index in maps + 1, 0: free */
};

void grant_cache_init(struct grant_cache *c, domid_t domid, bool read_only);

/*
 * The page of a reference, mapped if it was not; NULL if it cannot be mapped.
 * Valid until the next call of any of these functions with this cache, since a
 * full cache is emptied.
 */
void *grant_cache_get(struct grant_cache *c, grant_ref_t ref);

/* Unmaps all. */
void grant_cache_flush(struct grant_cache *c);

#endif
