/*
 * One exit of a native kernel: a trap that is an instruction to emulate or an
 * exception to reflect; then the interrupts that may come. See emulate.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "preempt.h"
#include "machine.h"

#define CR0_AT_START  0x80050033ull
#define CR4_AT_START  0x20ull
#define EFER_AT_START 0x500ull

static int open_machine(struct vcpu *v)
{
    struct emulated_cpu *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->shown = calloc(v->domain->memory.nr_pages, sizeof(*c->shown));
    if (!c->shown) {
        free(c);
        return -ENOMEM;
    }
    c->cr0 = CR0_AT_START;
    c->cr4 = CR4_AT_START;
    c->efer = EFER_AT_START;
    devices_reset(c);
    v->emulated = c;
    return 0;
}

static void close_machine(struct vcpu *v)
{
    free(v->emulated->shown);
    free(v->emulated);
    v->emulated = NULL;
}

/*
 * A general protection fault is an instruction that ring 3 may not execute, or
 * the kernel's own mistake. (An error code other than 0 tells a segment, which
 * iretq alone of ours names.)
 */
static void on_trap(struct vcpu *v, uint64_t address,
                    struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector;

    v->traps++;
    if (vector == VECTOR_GP && emulate_instruction(v, regs) != REFUSED)
        return;
    if (vector == VECTOR_PF)
        v->emulated->cr2 = address;
    deliver_trap(v, regs, vector, regs->error_code);
}

static struct emulate_next emulate_exit(struct vcpu *v,
                                        enum emulate_cause cause,
                                        uint64_t address,
                                        struct cpu_user_regs *regs)
{
    struct emulated_cpu *c = v->emulated;
    struct emulate_next next = { .halted = false };

    preempt_begin(v, 0);
    c->new_fs = false;
    if (cause == EMULATE_TRAP)
        on_trap(v, address, regs);
    if (v->domain->shut_down)
        return next;
    deliver_interrupt(v, regs);
    next.halted = c->halted;
    next.new_fs = c->new_fs;
    next.fs_base = c->fs_base;
    next.deadline = devices_deadline(c);
    return next;
}

static long set_upcall_vector(struct vcpu *v, unsigned int vector)
{
    if (vector < 16)
        return -EINVAL;
    v->emulated->upcall_vector = (uint8_t)vector;
    return 0;
}

const struct emulate_ops emulate_ops = {
    .open = open_machine,
    .stop = uart_flush,
    .close = close_machine,
    .exit = emulate_exit,
    .populated = paging_populated,
    .set_upcall_vector = set_upcall_vector,
};
