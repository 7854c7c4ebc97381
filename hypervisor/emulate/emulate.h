/*
 * Trap-and-emulate: the machine that a kernel without hypercalls believes in.
 *
 * A native kernel (guest-kernel/arch/native) executes cli, hlt, out, lgdt as on
 * hardware. Outside of ring 0 each of them is a general protection fault; the
 * engine brings it here, to the hypervisor's side of the wall, with the
 * registers of that moment: it is decoded, carried out on the emulated
 * processor below, and the engine resumes the vCPU with the registers that are
 * left. Popek and Goldberg, "Formal requirements for virtualizable third
 * generation architectures" (CACM 17/7, 1974); docs/trap-and-emulate.md tells
 * what of x86 does not trap, and so is not here.
 *
 * The rooms:
 *   exit.c          one exit: what it was for, and what follows
 *   decode.c        bytes → instruction
 *   instructions.c  the table of instructions, and what each one does
 *   interrupts.c    interrupts and exceptions through the guest's IDT, iretq
 *   devices.c       a PC's interrupt controller, timer and serial port
 *   paging.c        the guest's page tables → what stands at its pages
 *
 * The processor: 64-bit mode, ring 0 alone, one vCPU, memory mapped one to one
 * (a page table can take a page away or make it read-only, not move it).
 */
#ifndef RINGSIDE_EMULATE_H
#define RINGSIDE_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

struct vcpu;

enum emulate_cause {
    EMULATE_TRAP,      /* regs->entry_vector, error_code; address */
    EMULATE_INTERRUPT, /* something may have become pending */
};

/* What the engine does before it resumes the vCPU with *regs. */
struct emulate_next {
    bool halted;       /* sleep until an event comes, or `deadline` */
    bool new_fs;       /* the FS base is to be fs_base */
    uint64_t fs_base;  /* of the guest */
    uint64_t deadline; /* system time of the next timer interrupt; 0: none */
};

/* What the rest of the hypervisor asks of it (rs_host.emulate, NULL in a build
 * without it). Only of a vCPU that has such a processor, v->emulated. */
struct emulate_ops {
    /* Gives v such a processor, as after reset by a boot loader: 64-bit mode,
     * interrupts off. 0 or -ENOMEM. */
    int (*open)(struct vcpu *v);
    /* What v sent to its serial port comes out; then nothing of it runs. May
     * be called again. */
    void (*stop)(struct vcpu *v);
    void (*close)(struct vcpu *v);

    /*
     * Carries out one exit of v. Registers of *regs that count: the general
     * ones, rip, rsp, rflags. What the kernel did wrong ends the domain
     * (domain_crash()). An instruction that is preempted is left at rip, to be
     * executed again.
     */
    struct emulate_next (*exit)(struct vcpu *v, enum emulate_cause cause,
                                uint64_t address, struct cpu_user_regs *regs);

    /* Holes became RAM again: all of each page shows, until the kernel looks
     * its tables up. */
    void (*populated)(struct vcpu *v, xen_pfn_t gfn, uint32_t pages);

    /* The vector of its event channels; -EINVAL: an exception has it. */
    long (*set_upcall_vector)(struct vcpu *v, unsigned int vector);
};

extern const struct emulate_ops emulate_ops;

#endif
