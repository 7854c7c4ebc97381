/*
 * The interrupt flag of a paravirtual kernel: a byte that it shares with the
 * hypervisor (<xen/xen.h>, struct vcpu_info). See upcall.h, which includes
 * this.
 */
#ifndef RINGSIDE_ARCH_IRQ_H
#define RINGSIDE_ARCH_IRQ_H

static inline bool mask_only(void)
{
    struct vcpu_info *v = this_vcpu_info();
    bool was = READ_ONCE(v->evtchn_upcall_mask);

    WRITE_ONCE(v->evtchn_upcall_mask, 1);
    barrier();
    return was;
}

#endif
