/*
 * The upcall mask of this vCPU: the guest's "interrupts off".
 *
 * Event handlers run by upcall, which may interrupt any code at any
 * instruction. Data that a handler touches too is changed with upcalls masked,
 * for a few instructions at a time:
 *
 *     bool was = upcalls_mask();
 *     ...
 *     upcalls_restore(was);
 *
 * Pairs nest. In a handler upcalls are masked already, and the pair is
 * harmless. Never block between them.
 */
#ifndef RINGSIDE_GUEST_UPCALL_H
#define RINGSIDE_GUEST_UPCALL_H

#include <stdbool.h>

#include "xen_compat.h"

extern struct shared_info *shared_info;

/* This vCPU's part of shared_info; the only place that names a vCPU number. */
static inline struct vcpu_info *this_vcpu_info(void)
{
    return &shared_info->vcpu_info[0];
}

/* Masks upcalls; returns whether they were masked before. */
static inline bool upcalls_mask(void)
{
    struct vcpu_info *v = this_vcpu_info();
    bool was = READ_ONCE(v->evtchn_upcall_mask);

    WRITE_ONCE(v->evtchn_upcall_mask, 1);
    barrier();
    return was;
}

/*
 * Clears the mask, and delivers what became pending under it (here, without a
 * hypercall). An event that comes after the last look finds the mask clear and
 * is upcalled by the engine. Partner of the barrier: the engine sets
 * evtchn_upcall_pending before it tests the mask.
 */
void upcalls_unmask(void);

static inline void upcalls_restore(bool was)
{
    if (!was)
        upcalls_unmask();
}

/* True while an event handler runs; blocking calls assert that it is not. */
bool in_upcall(void);

#endif
