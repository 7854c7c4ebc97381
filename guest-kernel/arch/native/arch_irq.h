/*
 * The interrupt flag of a bare processor. See upcall.h, which includes this.
 *
 * What it was before is kept beside it, for `pushf` in ring 3 shows the host's
 * flag and `popf` changes nothing, both without a trap
 * (docs/trap-and-emulate.md): a kernel that relied on them would be wrong.
 */
#ifndef RINGSIDE_ARCH_IRQ_H
#define RINGSIDE_ARCH_IRQ_H

static inline bool mask_only(void)
{
    struct vcpu *v = this_vcpu();
    bool was = v->irqs_off;

    __asm__ __volatile__("cli" : : : "memory");
    v->irqs_off = true;
    return was;
}

#endif
