/*
 * What one guest costs by itself: hypercalls by each carrier, traps, timer,
 * threads, and the paravirtual half of the pairs.
 *
 *   calls  trap, multicalls, direct send
 *   send   event send alone
 *   ring   a hypercall, of a domain whose carrier is the ring
 *   traps  page fault, timer, change of thread
 *   pv     of each privileged instruction, what this kernel does instead
 */
#include <ringside/guest.h>

#include "bench/guest_job.h"
#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

/* ---- carriers ---- */

/* Asks something small of the hypervisor itself. */
static void null_call(void *arg)
{
    (void)arg;
    hypercall_xen_version(XENVER_version, NULL, 0);
}

static void send_event(void *port)
{
    hypercall_evtchn_send(*(evtchn_port_t *)port);
}

/* To a port of our own, which is masked: what is sent wakes nobody. */
static int say_sends(const char *name)
{
    evtchn_port_t there, here;

    if (hypercall_evtchn_alloc_unbound(DOMID_SELF, &there) ||
        hypercall_evtchn_bind_interdomain(DOMID_SELF, there, &here))
        return 1;
    samples_take(&samples, send_event, &here, 50);
    say_samples(name, 1);
    hypercall_evtchn_close(here);
    hypercall_evtchn_close(there);
    return 0;
}

#define CALLS_MAX 256

static struct multicall_entry entries[CALLS_MAX];

static void multicall(void *n)
{
    hypercall5(__HYPERVISOR_multicall, (unsigned long)entries,
               *(unsigned int *)n, 0, 0, 0);
}

/* 1, 2, 4 ... in a batch: what each costs. */
static int say_multicalls(void)
{
    char name[32];

    for (unsigned int i = 0; i < CALLS_MAX; i++)
        entries[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                               .args = { XENVER_version } };
    for (unsigned int n = 1; n <= CALLS_MAX; n *= 2) {
        samples_take(&samples, multicall, &n, 1);
        snprintf(name, sizeof(name), "hypercall.multicall%u", n);
        say_samples(name, n);
    }
    return (long)entries[CALLS_MAX - 1].result <= 0;
}

static int calls(char **argv)
{
    int err;

    (void)argv;
    samples_take(&samples, null_call, NULL, 1);
    say_samples("hypercall.trap", 1);
    /* Right behind it: who has run for long without a call finds the
     * hypervisor less ready, and its calls dearer for a while. */
    err = say_multicalls();
    if (!err)
        err = say_sends("hypercall.direct_send");
    if (!err)
        say("done\n");
    return err;
}

static int send(char **argv)
{
    int err = say_sends("event.send");

    (void)argv;
    if (!err)
        say("done\n");
    return err;
}

static int ring(char **argv)
{
    (void)argv;
    samples_take(&samples, null_call, NULL, 10);
    say_samples("hypercall.ring", 1);
    say("done\n");
    return 0;
}

/* ---- traps and the timer ---- */

static void step_over(struct cpu_user_regs *regs)
{
    regs->rip = regs->rbx;
}

/* Reads a byte that may not be read; the handler goes on behind the read. */
static void fault(void *addr)
{
    __asm__ __volatile__("leaq 1f(%%rip), %%rbx\n\t"
                         "movb (%0), %%cl\n"
                         "1:"
                         :
                         : "r"(addr)
                         : "rbx", "rcx", "memory");
}

static int say_fault(void)
{
    static const struct trap_info table[] = {
        { .vector = 14, .address = (uintptr_t)step_over }, { 0 }
    };
    void *page = pages_alloc(1);

    if (!page || page_guard(page) || hypercall_set_trap_table(table))
        return 1;
    samples_take(&samples, fault, page, 1);
    say_samples("guest.page_fault", 1);
    return page_unguard(page);
}

#define AHEAD (50 * NS_PER_US)

/* ns of system time in ticks: what clock_now() does, backwards. */
static uint64_t ticks_of(uint64_t ns)
{
    const struct vcpu_time_info *t = &this_vcpu_info()->time;
    unsigned __int128 ticks = ((unsigned __int128)ns << 32);

    ticks /= t->tsc_to_system_mul;
    return (uint64_t)(t->tsc_shift >= 0 ? ticks >> t->tsc_shift
                                        : ticks << -t->tsc_shift);
}

/*
 * The timer goes off while we compute: from its deadline until the kernel's
 * handler (idle.c: it says that nothing is set any more) has run and returned.
 */
static uint64_t timer_running(void *arg)
{
    struct vcpu *cpu = this_vcpu();
    uint64_t deadline = clock_now() + AHEAD;

    (void)arg;
    cpu->timer_armed = deadline;
    hypercall_set_timer(deadline);
    while (READ_ONCE(cpu->timer_armed) != NEVER)
        cpu_relax();
    return ticks_of(clock_now() - deadline);
}

