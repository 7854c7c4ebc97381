/*
 * Life and death of threads: their pages, their start and end.
 *
 * No malloc is involved, so threads can be freed where nothing may block.
 */
#include <stdio.h>
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/invariant.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/upcall.h"

#define MAIN_STACK (256 * 1024)

_Noreturn void stack_call(void *top, void (*fn)(void)); /* switch.S */
void thread_begin(void);                                /* switch.S */
_Noreturn void thread_main(void);                       /* for switch.S */

/* What thread_switch() pops, lowest address first. */
struct thread_frame {
    uint32_t mxcsr;
    uint32_t fpu_control;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    void (*rip)(void);
};
_Static_assert(sizeof(struct thread_frame) == 64,
               "thread_begin starts with rsp aligned to 16");
#define MXCSR_DEFAULT       0x1f80
#define FPU_CONTROL_DEFAULT 0x37f

static unsigned int threads_alive;

struct thread *thread_alloc(const char *name, size_t stack_bytes)
{
    size_t extra =
        sizeof(struct thread) + thread_tls_bytes() + (size_t)tls_align + 128;
    size_t n = pages_for(stack_bytes + extra) + 1;
    char *base = pages_alloc(n);
    struct thread *t;

    if (!base)
        return NULL;
    if (page_guard(base)) {
        pages_free(base, n);
        return NULL;
    }
    t = (struct thread *)((uintptr_t)(base + (n << PAGE_SHIFT) - sizeof(*t)) &
                          ~63ul);
    memset(t, 0, sizeof(*t));
    t->pages = base;
    t->n_pages = n;
    t->fs_base = thread_make_tls((uintptr_t)t);
    strncpy(t->name, name, sizeof(t->name) - 1);
    list_init(&t->link);
    list_init(&t->timer);
    wait_queue_init(&t->joiners);
    t->reent = &t->own_reent;
    _REENT_INIT_PTR(t->reent);
    threads_alive++;
    return t;
}

void thread_free(struct thread *t)
{
    invariant(t != thread_current() && threads_alive > 0);
    invariant(list_empty(&t->link) && list_empty(&t->joiners.waiters));
    threads_alive--;
    if (page_unguard(t->pages))
        kernel_panic("a guard page cannot be opened again");
    pages_free(t->pages, t->n_pages);
}

static struct thread *create(const char *name, thread_fn *fn, void *arg,
                             size_t stack_bytes, bool of_program)
{
    size_t bytes = stack_bytes ? stack_bytes : THREAD_STACK_DEFAULT;
    struct thread_frame *frame;
    struct thread *t;
    bool was;

    IN_KERNEL();
    t = thread_alloc(name, bytes);
    if (!t)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    t->of_program = of_program;
    t->lock_depth = 1;
    frame = (struct thread_frame *)thread_stack_top(t) - 1;
    *frame = (struct thread_frame){ .mxcsr = MXCSR_DEFAULT,
                                    .fpu_control = FPU_CONTROL_DEFAULT,
                                    .rip = thread_begin };
    t->rsp = frame;
    was = upcalls_mask();
    schedule_ready(t);
    upcalls_restore(was);
    return t;
}

struct thread *thread_create(const char *name, thread_fn *fn, void *arg,
                             size_t stack_bytes)
{
    return create(name, fn, arg, stack_bytes, false);
}

struct thread *thread_create_program(const char *name, thread_fn *fn, void *arg,
                                     size_t stack_bytes)
{
    return create(name, fn, arg, stack_bytes, true);
}

/* First run: schedule()'s caller would bury and unmask; here it is us. */
_Noreturn void thread_main(void)
{
    struct vcpu *cpu = this_vcpu();
    struct thread *t = cpu->current;

    cpu->lock_depth = t->lock_depth;
    schedule_bury(cpu);
    if (t->of_program)
        kernel_unlock_masked();
    upcalls_unmask();
    t->fn(t->arg);
    thread_exit();
}

void thread_announce_end(struct thread *t)
{
    t->gone = true;
    wait_queue_wake_all(&t->joiners);
}

_Noreturn void thread_exit(void)
{
    struct thread *t = thread_current();

    if (t->reent == &t->own_reent)
        _reclaim_reent(t->reent);
    upcalls_mask();
    t->state = THREAD_DEAD;
    /* The only vCPU may have to idle on this stack until a joiner runs. */
    if (t->detached || this_vcpu()->home)
        this_vcpu()->corpse = t;
    else
        thread_announce_end(t);
    schedule();
    kernel_panic("a dead thread was scheduled");
}

void thread_join(struct thread *t)
{
    IN_KERNEL();
    wait_event(&t->joiners, t->gone, NEVER);
    thread_free(t);
}

void thread_detach(struct thread *t)
{
    IN_KERNEL();
    if (t->gone)
        thread_free(t);
    else
        t->detached = true;
}

unsigned int thread_count(void)
{
    return threads_alive;
}

_Noreturn void thread_start_main(void (*fn)(void))
{
    struct thread *t = thread_alloc("main", MAIN_STACK);

    if (!t)
        kernel_panic("no memory for the stack of main");
    t->reent = _GLOBAL_REENT;
    t->on = this_vcpu();
    t->on->current = t;
    thread_tcb(t)->vcpu = t->on;
    arch_fs_set(t->fs_base);
    stack_call(thread_stack_top(t), fn);
}

/* The C library asks for it at every errno. */
struct _reent *__getreent(void)
{
    const struct thread *t = thread_current();

    return t ? t->reent : _GLOBAL_REENT;
}
