/*
 * The guest-visible side of two-level event channels: the words of
 * shared_info and vcpu_info that both ends update atomically
 * (<xen/xen.h>, struct shared_info). Shared by the core and by the stubs of
 * engines that deliver events inside the guest's own process.
 */
#ifndef RINGSIDE_EVTCHN_BITS_H
#define RINGSIDE_EVTCHN_BITS_H

#include <stdbool.h>

#include "xen_compat.h"

#define EVTCHN_WORD_BITS 64u

static inline void evtchn_bits_select(struct vcpu_info *vi, evtchn_port_t port)
{
    __atomic_fetch_or(&vi->evtchn_pending_sel, 1ul << (port / EVTCHN_WORD_BITS),
                      __ATOMIC_SEQ_CST);
    __atomic_store_n(&vi->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
}

static inline bool evtchn_bits_test(const xen_ulong_t *words,
                                    evtchn_port_t port)
{
    return __atomic_load_n(&words[port / EVTCHN_WORD_BITS], __ATOMIC_SEQ_CST) >>
               (port % EVTCHN_WORD_BITS) &
           1;
}

/* Marks a port pending; true if the vCPU must now be told. */
static inline bool evtchn_bits_raise(struct shared_info *si,
                                     struct vcpu_info *vi, evtchn_port_t port)
{
    unsigned int w = port / EVTCHN_WORD_BITS;
    xen_ulong_t bit = 1ul << (port % EVTCHN_WORD_BITS);

    if (__atomic_fetch_or(&si->evtchn_pending[w], bit, __ATOMIC_SEQ_CST) & bit)
        return false;
    if (evtchn_bits_test(si->evtchn_mask, port))
        return false;
    evtchn_bits_select(vi, port);
    return true;
}

static inline void evtchn_bits_clear(struct shared_info *si, evtchn_port_t port)
{
    __atomic_fetch_and(&si->evtchn_pending[port / EVTCHN_WORD_BITS],
                       ~(1ul << port % EVTCHN_WORD_BITS), __ATOMIC_SEQ_CST);
}

/* Clears the mask; a port that waited behind it is told now. */
static inline void evtchn_bits_unmask(struct shared_info *si,
                                      struct vcpu_info *vi, evtchn_port_t port)
{
    unsigned int w = port / EVTCHN_WORD_BITS;
    xen_ulong_t bit = 1ul << (port % EVTCHN_WORD_BITS);

    __atomic_fetch_and(&si->evtchn_mask[w], ~bit, __ATOMIC_SEQ_CST);
    if (evtchn_bits_test(si->evtchn_pending, port))
        evtchn_bits_select(vi, port);
}

#endif
