/*
 * Grants: pages of ours that another domain may use, and pages of others that
 * we map.
 *
 * Table version 1. References 0..7 are reserved (the builder uses 0 for the
 * console, 1 for the store). A page may be granted several times. Calls neither
 * block nor allocate memory, and may be made from event handlers, except
 * grant_map() and grant_unmap().
 */
#ifndef RINGSIDE_GUEST_GRANTS_H
#define RINGSIDE_GUEST_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "libhypercall/hypercall.h"

#define GRANT_REF_NONE ((grant_ref_t)0)

/*
 * Lets domain `remote` map the page at addr (page aligned), read-only if asked.
 * -ENOSPC: the table is full at its largest.
 */
int grant_access(domid_t remote, const void *addr, bool read_only,
                 grant_ref_t *ref);

/*
 * Takes it back and frees the reference. -EBUSY: the other domain has it
 * mapped; the grant stands as it was, try again later. GRANT_REF_NONE is
 * ignored.
 */
int grant_end(grant_ref_t ref);

/*
 * Takes it back and gives the page at addr (the one that was granted) to
 * pages_free(): now or, if the other domain still has it mapped, as soon as it
 * let go (tried again at each call). The caller forgets both. Not from event
 * handlers.
 */
void grant_end_and_free(grant_ref_t ref, void *addr);

/* True while the other domain has the page mapped. */
bool grant_in_use(grant_ref_t ref);

/* References in use; the leak tests compare it. */
unsigned int grant_used_count(void);

/* A mapping of n pages of another domain at consecutive addresses. */
struct grant_map {
    void *addr;
    unsigned int n;
    grant_handle_t *handles;
};

/*
 * Maps n grants of `remote` contiguously in the aperture. All or nothing:
 * -EACCES, -EINVAL... tells the first that failed; -ENOSPC: no room.
 */
int grant_map(domid_t remote, const grant_ref_t *refs, unsigned int n,
              bool read_only, struct grant_map *out);
void grant_unmap(struct grant_map *map);

/*
 * Copies n bytes between our memory and a page that `remote` granted us,
 * without mapping it: from its offset to `to`, or from `from` to its offset.
 * -EINVAL: not granted (so), or beyond the page; -ESRCH: no such domain. May be
 * called from event handlers, but our memory must not be on their stack.
 */
int grant_copy_from(domid_t remote, grant_ref_t ref, unsigned int offset,
                    void *to, unsigned int n);
int grant_copy_to(domid_t remote, grant_ref_t ref, unsigned int offset,
                  const void *from, unsigned int n);

int grants_init(uint64_t nr_pages);

#endif
