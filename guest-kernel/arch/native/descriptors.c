/*
 * The tables that a 64-bit kernel owes its processor: segments, the task whose
 * one use is to name stacks, and the gates (Intel SDM volume 3, chapters 3, 6
 * and 8).
 *
 * Interrupts and traps have a stack each. They do not use the one of whoever
 * was interrupted: below its end compilers keep data (the red zone), and a trap
 * may be about that very stack.
 */
#include <string.h>

#include "guest-kernel/arch/native/native.h"

#define CODE_SELECTOR 0x08u
#define TASK_SELECTOR 0x18u

#define SEGMENT_CODE 0x00af9b000000ffffull /* present, 64-bit, ring 0 */
#define SEGMENT_DATA 0x00cf93000000ffffull
#define TASK_TYPE    0x89ull

#define GATE_INTERRUPT 0x8e00ull /* present, clears the interrupt flag */
#define IST_INTERRUPTS 1u
#define IST_TRAPS      2u

#define VECTORS     64u
#define STACK_BYTES 32768u

struct task {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct task) == 104, "the processor's");

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern const struct {
    uint64_t vector, address;
} native_gates[]; /* entry.S */

static uint8_t stacks[2][STACK_BYTES] __attribute__((aligned(16)));
static struct task task;
static uint64_t segments[5] = { 0, SEGMENT_CODE, SEGMENT_DATA };
static uint64_t gates[VECTORS][2] __attribute__((aligned(16)));

static void load_task(void)
{
    uint64_t base = (uintptr_t)&task, limit = sizeof(task) - 1;

    task.ist[IST_INTERRUPTS - 1] = (uintptr_t)stacks[0] + STACK_BYTES - 64;
    task.ist[IST_TRAPS - 1] = (uintptr_t)stacks[1] + STACK_BYTES - 64;
    task.io_map = sizeof(task);
    segments[3] = limit | (base & 0xffffff) << 16 | TASK_TYPE << 40 |
                  (base >> 24 & 0xff) << 56;
    segments[4] = base >> 32;
    __asm__ __volatile__("ltr %w0" : : "r"(TASK_SELECTOR) : "memory");
}

static void set_gate(uint64_t vector, uint64_t to)
{
    uint64_t ist = vector < VECTOR_LINES ? IST_TRAPS : IST_INTERRUPTS;

    gates[vector][0] = (to & 0xffff) | CODE_SELECTOR << 16 | ist << 32 |
                       GATE_INTERRUPT << 32 | (to >> 16 & 0xffff) << 48;
    gates[vector][1] = to >> 32;
}

void descriptors_load(void)
{
    struct table gdt = { sizeof(segments) - 1, (uintptr_t)segments };
    struct table idt = { sizeof(gates) - 1, (uintptr_t)gates };

    for (unsigned int i = 0; native_gates[i].address; i++)
        set_gate(native_gates[i].vector, native_gates[i].address);
    __asm__ __volatile__("lgdt %0" : : "m"(gdt) : "memory");
    load_task();
    __asm__ __volatile__("lidt %0" : : "m"(idt) : "memory");
}
