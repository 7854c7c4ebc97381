/*
 * Linux signals become the guest's traps and its periodic interrupt.
 *
 * Handlers run on the alternate signal stack, so a guest that overflowed its
 * own can still report it. SA_NODEFER: a trap inside a handler must reach us
 * and not kill the process silently. SA_RESTART: a hypercall that a tick
 * interrupts goes on (together with the listener's WAIT_KILLABLE_RECV it is
 * neither lost nor repeated).
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#include "stub.h"

#define VECTOR_INVALID_OPCODE 6
#define VECTOR_PROTECTION     13
#define VECTOR_PAGE_FAULT     14

struct kernel_sigaction {
    void (*handler)(int, siginfo_t *, struct ucontext *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

static void to_xen(struct cpu_user_regs *r, const struct sigcontext *c)
{
    *r = (struct cpu_user_regs){
        .r15 = c->r15,
        .r14 = c->r14,
        .r13 = c->r13,
        .r12 = c->r12,
        .rbp = c->rbp,
        .rbx = c->rbx,
        .r11 = c->r11,
        .r10 = c->r10,
        .r9 = c->r9,
        .r8 = c->r8,
        .rax = c->rax,
        .rcx = c->rcx,
        .rdx = c->rdx,
        .rsi = c->rsi,
        .rdi = c->rdi,
        .rip = c->rip,
        .rflags = c->eflags,
        .rsp = c->rsp,
        .cs = c->cs,
        .ss = c->ss,
        .error_code = (uint32_t)c->err,
        .entry_vector = (uint32_t)c->trapno,
        .saved_upcall_mask = stub_me()->info->evtchn_upcall_mask,
    };
}

static void from_xen(struct sigcontext *c, const struct cpu_user_regs *r)
{
    c->r15 = r->r15;
    c->r14 = r->r14;
    c->r13 = r->r13;
    c->r12 = r->r12;
    c->rbp = r->rbp;
    c->rbx = r->rbx;
    c->r11 = r->r11;
    c->r10 = r->r10;
    c->r9 = r->r9;
    c->r8 = r->r8;
    c->rax = r->rax;
    c->rcx = r->rcx;
    c->rdx = r->rdx;
    c->rsi = r->rsi;
    c->rdi = r->rdi;
    c->rip = r->rip;
    c->eflags = r->rflags;
    c->rsp = r->rsp;
}

_Noreturn void stub_die(unsigned long vector, unsigned long rip,
                        unsigned long address, unsigned long error)
{
    for (;;)
        sys6(SANDBOX_CALL_CRASH, (long)vector, (long)rip, (long)address,
             (long)error, 0, 0);
}

/*
 * A signal that the kernel itself forces (a bad signal frame, say) leaves the
 * number of an older trap there.
 */
static unsigned long vector_of(int sig, unsigned long trapno)
{
    if (sig == SIGILL)
        return VECTOR_INVALID_OPCODE;
    if (sig == SIGSEGV && trapno < VECTOR_PROTECTION)
        return VECTOR_PROTECTION;
    return trapno;
}

static void on_trap(int sig, siginfo_t *info, struct ucontext *uc)
{
    struct sigcontext *c = &uc->uc_mcontext;
    struct cpu_user_regs regs;
    struct stub_vcpu *me;

    (void)info;
    c->trapno = vector_of(sig, c->trapno);
    if (c->rip == (uint64_t)stub_read_fault) {
        c->rip = (uint64_t)stub_read_fixup;
        return;
    }
    if (stub.native) {
        to_xen(&regs, c);
        stub_native_trap(c->cr2, &regs);
        from_xen(c, &regs);
        return;
    }
    me = stub_me();
    if (me->trapped || c->trapno >= TRAPS || !stub.trap[c->trapno])
        stub_die(c->trapno, c->rip, c->cr2, c->err);
    to_xen(&regs, c);
    if (c->trapno == VECTOR_PAGE_FAULT)
        me->info->arch.cr2 = c->cr2;
    me->trapped = true;
    COUNT(traps);
    stub.trap[c->trapno](&regs);
    me->trapped = false;
    from_xen(c, &regs);
}

/* The tick: a guest that computes gets its events and its timer, too. */
static void on_tick(int sig, siginfo_t *info, struct ucontext *uc)
{
    struct stub_vcpu *me = stub_me();
    struct cpu_user_regs regs;

    (void)sig;
    (void)info;
    COUNT(ticks);
    WRITE_ONCE(me->ticking, false);
    if (READ_ONCE(me->sleeping))
        return;
    if (!me->info->evtchn_upcall_mask)
        stub_harvest();
    stub_check_timer();
    stub_arm_tick();
    if (READ_ONCE(me->has_runstate))
        sys3(SANDBOX_CALL_RUNSTATE, 0, 0, 0);
    if (READ_ONCE(me->changing))
        return; /* the end of that call delivers */
    to_xen(&regs, &uc->uc_mcontext);
    stub_deliver(&regs);
    if (stub.native)
        from_xen(&uc->uc_mcontext, &regs);
}

/* Another vCPU lowered this one: the call lasts until it is raised. */
static void on_refresh(int sig, siginfo_t *info, struct ucontext *uc)
{
    (void)sig;
    (void)info;
    (void)uc;
    sys3(SANDBOX_CALL_RUNSTATE, 0, 0, 0);
}

static void install(int sig, void (*fn)(int, siginfo_t *, struct ucontext *))
{
    struct kernel_sigaction sa = {
        .handler = fn,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | 0x04000000,
        .restorer = stub_sigreturn,
    };

    sys6(__NR_rt_sigaction, sig, (long)&sa, 0, 8, 0, 0);
}

void stub_install_signals(void)
{
    static const int traps[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

    for (unsigned int i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
        install(traps[i], on_trap);
    install(SIGALRM, on_tick);
    install(SIGURG, on_refresh);
}

void stub_set_signal_stack(const struct sandbox_page *page)
{
    stack_t ss = { .ss_sp = (void *)page->stack, .ss_size = page->stack_size };

    sys3(__NR_sigaltstack, (long)&ss, 0, 0);
}
