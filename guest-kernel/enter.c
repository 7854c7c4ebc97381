/*
 * Into the kernel and out of it: the lock with upcalls masked for a moment
 * only. See vcpu.h.
 */
#include "guest-kernel/upcall.h"

/*
 * Between the depth and the lock no handler may run: it would believe that
 * the lock is held, or wait for its own vCPU.
 */
void kernel_enter(void)
{
    struct vcpu *v = this_vcpu();
    bool was;

    if (!smp_active) {
        v->lock_depth++;
        return;
    }
    was = mask_only();
    kernel_lock_masked();
    if (!was)
        upcalls_unmask();
}

void kernel_leave(void)
{
    struct vcpu *v = this_vcpu();
    bool was;

    if (!smp_active) {
        v->lock_depth--;
        return;
    }
    was = mask_only();
    kernel_unlock_masked();
    if (!was)
        upcalls_unmask();
}
