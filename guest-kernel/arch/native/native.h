/*
 * Of the bare PC that arch/native runs on: its instructions, and what its files
 * share.
 */
#ifndef RINGSIDE_ARCH_NATIVE_H
#define RINGSIDE_ARCH_NATIVE_H

#include <stdint.h>

#include "xen_compat.h"

/* Vectors of interrupts: the timer is line 0 of the 8259, which is told to
 * begin here; the other is the event channels'. entry.S has their gates. */
#define VECTOR_LINES  32u
#define VECTOR_EVENTS 48u

#define VECTOR_GP 13u

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ __volatile__("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ __volatile__("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ __volatile__("wrmsr"
                         :
                         : "c"(msr), "a"((uint32_t)value),
                           "d"((uint32_t)(value >> 32))
                         : "memory");
}

/* (descriptors.c) Loads GDT, task register and IDT. */
void descriptors_load(void);

/* (timer.c) Line 0 of the interrupt controller was raised. */
void timer_interrupt(void);

#endif
