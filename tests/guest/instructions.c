/*
 * The native kernel's processor, from inside: what each privileged instruction
 * does in mode trap. (There is no such test for the paravirtual kernel: none of
 * them would come back.)
 */
#include <ringside/guest.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/upcall.h"
#include "tests/guest/tap.h"

#define MSR_TSC     0x10u
#define MSR_FS_BASE 0xc0000100u
#define MSR_EFER    0xc0000080u
#define EFER_LMA    0x400u
#define CR0_TS      8ul
#define CR0_PE_PG   0x80000001ul

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ __volatile__("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ __volatile__("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void outb(uint16_t port, uint8_t v)
{
    __asm__ __volatile__("outb %0, %1" : : "a"(v), "Nd"(port));
}

static uint64_t read_cr(int n)
{
    uint64_t v = 0;

    if (n == 0)
        __asm__ __volatile__("mov %%cr0, %0" : "=r"(v));
    else if (n == 3)
        __asm__ __volatile__("mov %%cr3, %0" : "=r"(v));
    else
        __asm__ __volatile__("mov %%cr4, %0" : "=r"(v));
    return v;
}

static void write_cr0(uint64_t v)
{
    __asm__ __volatile__("mov %0, %%cr0" : : "r"(v));
}

/* A sleep while interrupts are on: the timer ends it. */
static bool time_passes(void)
{
    uint64_t start = clock_now();

    rs_sleep(3 * NS_PER_MS);
    return clock_now() - start >= 3 * NS_PER_MS;
}

/* Longer than the timer's 16 bits of counting. */
static bool much_time_passes(void)
{
    uint64_t start = clock_now();

    rs_sleep(130 * NS_PER_MS);
    return clock_now() - start >= 130 * NS_PER_MS;
}

static bool flag_is_kept(void)
{
    const struct vcpu_info *v = this_vcpu_info();
    bool off, on;

    __asm__ __volatile__("cli" : : : "memory");
    off = READ_ONCE(v->evtchn_upcall_mask);
    __asm__ __volatile__("sti" : : : "memory");
    on = !READ_ONCE(v->evtchn_upcall_mask);
    return off && on;
}

static bool ts_is_kept(void)
{
    uint64_t was = read_cr(0);
    bool set;

    write_cr0(was | CR0_TS);
    set = read_cr(0) & CR0_TS;
    __asm__ __volatile__("clts");
    return set && !(read_cr(0) & CR0_TS);
}

static bool tsc_is_the_machines(void)
{
    uint64_t before = clock_tsc(), told = rdmsr(MSR_TSC), after = clock_tsc();

    return before <= told && told <= after;
}

int main(void)
{
    uint64_t fs;

    plan(12);
    point(flag_is_kept(), "cli and sti change the interrupt flag");
    __asm__ __volatile__("mov %%fs:0, %0" : "=r"(fs));
    point(rdmsr(MSR_FS_BASE) == fs, "rdmsr tells the thread pointer");
    point(rdmsr(MSR_EFER) & EFER_LMA, "64-bit mode is on");
    point(tsc_is_the_machines(), "rdmsr tells the time stamp counter");
    point((read_cr(0) & CR0_PE_PG) == CR0_PE_PG,
          "protection and paging are on");
    point(read_cr(3) != 0 && read_cr(3) % 4096 == 0, "cr3 is ours");
    point(read_cr(4) & 0x20, "cr4 has physical address extension");
    point(ts_is_kept(), "mov to cr0 and clts");
    point(inb(0x80) == 0xff, "nothing is on port 0x80");
    outb(0x3fb, 0x1b);
    point(inb(0x3fb) == 0x1b, "the serial port keeps its line control");
    outb(0x3fb, 0x03);
    point(time_passes(), "the timer's interrupt ends a hlt");
    point(much_time_passes(), "and comes again while it counts too little");
    return done();
}
