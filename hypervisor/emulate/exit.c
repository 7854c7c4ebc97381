/*
 * One exit of a native kernel: a trap that is an instruction to emulate or an
 * exception to reflect; then the interrupts that may come. See emulate.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "hypercalls/hypercall.h"
#include "machine.h"

#define CR0_AT_START  0x80050033ull
#define CR4_AT_START  0x20ull
#define EFER_AT_START 0x500ull

int emulate_open(struct vcpu *v)
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

void emulate_stop(struct vcpu *v)
{
    if (v->emulated)
        uart_flush(v);
}

void emulate_close(struct vcpu *v)
{
    if (!v->emulated)
        return;
    free(v->emulated->shown);
    free(v->emulated);
    v->emulated = NULL;
}

const char *trap_name(unsigned int vector)
{
    static const char *const names[] = {
        [0] = "division by zero",
        [1] = "debug trap",
        [3] = "breakpoint",
        [6] = "invalid instruction",
        [13] = "general protection",
        [14] = "page fault",
        [16] = "floating point",
        [17] = "alignment check",
        [19] = "vector floating point",
    };

    return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : NULL;
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

struct emulate_next emulate_exit(struct vcpu *v, enum emulate_cause cause,
                                 uint64_t address, struct cpu_user_regs *regs)
{
    struct emulated_cpu *c = v->emulated;
    struct emulate_next next = { .halted = false };

    v->work = 0;
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

/*
 * HYPERVISOR_hvm_op: where a native kernel says which vector its event channels
 * shall have. A paravirtual one has the event callback instead.
 */
long do_hvm_op(struct vcpu *v, const uint64_t args[6])
{
    struct xen_hvm_evtchn_upcall_vector op;

    if (!v->emulated || args[0] != HVMOP_set_evtchn_upcall_vector)
        return -ENOSYS;
    if (copy_from_guest(v, &op, guest_addr(args[1]), sizeof(op)))
        return -EFAULT;
    if (op.vcpu != v->id)
        return -ENOENT;
    if (op.vector < 16)
        return -EINVAL;
    v->emulated->upcall_vector = op.vector;
    return 0;
}
