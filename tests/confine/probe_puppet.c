/*
 * Mode "puppets": each vCPU does the system calls that the host puts into its
 * slot, one after the other, and nothing else. Their signals are blocked, so
 * that no code of the stub runs: what a vCPU has been told to change it
 * changes when the host says so, or never.
 */
#include "probe.h"

#include <stddef.h>

#define NR_RT_SIGRETURN "15"
#define NR_EPOLL_PWAIT2 441
#define FD_EPOLL        960

#define VCPUS 8
#define STACK 4096

/* The frame that the kernel reads in rt_sigreturn, from the stack pointer. */
struct frame {
    uint64_t flags, link;
    uint64_t stack[3];
    uint64_t regs[32]; /* struct sigcontext */
    uint64_t mask;
};

enum { SC_RDI = 8, SC_RSP = 15, SC_RIP = 16, SC_FLAGS = 17, SC_CS = 18 };

static void forge(struct frame *f, void (*fn)(unsigned long), unsigned long arg,
                  unsigned long stack)
{
    f->flags = 2 | 4;
    f->stack[1] = 2; /* SS_DISABLE: no signal stack either */
    f->regs[SC_RDI] = arg;
    f->regs[SC_RSP] = stack - 8;
    f->regs[SC_RIP] = (uint64_t)fn;
    f->regs[SC_FLAGS] = 0x202;
    f->regs[SC_CS] = 0x33 | 0x2bull << 48;
    f->mask = ~0ull;
}

_Noreturn void probe_run_deaf(void (*fn)(unsigned long), unsigned long arg,
                              unsigned long stack)
{
    static struct frame frames[VCPUS];
    struct frame *f = &frames[arg % VCPUS];

    forge(f, fn, arg, stack);
    __asm__ __volatile__("mov %0, %%rsp\n"
                         "mov $" NR_RT_SIGRETURN ", %%eax\n"
                         "syscall\n" ::"r"(f)
                         : "memory", "rax");
    __builtin_unreachable();
}

static long call(unsigned long nr, const volatile uint64_t *a)
{
    register unsigned long r10 __asm__("r10") = a[3];
    register unsigned long r8 __asm__("r8") = a[4];
    register unsigned long r9 __asm__("r9") = a[5];
    long ret;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
                           "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
    return ret;
}

static long call_by_int80(unsigned long nr)
{
    __asm__ __volatile__("int $0x80"
                         : "+a"(nr)
                         : "b"(0), "c"(0), "d"(0)
                         : "memory", "r8", "r9", "r10", "r11");
    return (long)nr;
}

/* Until the host wakes it, which adds a file of its own to the epoll set. */
static void sleep(unsigned long vcpu)
{
    static uint64_t event[VCPUS][2];
    const uint64_t args[6] = { FD_EPOLL + vcpu, (uint64_t)event[vcpu], 1 };

    call(NR_EPOLL_PWAIT2, args);
}

static void obey(unsigned long vcpu)
{
    volatile struct probe_slot *s = (struct probe_slot *)PROBE_SLOTS + vcpu;

    for (;;) {
        uint64_t asked = __atomic_load_n(&s->asked, __ATOMIC_ACQUIRE);

        if (asked == s->done) {
            sleep(vcpu);
            continue;
        }
        s->ret = s->int80 ? call_by_int80(s->nr) : call(s->nr, s->args);
        __atomic_store_n(&s->done, asked, __ATOMIC_RELEASE);
    }
}

_Noreturn void probe_puppet(unsigned long vcpu)
{
    static uint8_t stacks[VCPUS][STACK] __attribute__((aligned(16)));

    probe_run_deaf(obey, vcpu, (unsigned long)stacks[vcpu] + STACK);
}
