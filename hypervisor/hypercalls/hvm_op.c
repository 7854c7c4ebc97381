/*
 * hvm_op: where a native kernel says which vector its event channels shall
 * have. A paravirtual one has the event callback instead.
 */
#include <errno.h>

#include "domain.h"
#include "emulate/emulate.h"
#include "hypercall.h"

long do_hvm_op(struct vcpu *v, const uint64_t args[6])
{
    struct xen_hvm_evtchn_upcall_vector op;

    if (!v->emulated || args[0] != HVMOP_set_evtchn_upcall_vector)
        return -ENOSYS;
    if (copy_from_guest(v, &op, guest_addr(args[1]), sizeof(op)))
        return -EFAULT;
    if (op.vcpu != v->id)
        return -ENOENT;
    return v->domain->host->emulate->set_upcall_vector(v, op.vector);
}
