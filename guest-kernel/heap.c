/*
 * The heap: newlib's malloc grows it by sbrk(), upwards from the lowest free
 * page, page by page out of the page allocator's hands. Called with malloc's
 * lock held.
 */
#include <errno.h>
#include <unistd.h>

#include "guest-kernel/libc.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/vcpu.h"

static char *heap_brk;  /* the break as the C library sees it */
static char *heap_edge; /* end of the pages that the heap has */

void heap_init(void)
{
    heap_brk = heap_edge = pages_lowest_free();
}

/* Pages that are wholly above the break go back. */
static void heap_shrink(void)
{
    char *edge = (char *)(((uintptr_t)heap_brk + PAGE_SIZE - 1) & PAGE_MASK);

    pages_free(edge, (size_t)(heap_edge - edge) >> PAGE_SHIFT);
    heap_edge = edge;
}

void *sbrk(ptrdiff_t increment)
{
    IN_KERNEL();
    char *old = heap_brk;

    if (increment > heap_edge - heap_brk) {
        size_t n = pages_for((size_t)(increment - (heap_edge - heap_brk)));

        if (!pages_claim(heap_edge, n)) {
            errno = ENOMEM;
            return (void *)-1;
        }
        heap_edge += n << PAGE_SHIFT;
    }
    heap_brk += increment;
    if (increment < 0)
        heap_shrink();
    return old;
}
