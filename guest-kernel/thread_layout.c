/*
 * Where the parts of a thread lie in its pages.
 *
 * One run of pages per thread, from low to high: guard page, stack, TLS block
 * with the thread pointer at its end (x86-64 ABI, variant II), struct thread.
 * Crash reports ask, so nothing here may fail.
 */
#include <string.h>

#include "guest-kernel/scheduler.h"

extern char tls_image[], tls_filled[]; /* guest.lds: tls_filled is a size */

uintptr_t thread_make_tls(uintptr_t top)
{
    size_t align = (size_t)tls_align < 16 ? 16 : (size_t)tls_align;
    uintptr_t tp = (top - sizeof(struct tcb)) & ~(align - 1);
    char *block = (char *)tp - thread_tls_bytes();
    struct tcb *tcb = (struct tcb *)tp;

    memset(block, 0, thread_tls_bytes());
    memcpy(block, tls_image, (size_t)tls_filled);
    *tcb = (struct tcb){ .self = tp };
    return tp;
}

void *thread_stack_top(const struct thread *t)
{
    return (void *)((t->fs_base - thread_tls_bytes()) & ~15ul);
}

struct tcb *thread_tcb(const struct thread *t)
{
    return (struct tcb *)t->fs_base;
}

void thread_stack(const struct thread *t, uintptr_t *low, uintptr_t *high)
{
    *low = (uintptr_t)t->pages + PAGE_SIZE;
    *high = (uintptr_t)t->pages + (t->n_pages << PAGE_SHIFT);
}

bool thread_guard_hit(const struct thread *t, uintptr_t addr)
{
    return addr >= (uintptr_t)t->pages &&
           addr < (uintptr_t)t->pages + PAGE_SIZE;
}