/* The same while the vCPU is idle, and until a thread runs again. */
static uint64_t timer_idle(void *arg)
{
    uint64_t deadline = clock_now() + AHEAD;

    (void)arg;
    thread_sleep_until(deadline);
    return ticks_of(clock_now() - deadline);
}

static void say_timer(void)
{
    samples_take_told(&samples, timer_running, NULL);
    say_samples("guest.timer", 1);
    samples_take_told(&samples, timer_idle, NULL);
    say_samples("guest.timer_idle", 1);
}

static bool yielding = true;

static void yield_back(void *arg)
{
    (void)arg;
    while (yielding)
        rs_thread_yield();
}

static void yield(void *arg)
{
    (void)arg;
    rs_thread_yield();
}

/* There and back again: two changes. */
static void say_switch(void)
{
    struct rs_thread *other = rs_thread_create("other", yield_back, NULL, 0);

    samples_take(&samples, yield, NULL, 50);
    say_samples("guest.thread_switch", 2);
    yielding = false;
    rs_thread_join(other);
}

static int traps(char **argv)
{
    (void)argv;
    if (say_fault())
        return 1;
    say_timer();
    say_switch();
    say("done\n");
    return 0;
}

/*
 * ---- what stands for privileged instructions ----
 *
 * The paravirtual half of the pairs. The other half, "hypercall.emulated_X",
 * is said by a guest of the native twin that executes the instruction itself.
 * To add a pair: the operation and its line in pv() here, the instruction
 * there, and both figures in bench/figures.c, this one as the other's baseline.
 */

static void pv_cli(void *arg)
{
    (void)arg;
    mask_only();
}

static void pv_sti(void *arg)
{
    (void)arg;
    upcalls_unmask();
}

/* With an interrupt pending, so that it does not sleep; masked, so that no
 * tick takes that one before. */
static void pv_hlt(void *arg)
{
    (void)arg;
    mask_only();
    WRITE_ONCE(this_vcpu_info()->evtchn_upcall_pending, 1);
    arch_wait();
}

/* Reading the timer's counter. */
static void pv_in(void *arg)
{
    (void)arg;
    clock_now();
}

/* Setting it: far ahead, so that it does not go off. */
static void pv_out(void *deadline)
{
    hypercall_set_timer(*(uint64_t *)deadline);
}

/* The thread pointer's. */
static void pv_rdmsr(void *arg)
{
    uintptr_t base;

    (void)arg;
    __asm__ __volatile__("movq %%fs:0, %0" : "=r"(base));
}

static void pv_wrmsr(void *base)
{
    arch_fs_set(*(uintptr_t *)base);
}

/* A page's access is taken, and given back the next time. */
static void pv_invlpg(void *page)
{
    static bool guarded;

    guarded = !guarded;
    if (guarded)
        page_guard(page);
    else
        page_unguard(page);
}

static void pv_lidt(void *arg)
{
    static const struct trap_info none = { 0 };

    (void)arg;
    hypercall_set_trap_table(&none);
}

static uint64_t far_ahead;
static uintptr_t thread_pointer;

/* Each is inlined into its loop: the cheapest are single instructions. */
#define PV(name_, op_, arg_, batch_)               \
    do {                                           \
        samples_take(&samples, op_, arg_, batch_); \
        say_samples("hypercall.pv_" name_, 1);     \
    } while (0)

static int pv(char **argv)
{
    void *page = pages_alloc(1);

    (void)argv;
    if (!page)
        return 1;
    far_ahead = clock_now() + 1000 * NS_PER_S;
    __asm__("movq %%fs:0, %0" : "=r"(thread_pointer));
    PV("cli", pv_cli, NULL, 1000);
    PV("sti", pv_sti, NULL, 1000);
    PV("hlt", pv_hlt, NULL, 10);
    PV("in", pv_in, NULL, 100);
    PV("out", pv_out, &far_ahead, 100);
    PV("rdmsr", pv_rdmsr, NULL, 1000);
    PV("wrmsr", pv_wrmsr, &thread_pointer, 100);
    PV("invlpg", pv_invlpg, page, 1);
    PV("lidt", pv_lidt, NULL, 100);
    say("done\n");
    return 0;
}

static const struct job jobs[] = {
    { "calls", 0, calls }, { "send", 0, send }, { "ring", 0, ring },
    { "traps", 0, traps }, { "pv", 0, pv },
};

int main(int argc, char **argv)
{
    return job_run(jobs, sizeof(jobs) / sizeof(jobs[0]), argc, argv);
}
