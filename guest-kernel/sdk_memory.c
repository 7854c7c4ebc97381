/*
 * <ringside/guest.h>: pages, and what is done with them and with those of other
 * domains: grants, copies, mappings.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdlib.h>

#include "guest-kernel/grants.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/vcpu.h"

_Static_assert(RS_PAGE_SIZE == PAGE_SIZE, "page size");
_Static_assert(RS_DOMID_SELF == DOMID_SELF, "DOMID_SELF");
_Static_assert(sizeof(uint32_t) == sizeof(grant_ref_t), "references");

struct rs_mapping {
    struct grant_map map;
};

void *rs_pages_alloc(size_t n)
{
    IN_KERNEL();
    return pages_alloc_zeroed(n);
}

void rs_pages_free(void *addr, size_t n)
{
    IN_KERNEL();
    pages_free(addr, n);
}

int rs_grant(unsigned int domid, const void *addr, bool read_only,
             uint32_t *ref)
{
    IN_KERNEL();
    if ((uintptr_t)addr % PAGE_SIZE)
        return -EINVAL;
    return grant_access((domid_t)domid, addr, read_only, ref);
}

int rs_grant_end(uint32_t ref)
{
    IN_KERNEL();
    return grant_end(ref);
}

int rs_grant_read(unsigned int domid, uint32_t ref, unsigned int offset,
                  void *to, unsigned int n)
{
    return grant_copy_from((domid_t)domid, ref, offset, to, n);
}

int rs_grant_write(unsigned int domid, uint32_t ref, unsigned int offset,
                   const void *from, unsigned int n)
{
    return grant_copy_to((domid_t)domid, ref, offset, from, n);
}

int rs_map(unsigned int domid, const uint32_t *refs, unsigned int n,
           bool read_only, struct rs_mapping **out)
{
    IN_KERNEL();
    struct rs_mapping *m = malloc(sizeof(*m));
    int err;

    if (!m)
        return -ENOMEM;
    err = grant_map((domid_t)domid, refs, n, read_only, &m->map);
    if (err)
        free(m);
    else
        *out = m;
    return err;
}

void *rs_map_address(const struct rs_mapping *m)
{
    return m->map.addr;
}

void rs_unmap(struct rs_mapping *m)
{
    IN_KERNEL();
    grant_unmap(&m->map);
    free(m);
}
