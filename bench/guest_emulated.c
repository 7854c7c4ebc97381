/*
 * The other half of the pairs (guest_calls.c): what each privileged
 * instruction takes when it traps and is emulated. Built as a native twin
 * only: bench/guest_emulated.native.elf, for mode trap.
 *
 *   emulated         "hypercall.emulated_X" of every instruction
 *   stub             "hypercall.in_stub_X", of those that the stub decodes in
 *                    mode trap-stub
 *
 * To add an instruction: its function and its line here, the operation that
 * stands for it in guest_calls.c, and both figures in figures.c.
 */
#include <ringside/guest.h>

#include "bench/guest_job.h"
#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/upcall.h"

#define MSR_FS_BASE 0xc0000100u
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_ONCE    0x30u

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void op_cli(void *arg)
{
    (void)arg;
    __asm__ __volatile__("cli" : : : "memory");
}

static void op_sti(void *arg)
{
    (void)arg;
    __asm__ __volatile__("sti" : : : "memory");
}

/* As in guest_calls.c. The interrupt is taken and returned from: iretq traps,
 * as cli and sti do. */
static void op_hlt(void *arg)
{
    (void)arg;
    mask_only();
    WRITE_ONCE(this_vcpu_info()->evtchn_upcall_pending, 1);
    arch_wait();
}

static void op_in(void *arg)
{
    (void)arg;
    in8(PIT_COUNTER);
}

/* One of the three that set the timer. */
static void op_out(void *arg)
{
    (void)arg;
    out8(PIT_CONTROL, PIT_ONCE);
}

static void op_rdmsr(void *arg)
{
    uint32_t low, high;

    (void)arg;
    __asm__ __volatile__("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_FS_BASE));
}

static void op_wrmsr(void *base)
{
    write_msr(MSR_FS_BASE, (uintptr_t)base);
}

/* A page's access is taken, and given back the next time: its entry in the
 * page table, and invlpg. */
static void op_invlpg(void *page)
{
    static bool guarded;

    guarded = !guarded;
    if (guarded)
        page_guard(page);
    else
        page_unguard(page);
}

static void op_mov_cr3(void *table)
{
    __asm__ __volatile__("mov %0, %%cr3" : : "r"(table) : "memory");
}

static void op_lgdt(void *table)
{
    __asm__ __volatile__("lgdt %0" : : "m"(*(struct table *)table) : "memory");
}

static void op_lidt(void *table)
{
    __asm__ __volatile__("lidt %0" : : "m"(*(struct table *)table) : "memory");
}

static void measure(const char *name, void (*op)(void *), void *arg)
{
    samples_take(&samples, op, arg, 1);
    say_samples(name, 1);
}

/*
 * Descriptor tables that nobody can use: interrupts are off until the kernel's
 * own are back.
 */
static void measure_tables(void)
{
    struct table none = { 0, 0 };

    op_cli(NULL);
    measure("hypercall.emulated_lgdt", op_lgdt, &none);
    measure("hypercall.emulated_lidt", op_lidt, &none);
    descriptors_load();
    op_sti(NULL);
}

static int emulated(char **argv)
{
    void *page = pages_alloc(1), *thread, *tables;

    (void)argv;
    if (!page)
        return 1;
    __asm__("movq %%fs:0, %0" : "=r"(thread));
    __asm__ __volatile__("mov %%cr3, %0" : "=r"(tables));
    measure("hypercall.emulated_cli", op_cli, NULL);
    measure("hypercall.emulated_sti", op_sti, NULL);
    measure("hypercall.emulated_hlt", op_hlt, NULL);
    measure("hypercall.emulated_in", op_in, NULL);
    measure("hypercall.emulated_out", op_out, NULL);
    measure("hypercall.emulated_rdmsr", op_rdmsr, NULL);
    measure("hypercall.emulated_wrmsr", op_wrmsr, thread);
    measure("hypercall.emulated_invlpg", op_invlpg, page);
    measure("hypercall.emulated_mov_cr3", op_mov_cr3, tables);
    measure_tables();
    say("done\n");
    return 0;
}

static int stub(char **argv)
{
    (void)argv;
    measure("hypercall.in_stub_cli", op_cli, NULL);
    measure("hypercall.in_stub_sti", op_sti, NULL);
    say("done\n");
    return 0;
}

static const struct job jobs[] = {
    { "emulated", 0, emulated },
    { "stub", 0, stub },
};

int main(int argc, char **argv)
{
    return job_run(jobs, sizeof(jobs) / sizeof(jobs[0]), argc, argv);
}
