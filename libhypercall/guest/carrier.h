/*
 * The guest's carrier: hypercalls through the hypercall page.
 *
 * Calling convention of Xen on x86-64 (<xen/arch-x86/xen-x86_64.h>): number
 * times 32 into the page, arguments in rdi rsi rdx r10 r8, result in rax; rcx
 * and r11 are clobbered. Also here: the hypercalls that only a guest can do.
 */
#ifndef RINGSIDE_GUEST_CARRIER_H
#define RINGSIDE_GUEST_CARRIER_H

#include <stddef.h>

#include "xen_compat.h"

/* The page that the engine fills; reserved by the guest kernel's entry code. */
extern char hypercall_page[] __asm__("__rs_hypercall_page");

static inline long hypercall5(unsigned int nr, unsigned long a1,
                              unsigned long a2, unsigned long a3,
                              unsigned long a4, unsigned long a5)
{
    register unsigned long r10 __asm__("r10") = a4;
    register unsigned long r8 __asm__("r8") = a5;
    long ret;

    /* The compiler may keep data in the 128 bytes below rsp: step over them. */
    __asm__ __volatile__("addq $-128, %%rsp\n\t"
                         "call *%[entry]\n\t"
                         "subq $-128, %%rsp"
                         : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10),
                           "+r"(r8)
                         : [entry] "r"(hypercall_page + 32 * nr)
                         : "rcx", "r11", "memory", "cc");
    return ret;
}

static inline long hypercall_op(unsigned int nr, unsigned int cmd, void *arg,
                                size_t size)
{
    (void)size;
    return hypercall5(nr, cmd, (unsigned long)arg, 0, 0, 0);
}

static inline long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg,
                                  size_t size, unsigned int n)
{
    (void)size;
    return hypercall5(nr, cmd, (unsigned long)arg, n, 0, 0);
}

/* Writes n bytes to the hypervisor's console log of this domain. */
static inline long hypercall_console_write(const char *s, unsigned int n)
{
    return hypercall5(__HYPERVISOR_console_io, CONSOLEIO_write, n,
                      (unsigned long)s, 0, 0);
}

/* VIRQ_TIMER at system time ns; 0 = never. */
static inline long hypercall_set_timer(uint64_t ns)
{
    return hypercall5(__HYPERVISOR_set_timer_op, ns, 0, 0, 0, 0);
}

static inline long hypercall_set_trap_table(const struct trap_info *table)
{
    return hypercall5(__HYPERVISOR_set_trap_table, (unsigned long)table, 0, 0,
                      0, 0);
}

static inline long
hypercall_set_event_callback(void (*fn)(struct cpu_user_regs *))
{
    struct callback_register op = { .type = CALLBACKTYPE_event,
                                    .address = (unsigned long)fn };

    return hypercall_op(__HYPERVISOR_callback_op, CALLBACKOP_register, &op,
                        sizeof(op));
}

/* Protection of one RAM page; pte 0 removes access (docs/engine.md). */
static inline long hypercall_update_va_mapping(unsigned long va, uint64_t pte)
{
    return hypercall5(__HYPERVISOR_update_va_mapping, va, pte, 0, 0, 0);
}

static inline long hypercall_set_fs_base(unsigned long base)
{
    return hypercall5(__HYPERVISOR_set_segment_base, SEGBASE_FS, base, 0, 0, 0);
}

static inline long hypercall_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
    return hypercall5(__HYPERVISOR_vcpu_op, cmd, vcpu, (unsigned long)arg, 0,
                      0);
}

/* Ends this domain: SHUTDOWN_... and the program's exit status (0..255). */
static inline long hypercall_shutdown(unsigned int reason, unsigned int status)
{
    struct sched_shutdown op = { .reason = reason | (status & 0xff) << 8 };

    return hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op,
                        sizeof(op));
}

#endif
