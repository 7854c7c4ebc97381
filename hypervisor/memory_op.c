/*
 * memory_op: what a guest asks about its memory (<xen/memory.h>).
 */
#include <errno.h>

#include "domain.h"

/* E820 types, from the ACPI specification, section 15. */
#define E820_RAM 1u

struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

/* A domid argument: oneself, or anyone for a privileged caller. */
static long about(struct vcpu *v, domid_t domid, struct domain **out)
{
    *out = domain_lookup(v->domain, domid);
    if (!*out)
        return -ESRCH;
    if (*out != v->domain && !domain_is_privileged(v->domain))
        return -EPERM;
    return 0;
}

static long op_reservation(struct vcpu *v, uint64_t cmd, guest_addr_t arg)
{
    struct domain *d;
    domid_t domid;
    long err;

    if (copy_from_guest(v, &domid, arg, sizeof(domid)))
        return -EFAULT;
    err = about(v, domid, &d);
    if (err)
        return err;
    if (cmd == XENMEM_maximum_gpfn)
        return (long)d->memory.nr_pages - 1;
    return cmd == XENMEM_current_reservation ? d->memory.tot_pages
                                             : d->memory.max_pages;
}

static long op_memory_map(struct vcpu *v, guest_addr_t arg)
{
    struct xen_memory_map op;
    struct e820_entry ram = {
        .addr = MEMORY_FIRST_GFN * PAGE_SIZE,
        .size = (uint64_t)(v->domain->memory.nr_pages - MEMORY_FIRST_GFN)
                << PAGE_SHIFT,
        .type = E820_RAM,
    };

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_entries < 1)
        return -EINVAL;
    op.nr_entries = 1;
    if (copy_to_guest(v, guest_addr((uintptr_t)op.buffer.p), &ram,
                      sizeof(ram)) ||
        copy_to_guest(v, arg, &op, sizeof(op)))
        return -EFAULT;
    return 0;
}

/* The hypervisor-owned page that a request names. */
static long own_page(struct domain *d, const struct xen_add_to_physmap *op,
                     uint32_t *index)
{
    switch (op->space) {
    case XENMAPSPACE_shared_info:
        *index = MEMORY_OWN_SHARED_INFO;
        return op->idx ? -EINVAL : 0;
    case XENMAPSPACE_grant_table:
        if (op->idx >= GRANT_MAX_FRAMES)
            return -EINVAL;
        *index = MEMORY_OWN_GRANT + (uint32_t)op->idx;
        return grant_grow(d, (uint32_t)op->idx + 1);
    default:
        return -EINVAL;
    }
}

static long op_add_to_physmap(struct vcpu *v, guest_addr_t arg)
{
    struct domain *d = v->domain;
    struct xen_add_to_physmap op;
    uint32_t index;
    uint64_t offset;
    long err;

    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.domid != DOMID_SELF && op.domid != d->domid)
        return -EPERM;
    err = own_page(d, &op, &index);
    if (err)
        return err;
    err = memory_set_own(d, op.gpfn, index);
    if (err)
        return err;
    offset = (uint64_t)(d->memory.nr_pages + index) << PAGE_SHIFT;
    err = d->ops->physmap_set(v, op.gpfn, 1, d->memory.fd, offset, 1, NULL, 0);
    if (err)
        memory_clear(d, op.gpfn);
    return err;
}

/* HYPERVISOR_memory_op(cmd, arg). */
long do_memory_op(struct vcpu *v, const uint64_t args[6])
{
    guest_addr_t arg = guest_addr(args[1]);

    switch (args[0]) {
    case XENMEM_maximum_ram_page:
        return (long)(v->domain->host->budget_pages);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return op_reservation(v, args[0], arg);
    case XENMEM_memory_map:
        return v->domain->is_process ? -ENOSYS : op_memory_map(v, arg);
    case XENMEM_add_to_physmap:
        return v->domain->is_process ? -ENOSYS : op_add_to_physmap(v, arg);
    default:
        return -ENOSYS;
    }
}
