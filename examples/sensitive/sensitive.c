/*
 * Why x86 could not be virtualized by trap-and-emulate alone, live.
 *
 * Popek and Goldberg (CACM 17/7, 1974): a machine can be if every instruction
 * that touches the state of the processor (is sensitive) traps outside of the
 * most privileged mode (is privileged). On x86 some are sensitive and do not
 * trap: a kernel that uses them in ring 3 gets the host's state or no effect,
 * and is not told. This guest executes each, as a kernel would, and then what a
 * paravirtual kernel has instead.
 *
 *     ringside run sensitive.elf               (the patched kernel)
 *     ringside run --mode=trap sensitive.elf   (its native twin)
 */
#include <ringside/guest.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "guest-kernel/upcall.h"

#define FLAG_IF 0x200u

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* A guest's memory ends long before that. */
static bool is_ours(uint64_t address)
{
    return address < 1ull << 40;
}

static uint64_t flags(void)
{
    uint64_t f;

    __asm__ __volatile__("pushfq; popq %0" : "=r"(f));
    return f;
}

/* ---- each tells what it got, and whether that is what a kernel means ---- */

static bool try_pushf(char *got, size_t n)
{
    bool was = upcalls_mask(), says_on = flags() & FLAG_IF;

    upcalls_restore(was);
    snprintf(got, n, "IF=%d, the host's", says_on);
    return !says_on;
}

static bool try_popf(char *got, size_t n)
{
    bool on;

    __asm__ __volatile__("pushq %0; popfq" : : "r"(flags() & ~FLAG_IF) : "cc");
    on = flags() & FLAG_IF;
    snprintf(got, n, "IF=%d still", on);
    return !on;
}

/* To itself, with the flag off in the frame. */
static bool try_iretq(char *got, size_t n)
{
    bool on;

    __asm__ __volatile__("movq %%rsp, %%rax; movl %%ss, %%ecx\n\t"
                         "pushq %%rcx; pushq %%rax; pushfq\n\t"
                         "andq $~0x200, (%%rsp)\n\t"
                         "movl %%cs, %%ecx; pushq %%rcx\n\t"
                         "leaq 1f(%%rip), %%rax; pushq %%rax; iretq\n"
                         "1:"
                         :
                         :
                         : "rax", "rcx", "cc", "memory");
    on = flags() & FLAG_IF;
    snprintf(got, n, "IF=%d still", on);
    return !on;
}

static bool try_sgdt(char *got, size_t n)
{
    struct table t = { 0, 0 };

    __asm__ __volatile__("sgdt %0" : "=m"(t));
    snprintf(got, n, "%#llx", (unsigned long long)t.base);
    return is_ours(t.base);
}

static bool try_sidt(char *got, size_t n)
{
    struct table t = { 0, 0 };

    __asm__ __volatile__("sidt %0" : "=m"(t));
    snprintf(got, n, "%#llx", (unsigned long long)t.base);
    return is_ours(t.base);
}

/* This kernel's task register holds 0x18 (arch/native), its LDT none. */
static bool try_str(char *got, size_t n)
{
    uint64_t v = 0;

    __asm__ __volatile__("str %0" : "=r"(v));
    snprintf(got, n, "%#llx", (unsigned long long)v);
    return v == 0x18;
}

/* Right by luck: neither this kernel nor the host has one. */
static bool try_sldt(char *got, size_t n)
{
    uint64_t v = 0;

    __asm__ __volatile__("sldt %0" : "=r"(v));
    snprintf(got, n, "%#llx", (unsigned long long)v);
    return v == 0;
}

#ifdef RINGSIDE_NATIVE
#define CR0_TS 8ul

/* What this kernel has just set. (A paravirtual one has no such register.) */
static bool try_smsw(char *got, size_t n)
{
    uint64_t cr0, v = 0;

    __asm__ __volatile__("mov %%cr0, %0" : "=r"(cr0));
    __asm__ __volatile__("mov %0, %%cr0" : : "r"(cr0 | CR0_TS));
    __asm__ __volatile__("smsw %0" : "=r"(v));
    __asm__ __volatile__("clts");
    snprintf(got, n, "TS=%d", (v & CR0_TS) != 0);
    return v & CR0_TS;
}
#endif

static bool try_cs(char *got, size_t n)
{
    unsigned int cs;

    __asm__ __volatile__("movl %%cs, %0" : "=r"(cs));
    snprintf(got, n, "ring %u", cs & 3);
    return (cs & 3) == 0;
}

static const struct {
    const char *insn, *meaning;
    bool (*try)(char *got, size_t n);
    const char *instead;
} rows[] = {
    { "pushf", "are interrupts on? (they are off)", try_pushf,
      "read vcpu_info.evtchn_upcall_mask" },
    { "popf", "interrupts off", try_popf,
      "write vcpu_info.evtchn_upcall_mask" },
    { "iretq", "return, with interrupts off", try_iretq,
      "write the mask, then return" },
    { "sgdt", "where is my GDT?", try_sgdt, "remember it" },
    { "sidt", "where is my IDT?", try_sidt, "HYPERVISOR_set_trap_table" },
    { "str", "my task register", try_str, "the hypervisor's stacks" },
    { "sldt", "my LDT (none)", try_sldt, "remember it" },
#ifdef RINGSIDE_NATIVE
    { "smsw", "my cr0, where I have set TS", try_smsw, "remember it" },
#endif
    { "mov %cs", "my ring", try_cs, "a guest knows" },
};

/* The paravirtual way to turn the flag off, and to see that it is. */
static bool replacement_is_right(void)
{
    bool was = upcalls_mask();
    bool masked = READ_ONCE(this_vcpu_info()->evtchn_upcall_mask);

    upcalls_restore(was);
    return masked && !READ_ONCE(this_vcpu_info()->evtchn_upcall_mask);
}

int main(void)
{
    unsigned int wrong = 0, n = sizeof(rows) / sizeof(rows[0]);
    char got[32];

    printf("%-8s %-34s %-22s %s\n", "executed", "a kernel means", "and gets",
           "instead");
    for (unsigned int i = 0; i < n; i++) {
        bool right = rows[i].try(got, sizeof(got));

        wrong += !right;
        printf("%-8s %-34s %-22s %s\n", rows[i].insn, rows[i].meaning, got,
               rows[i].instead);
    }
    printf("%u of %u were silently wrong: no trap, no emulation, no report\n",
           wrong, n);
    printf("the interrupt flag by this kernel's own means: %s\n",
           replacement_is_right() ? "right" : "wrong");
    return 0;
}
