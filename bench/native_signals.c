/*
 * Baselines: what Linux makes of a trap or of a timer, as a signal. The
 * handler changes the registers and returns, as a monitor's would.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "figures.h"
#include "machine.h"

#define PAGE     4096u
#define AHEAD_NS 50000u

static struct samples samples;

/* Goes on where the code that trapped left in rbx. */
static void step_over(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig;
    (void)info;
    uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_RBX];
}

/* cli is not for programs. */
static void protection_fault(void *arg)
{
    (void)arg;
    __asm__ __volatile__("leaq 1f(%%rip), %%rbx\n\t"
                         "cli\n"
                         "1:" ::
                             : "rbx", "memory");
}

static void page_fault(void *addr)
{
    __asm__ __volatile__("leaq 1f(%%rip), %%rbx\n\t"
                         "movb (%0), %%cl\n"
                         "1:"
                         :
                         : "r"(addr)
                         : "rbx", "rcx", "memory");
}

static void measure_traps(void)
{
    struct sigaction sa = { .sa_sigaction = step_over,
                            .sa_flags = SA_SIGINFO | SA_NODEFER },
                     old;
    void *page =
        mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || sigaction(SIGSEGV, &sa, &old))
        return;
    samples_take(&samples, protection_fault, NULL, 1);
    figure_add_samples("native.gp_signal", &samples);
    samples_take(&samples, page_fault, page, 1);
    figure_add_samples("native.fault_signal", &samples);
    sigaction(SIGSEGV, &old, NULL);
    munmap(page, PAGE);
}

static volatile sig_atomic_t rang;

static void ring(int sig)
{
    (void)sig;
    rang = 1;
}

/* Ticks from the deadline until the handler has run and returned. */
static uint64_t wait_for_timer(void *arg)
{
    timer_t timer = *(timer_t *)arg;
    uint64_t deadline = bench_now() + AHEAD_NS;
    struct itimerspec its = { .it_value = { (time_t)(deadline / 1000000000u),
                                            (long)(deadline % 1000000000u) } };

    rang = 0;
    if (timer_settime(timer, TIMER_ABSTIME, &its, NULL))
        return 0;
    while (!rang)
        ;
    return (uint64_t)((double)(bench_now() - deadline) * machine()->tsc_mhz /
                      1e3);
}

static void measure_timer(void)
{
    struct sigaction sa = { .sa_handler = ring }, old;
    timer_t timer;

    if (sigaction(SIGALRM, &sa, &old))
        return;
    if (timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0) {
        samples_take_told(&samples, wait_for_timer, &timer);
        figure_add_samples("native.timer_signal", &samples);
        timer_delete(timer);
    }
    sigaction(SIGALRM, &old, NULL);
}

void native_signals(void)
{
    measure_traps();
    measure_timer();
}
