/*
 * The emulated machine, among the rooms of hypervisor/emulate.
 */
#ifndef RINGSIDE_EMULATE_MACHINE_H
#define RINGSIDE_EMULATE_MACHINE_H

#include "domain.h"
#include "emulate.h"

/* What a ring-0 kernel is told of its segments: it cannot see them itself. */
#define KERNEL_CS 0x08u
#define KERNEL_SS 0x10u

#define FLAG_FIXED 0x2u
#define FLAG_TF    0x100u
#define FLAG_IF    0x200u
#define FLAG_NT    0x4000u
#define FLAG_RF    0x10000u
#define FLAG_AC    0x40000u
/* CF PF AF ZF SF DF OF and ID: what a program may change without harm. */
#define FLAGS_FREE 0x200cd5u

#define VECTOR_UD 6u
#define VECTOR_GP 13u
#define VECTOR_PF 14u
#define VECTORS   256u

struct table_register {
    uint16_t limit;
    uint64_t base;
};

/* The first 8259; the second is not there. */
struct pic {
    unsigned int init; /* which ICW comes next; 0: none */
    uint8_t first;     /* ICW 1: which ones follow */
    uint8_t base;      /* vector of IRQ 0 */
    uint8_t mask, request, service;
};

/* Channel 0 of an 8254. */
struct pit {
    uint8_t access, mode;
    bool high_next, low_read; /* of a count in two bytes */
    uint8_t low;
    bool latched;
    uint16_t latch;
    uint64_t at, period; /* system time of the interrupt; 0: stopped */
};

/* The transmitter of a 16550. */
struct uart {
    uint8_t line_control;
    unsigned int n;
    char text[128];
};

struct emulated_cpu {
    bool halted;
    struct table_register gdt, idt;
    uint64_t tss; /* base; 0: none loaded */
    uint64_t cr0, cr2, cr3, cr4, efer, fs_base;
    bool new_fs;
    uint8_t upcall_vector; /* HVMOP_set_evtchn_upcall_vector; 0: none */
    struct pic pic;
    struct pit pit;
    struct uart uart;
    uint8_t *shown;    /* per RAM page: enum shown (paging.c) */
    xen_pfn_t loading; /* mov to cr3 goes on at this page; 0: from the start */
};

/* ---- decode.c ---- */

#define INSN_MAX 15

struct insn {
    uint8_t bytes[INSN_MAX];
    unsigned int available; /* of them */
    unsigned int length;
    bool two_byte, wide; /* 0F map; REX.W */
    bool operand16;
    uint8_t opcode;
    uint8_t mod, reg, rm; /* with the REX bits, if there is a ModRM byte */
    uint64_t address;     /* of the memory operand: mod is not 3 */
    uint8_t imm;
};

enum operands { OP_NONE, OP_IMM8, OP_MODRM };

/* Prefixes and opcode. False: not within the available bytes. */
bool insn_begin(struct insn *i);
/* What follows the opcode; ModRM's reg can be had before by insn_peek_reg(). */
bool insn_finish(struct insn *i, enum operands operands,
                 const struct cpu_user_regs *regs);
/* The byte behind the opcode; -1: not available. */
int insn_peek(const struct insn *i);

/* Register number n (0 rax, 1 rcx … 15 r15) of *regs. */
uint64_t *insn_register(struct cpu_user_regs *regs, unsigned int n);

/* ---- instructions.c ---- */

enum outcome {
    DONE,    /* carried out: rip goes on behind it */
    MOVED,   /* carried out, rip included */
    AGAIN,   /* not finished: to be executed once more */
    REFUSED, /* the processor's own answer: #GP */
    UNKNOWN, /* not in the table, or not with these operands */
};

/* The instruction at regs->rip, which faulted. */
enum outcome emulate_instruction(struct vcpu *v, struct cpu_user_regs *regs);

/* ---- interrupts.c ---- */

/* The interrupt flag: the mask in vcpu_info, so that the engine sees it too. */
void set_irqs(struct vcpu *v, bool on);
bool irqs_on(struct vcpu *v);
/* Through the IDT; a kernel that cannot take it is ended. */
void deliver_trap(struct vcpu *v, struct cpu_user_regs *regs,
                  unsigned int vector, uint32_t error);
/* The most urgent interrupt, if one is due and may come. */
void deliver_interrupt(struct vcpu *v, struct cpu_user_regs *regs);
enum outcome return_from_interrupt(struct vcpu *v, struct cpu_user_regs *regs);
enum outcome load_task(struct vcpu *v, uint16_t selector);

/* ---- devices.c ---- */

void devices_reset(struct emulated_cpu *c);
uint8_t port_read(struct vcpu *v, uint16_t port);
void port_write(struct vcpu *v, uint16_t port, uint8_t value);
/* An interrupt line that is up and not masked: its vector; -1: none. */
int pic_pending(struct vcpu *v);
/* The processor takes the one that pic_pending() returned. */
void pic_accept(struct vcpu *v);
/* System time of the next timer interrupt that would be delivered; 0: none. */
uint64_t devices_deadline(const struct emulated_cpu *c);
/* What was sent and has no end of line yet. */
void uart_flush(struct vcpu *v);

/* ---- paging.c ---- */

enum outcome paging_load(struct vcpu *v, uint64_t cr3);
void paging_populated(struct vcpu *v, xen_pfn_t gfn, uint32_t pages);
enum outcome paging_flush_page(struct vcpu *v, uint64_t address);

#endif
