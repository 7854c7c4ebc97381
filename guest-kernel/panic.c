/*
 * The end of a guest that is broken: who may report, where it happened, and the
 * shutdown.
 *
 * Nothing here trusts what may be broken: stacks are read only within the
 * bounds of the current thread's, and a trap within the report ends the domain
 * at once.
 */
#include <stdarg.h>

#include "guest-kernel/console.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/symbols.h"
#include "guest-kernel/traps.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

#define FRAMES_MAX 32

extern const struct ksym ksyms_start[], ksyms_end[]; /* guest.lds */
extern char text_end[], image_start[];

static struct vcpu *crashing;

const char *symbol_of(uintptr_t addr, size_t *offset)
{
    size_t n = (size_t)(ksyms_end - ksyms_start);
    const struct ksym *k = NULL;

    if (addr >= (uintptr_t)image_start && addr < (uintptr_t)text_end)
        k = ksym_find(ksyms_start, n, addr);
    if (!k)
        return NULL;
    *offset = addr - k->address;
    return (const char *)ksyms_end + k->name;
}

void report_place(const char *before, uintptr_t addr)
{
    size_t offset;
    const char *name = symbol_of(addr, &offset);

    if (name)
        console_report("%s%016lx %s+0x%lx\n", before, addr, name, offset);
    else
        console_report("%s%016lx\n", before, addr);
}

void report_backtrace(uintptr_t fp)
{
    const struct thread *t = thread_current();
    uintptr_t low, high, frames[FRAMES_MAX];
    size_t n;

    if (!t)
        return;
    thread_stack(t, &low, &high);
    n = stack_walk(fp, low, high, frames, FRAMES_MAX);
    for (size_t i = 0; i < n; i++)
        report_place("  called from ", frames[i] - 1);
}

_Noreturn void crash_end(void)
{
    for (;;)
        hypercall_shutdown(SHUTDOWN_crash, 0);
}

void crash_begin(void)
{
    struct vcpu *nobody = NULL;

    mask_only();
    if (!__atomic_compare_exchange_n(&crashing, &nobody, this_vcpu(), false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (nobody == this_vcpu())
            crash_end();
        for (;;) /* the first one's report is coming, and then the end */
            hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    }
    lock_take_or_give_up();
    console_drain();
}

_Noreturn void kernel_panic(const char *fmt, ...)
{
    va_list ap;

    crash_begin();
    va_start(ap, fmt);
    console_report_line("guest panic: ", fmt, ap);
    va_end(ap);
    report_backtrace((uintptr_t)__builtin_frame_address(0));
    crash_end();
}
