/*
 * Half of our memory goes back to the host, and comes again.
 * run-guest: --memory 64
 */
#include <string.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

#define MIB_PAGES 256
#define SCATTERED 100 /* more than the engine changes at a time */

static long reservation(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_current_reservation, &self, sizeof(self));
}

static bool is_empty(const char *page, size_t n)
{
    for (size_t i = 0; i < n * PAGE_SIZE; i += 64)
        if (page[i])
            return false;
    return true;
}

static void single_pages(char *page)
{
    point(pages_give_back(page + PAGE_SIZE, 1) == 1, "a page alone goes");
    point(pages_give_back(page, 3) == 1, "a run goes up to what has gone");
    page[2 * PAGE_SIZE] = 'x';
    point(hypercall_xen_version(XENVER_extraversion, page, 16) == -XEN_EFAULT,
          "the hypervisor finds nothing there");
    point(pages_take_again(page, 2) == 2 && is_empty(page, 2),
          "both come back, empty");
    point(page[2 * PAGE_SIZE] == 'x', "their neighbour is as it was");
    page[0] = page[PAGE_SIZE] = 'y';
}

/* Every second page of a run, by one hypercall. */
static long every_second(unsigned int cmd, const char *run)
{
    static xen_pfn_t gfns[SCATTERED];
    struct xen_memory_reservation op = { .nr_extents = SCATTERED,
                                         .domid = DOMID_SELF };

    for (unsigned int i = 0; i < SCATTERED; i++)
        gfns[i] = page_gfn(run) + 2 * i;
    set_xen_guest_handle(op.extent_start, gfns);
    return hypercall_memory_op(cmd, &op, sizeof(op));
}

static void scattered(char *run)
{
    bool good = true;

    for (unsigned int i = 0; i < 2 * SCATTERED; i++)
        run[i * PAGE_SIZE] = 'x';
    point(every_second(XENMEM_decrease_reservation, run) == SCATTERED,
          "%d single pages go by one hypercall", SCATTERED);
    for (unsigned int i = 1; i < 2 * SCATTERED; i += 2)
        good &= run[i * PAGE_SIZE] == 'x';
    point(every_second(XENMEM_populate_physmap, run) == SCATTERED,
          "and come by one");
    for (unsigned int i = 0; i < 2 * SCATTERED; i += 2)
        good &= is_empty(run + i * PAGE_SIZE, 1);
    point(good, "only they did");
}

int main(void)
{
    size_t n = start_info->nr_pages / 2;
    char *half = pages_alloc(n);
    long before = reservation();

    plan(14);
    point(before == (long)start_info->nr_pages - MIB_PAGES,
          "%ld pages are ours", before);
    single_pages(half);
    scattered(half);
    memset(half, 0x5a, n * PAGE_SIZE);
    point(pages_give_back(half, n) == n, "%zu pages go", n);
    point(reservation() == before - (long)n, "they are not ours any more");
    point(pages_take_again(half, n) == n, "they come back");
    point(is_empty(half, n), "and are empty");
    memset(half, 0xa5, n * PAGE_SIZE);
    pages_free(half, n);
    point(reservation() == before, "nothing is lost");
    return done();
}
