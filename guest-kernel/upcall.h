/*
 * The upcall mask of this vCPU: the guest's "interrupts off".
 *
 * Event handlers run by upcall, which may interrupt any code at any
 * instruction. Data that a handler touches too is changed with upcalls masked,
 * which also takes the kernel's lock (vcpu.h), for handlers may run on other
 * vCPUs; for a few instructions at a time:
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

#include "guest-kernel/vcpu.h"
#include "xen_compat.h"

extern struct shared_info *shared_info;

static inline struct vcpu_info *this_vcpu_info(void)
{
    return this_vcpu()->info;
}

/* For the files of locks and vCPUs alone: the mask without the lock.
 * static inline bool mask_only(void); returns whether it was set before. */
#include "arch_irq.h"

/* Masks upcalls; returns whether they were masked before. */
static inline bool upcalls_mask(void)
{
    bool was = mask_only();

    kernel_lock_masked();
    return was;
}

/* (arch) Clears the mask alone, and delivers what became pending under it. */
void upcalls_unmask(void);

static inline void upcalls_restore(bool was)
{
    kernel_unlock_masked();
    if (!was)
        upcalls_unmask();
}

/* True while an event handler runs; blocking calls assert that it is not. */
bool in_upcall(void);

#endif
