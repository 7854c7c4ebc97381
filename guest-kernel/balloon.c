/*
 * Memory that we give back to the host, and take again. See pages.h.
 *
 * One hypercall per run of a power of two: the hypervisor takes the page away
 * from our address space, then from the host's memory.
 */
#include "guest-kernel/pages.h"
#include "libhypercall/hypercall.h"

#define MAX_ORDER 9u /* of an extent, Xen's limit for guests */

static bool adjust(unsigned int cmd, const void *addr, unsigned int order)
{
    xen_pfn_t gfn = page_gfn(addr);
    struct xen_memory_reservation op = { .nr_extents = 1,
                                         .extent_order = order,
                                         .domid = DOMID_SELF };

    set_xen_guest_handle(op.extent_start, &gfn);
    return hypercall_memory_op(cmd, &op, sizeof(op)) == 1;
}

static size_t adjust_all(unsigned int cmd, char *addr, size_t n)
{
    unsigned int order = MAX_ORDER;
    size_t done = 0;

    while (done < n) {
        while (n - done < 1ul << order)
            order--;
        if (adjust(cmd, addr + (done << PAGE_SHIFT), order))
            done += 1ul << order;
        else if (order-- == 0)
            break;
    }
    return done;
}

size_t pages_give_back(void *addr, size_t n)
{
    return adjust_all(XENMEM_decrease_reservation, addr, n);
}

size_t pages_take_again(void *addr, size_t n)
{
    return adjust_all(XENMEM_populate_physmap, addr, n);
}
