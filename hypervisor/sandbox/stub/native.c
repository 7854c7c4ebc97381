/*
 * A native kernel's exits: it was interrupted by a trap, or is to be
 * interrupted, and the hypervisor decides what its registers are then
 * (hypervisor/emulate). Here is only what must be done in the guest's process:
 * changes of the address space, the FS base, and sleep.
 *
 * An interrupt comes where the kernel itself runs, not in the middle of the
 * stub, whose signal frames would not survive it: what falls due there comes
 * at the end of the hypercall, through stub_gate.
 */
#include <asm/prctl.h>

#include "stub.h"

/* Of the linker: the stub itself. */
extern __attribute__((visibility("hidden"))) char __executable_start[], _end[];

#define CLI 0xfa
#define STI 0xfb
#define HLT 0xf4

static bool in_stub(uint64_t rip)
{
    return rip >= (uint64_t)__executable_start && rip < (uint64_t)_end;
}

static bool may_interrupt(void)
{
    struct stub_vcpu *me = stub_me();

    return !READ_ONCE(me->info->evtchn_upcall_mask) &&
           (READ_ONCE(me->info->evtchn_upcall_pending) || READ_ONCE(me->due));
}

/* True: the kernel has halted. */
static bool exit_once(unsigned long cause, unsigned long address,
                      struct cpu_user_regs *regs)
{
    struct stub_vcpu *me = stub_me();
    const struct sandbox_page *p = me->page;
    long halted;

    me->due = false; /* the hypervisor looks at the time itself */
    halted = sys3(SANDBOX_CALL_EXIT, (long)cause, (long)address, (long)regs);
    stub_carry_out_changes();
    if (p->exit.new_fs)
        sys3(__NR_arch_prctl, ARCH_SET_FS, (long)p->exit.fs_base, 0);
    me->board_deadline = p->exit.deadline;
    return halted == 1;
}

/* Until the kernel has something to run, with what came meanwhile. */
static void leave(unsigned long cause, unsigned long address,
                  struct cpu_user_regs *regs)
{
    struct stub_vcpu *me = stub_me();

    stub_begin_sleep();
    while (exit_once(cause, address, regs)) {
        stub_doze(0);
        cause = 1;
    }
    if (!READ_ONCE(me->info->evtchn_upcall_mask)) {
        stub_harvest();
        if (may_interrupt())
            exit_once(1, 0, regs);
    }
    stub_end_sleep();
    if (me->board_deadline && me->board_deadline < me->tick_ns)
        stub_arm_tick();
}

/*
 * For measuring alone (mode trap-stub): cli and sti decoded here. No monitor
 * could have it so, for here is the guest's side of the wall. (`sti; hlt` is
 * one exit: an interrupt between them would not end the sleep.)
 */
static bool decode_here(struct cpu_user_regs *regs)
{
    uint8_t insn[4];

    if (stub.native != SANDBOX_NATIVE_STUB ||
        stub_read_guest(insn, (const void *)regs->rip, sizeof(insn)) ||
        (insn[0] != CLI && (insn[0] != STI || insn[1] == HLT)))
        return false;
    WRITE_ONCE(stub_me()->info->evtchn_upcall_mask, insn[0] == CLI);
    regs->rip++;
    return true;
}

void stub_native_trap(unsigned long address, struct cpu_user_regs *regs)
{
    if (regs->rip == (uint64_t)stub_gate) {
        regs->rip++;
        leave(1, 0, regs);
    } else if (regs->entry_vector == 13 && decode_here(regs)) {
        if (may_interrupt())
            leave(1, 0, regs);
    } else {
        leave(0, address, regs);
    }
}

void stub_native_interrupt(struct cpu_user_regs *regs)
{
    if (!may_interrupt())
        return;
    if (!regs)
        stub_gate();
    else if (!in_stub(regs->rip))
        leave(1, 0, regs);
}
