/*
 * Traps, and the report of one; panic.c has what it shares with
 * a panic.
 *
 * The engine calls trap_handler() on a stack of its own.
 */
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/console.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/symbols.h"
#include "guest-kernel/traps.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"

#define PAGE_FAULT  14
#define PF_WRITE    2u
#define PF_FETCH    16u
#define CALL_OPCODE 0xe8 /* call with a 32-bit distance after it */
#define CALL_BYTES  5

extern char text_end[], image_start[]; /* guest.lds */

static const char *const trap_names[32] = {
    [0] = "divide error",        [1] = "debug trap",
    [3] = "breakpoint",          [4] = "overflow",
    [6] = "invalid instruction", [13] = "general protection fault",
    [14] = "page fault",         [16] = "floating point error",
    [17] = "alignment check",    [19] = "SIMD floating point error",
};

/*
 * A function that has made no frame (yet) has its return address on top of the
 * stack: shown if the instruction before it is a call of this very function.
 */
static void report_frameless_caller(const struct cpu_user_regs *r)
{
    const struct thread *t = thread_current();
    uintptr_t low, high, ret;
    size_t offset;
    int32_t distance;

    if (!t || !symbol_of(r->rip, &offset))
        return;
    thread_stack(t, &low, &high);
    if (r->rsp % 8 || r->rsp < low || r->rsp >= high)
        return;
    ret = *(const uintptr_t *)r->rsp;
    if (ret < (uintptr_t)image_start + CALL_BYTES || ret >= (uintptr_t)text_end)
        return;
    memcpy(&distance, (const char *)ret - sizeof(distance), sizeof(distance));
    if (*(const uint8_t *)(ret - CALL_BYTES) == CALL_OPCODE &&
        ret + (uintptr_t)distance == r->rip - offset)
        report_place("  called from ", ret - 1);
}

static void report_registers(const struct cpu_user_regs *r)
{
    console_report("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax,
                   r->rbx, r->rcx, r->rdx);
    console_report("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi,
                   r->rdi, r->rbp, r->rsp);
    console_report("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8,
                   r->r9, r->r10, r->r11);
    console_report("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12,
                   r->r13, r->r14, r->r15);
    console_report("  rflags %016lx error code %x\n", r->rflags, r->error_code);
}

static void report_page_fault(const struct cpu_user_regs *r)
{
    uintptr_t addr = arch_fault_address();
    const struct thread *t = thread_current();
    const char *how = r->error_code & PF_FETCH   ? "execution"
                      : r->error_code & PF_WRITE ? "write"
                                                 : "read";
    const char *what = "page fault";

    if (t && thread_guard_hit(t, addr))
        what = "stack overflow";
    else if (addr < (uintptr_t)image_start)
        what = "null pointer";
    console_report("guest crash: %s: %s at %016lx\n", what, how, addr);
}

static void report_trap(const struct cpu_user_regs *r)
{
    const struct thread *t = thread_current();
    const char *name = r->entry_vector < 32 ? trap_names[r->entry_vector] : 0;

    if (r->entry_vector == PAGE_FAULT)
        report_page_fault(r);
    else
        console_report("guest crash: %s (vector %u)\n", name ? name : "trap",
                       r->entry_vector);
    console_report("  in thread %s%s\n", t ? t->name : "boot",
                   in_upcall() ? ", in an event handler" : "");
    report_place("  at ", r->rip);
    report_registers(r);
    report_frameless_caller(r);
    report_backtrace(r->rbp);
}

static void trap_handler(struct cpu_user_regs *regs)
{
    crash_begin();
    report_trap(regs);
    crash_end();
}

void traps_init(void)
{
    arch_traps_init(trap_handler);
}
