/*
 * sysctl and domctl (<xen/sysctl.h>, <xen/domctl.h>): Xen's doors for its
 * toolstack. Ours uses the control socket instead, so all that is here is what
 * a caller without privilege is told, and that there is nothing behind.
 */
#define __XEN_TOOLS__ 1
#include "xen_compat.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include <errno.h>

#include "domain.h"
#include "hypercall.h"

/* How the structures of both begin; `domain` is domctl's. */
struct head {
    uint32_t cmd, interface_version;
    domid_t domain;
};

static long refuse(const struct vcpu *v)
{
    return domain_is_privileged(v->domain) ? -ENOSYS : -EPERM;
}

long do_sysctl(struct vcpu *v, const uint64_t args[6])
{
    struct head op;

    if (copy_from_guest(v, &op, guest_addr(args[0]), sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    return refuse(v);
}

long do_domctl(struct vcpu *v, const uint64_t args[6])
{
    struct head op;

    if (copy_from_guest(v, &op, guest_addr(args[0]), sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (op.cmd != XEN_DOMCTL_createdomain &&
        op.cmd != XEN_DOMCTL_getdomaininfo &&
        !host_domain(v->domain->host, op.domain))
        return -ESRCH;
    return refuse(v);
}
