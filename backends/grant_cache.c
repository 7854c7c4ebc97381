/*
 * A hash table with open addressing; it is only ever added to, then emptied.
 */
#include <string.h>

#include "grant_cache.h"

void grant_cache_init(struct grant_cache *c, domid_t domid, bool read_only)
{
    memset(c->slots, 0, sizeof(c->slots));
    c->domid = domid;
    c->read_only = read_only;
    c->n = 0;
}

/* Where the reference is, or would go. Half of the slots are always free. */
static uint16_t *grant_slot(struct grant_cache *c, grant_ref_t ref)
{
    unsigned int i = ref * 2654435761u % GRANT_CACHE_SLOTS;

    while (c->slots[i] && c->maps[c->slots[i] - 1].ref != ref)
        i = (i + 1) % GRANT_CACHE_SLOTS;
    return &c->slots[i];
}

void *grant_cache_get(struct grant_cache *c, grant_ref_t ref)
{
    uint16_t *slot = grant_slot(c, ref);
    struct grant_mapping *m;

    if (*slot)
        return c->maps[*slot - 1].addr;
    if (c->n == GRANT_CACHE_MAX) {
        grant_cache_flush(c);
        slot = grant_slot(c, ref);
    }
    m = &c->maps[c->n];
    if (grant_map_range(c->domid, &ref, 1, c->read_only, m) != 1 ||
        m->status != GNTST_okay)
        return NULL;
    m->ref = ref;
    *slot = (uint16_t)++c->n;
    return m->addr;
}

void grant_cache_flush(struct grant_cache *c)
{
    if (c->n)
        grant_unmap_range(c->maps, c->n);
    grant_cache_init(c, c->domid, c->read_only);
}
