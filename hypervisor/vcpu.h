/*
 * vCPUs: their life (vcpu_op), and what the hypervisor tells each of them in
 * its vcpu_info, its time area and its runstate area.
 *
 *   (none) → initialised → up ⇄ down
 *
 * vCPU 0 is up from the domain's first instruction. The others wait, without
 * running an instruction, until the guest gave them a first state
 * (VCPUOP_initialise) and raises them (VCPUOP_up). A vCPU that was lowered goes
 * on where it was.
 */
#ifndef RINGSIDE_VCPU_H
#define RINGSIDE_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "guest_access.h"
#include "xen_compat.h"

#define DOMAIN_MAX_VCPUS 8

struct domain;
struct emulated_cpu;

/* The state in which a vCPU executes its first instruction. */
struct vcpu_regs {
    uint64_t rip, rsp, rax, rcx, rdx, rbx, rbp, rsi, rdi;
};

struct vcpu {
    struct domain *domain;
    unsigned int id;
    bool initialised;
    bool up; /* as the guest wishes; it may be on its way */
    struct vcpu_regs entry;
    struct timer timer, periodic; /* clock.c */

    /* Areas that the guest registered; it has shared_info otherwise. */
    struct vcpu_info *info; /* in its RAM, pinned; NULL: shared_info */
    xen_pfn_t info_gfn;
    guest_addr_t time_area, runstate_area; /* 0: none */

    uint64_t cpus; /* processors it may run on, as bits; 0: any */
    uint64_t offline_ns, offline_since; /* not up: in all, and since when */
    struct vcpu_runstate_info runstate; /* as of system time runstate_at */
    uint64_t runstate_at;               /* 0: to be asked anew */
    uint64_t polled_calls;              /* hypercalls by mailbox */
    /* Of a native kernel (emulate/): its processor, and exits by trap; NULL:
     * the kernel is paravirtual. */
    struct emulated_cpu *emulated;
    uint64_t traps;

    /* A call that may be preempted (preempt.h). */
    unsigned int work;      /* units of cost in this run */
    unsigned int clock_due; /* the clock is read at that much work */
    uint64_t budget_end;    /* ticks of the TSC; 0: from the first reading */
    bool continued;         /* it is made again with these arguments: */
    uint64_t continuation[3];
    unsigned int nr;            /* the last call's */
    uint64_t call_ns;           /* its runs took as long */
    unsigned int sample_weight; /* calls for which it is timed (stats.h) */

    /* A process's call: its arguments' bytes; a guest address is an offset
     * into them. NULL: addresses are in the domain's memory. */
    uint8_t *space;
    size_t space_size;

    void *engine;
};

void vcpu_init(struct domain *d, unsigned int id);
/* The end of a domain: timers, pinned pages. May be called again. */
void vcpu_stop(struct vcpu *v);

struct rs_vcpu_info;
void vcpu_fill_info(struct vcpu *v, struct rs_vcpu_info *info);
/* cpus: bits, ~0: any. -EINVAL: none of them is there. */
int vcpu_pin(struct vcpu *v, uint64_t cpus);

/* What v did with its time until now. The caller is charged if the engine has
 * to be asked. */
void vcpu_runstate(struct vcpu *v, struct vcpu *caller,
                   struct vcpu_runstate_info *info);

/* Writes what v did with its time to the area that the guest registered, if it
 * did. The caller is charged if the engine has to be asked. */
void vcpu_publish_runstate(struct vcpu *v, struct vcpu *caller);

#endif
