/*
 * grant_table_op: what domains ask about grants (<xen/grant_table.h>). The
 * sub-operations are those that Xen allows guests with autotranslated memory.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "domain.h"
#include "hypercall.h"
#include "preempt.h"

/* ---- map and unmap ---- */

/* The mapper chose a frame of its aperture. */
static int16_t show_at_frame(struct vcpu *v, const struct grant_map *m)
{
    struct domain *d = v->domain;
    struct domain *g = host_domain(d->host, m->granter);
    xen_pfn_t gfn = m->host_addr >> PAGE_SHIFT;

    if ((m->host_addr & ~PAGE_MASK) ||
        memory_set_foreign(d, gfn, m->granter, m->owner_gfn, m->readonly))
        return GNTST_bad_virt_addr;
    if (d->ops->physmap_set(v, gfn, 1, g->memory.fd, m->owner_gfn << PAGE_SHIFT,
                            !m->readonly, NULL, 0)) {
        memory_clear(d, gfn);
        return GNTST_no_device_space;
    }
    return GNTST_okay;
}

static long op_map(struct vcpu *v, void *arg)
{
    struct gnttab_map_grant_ref *op = arg;
    struct domain *d = v->domain;
    bool readonly = op->flags & GNTMAP_readonly;
    struct grant_map *m;
    grant_handle_t handle;
    xen_pfn_t gfn;

    op->handle = ~0u;
    op->dev_bus_addr = 0;
    if ((op->flags & ~(uint32_t)GNTMAP_readonly) != GNTMAP_host_map) {
        op->status = op->flags & (GNTMAP_host_map | GNTMAP_device_map)
                         ? GNTST_general_error
                         : GNTST_bad_gntref;
        return 0;
    }
    op->status = grant_take_map(d, op->dom, op->ref, readonly, op->host_addr,
                                &handle, &gfn);
    if (op->status)
        return 0;
    m = grant_map_of(d, handle);
    if (!d->ops->grant_open)
        op->status = show_at_frame(v, m);
    else if (d->ops->grant_open(v, host_domain(d->host, m->granter), gfn,
                                readonly, &op->dev_bus_addr))
        op->status = GNTST_no_device_space;
    if (op->status)
        grant_release_map(d, handle);
    else
        op->handle = handle;
    return 0;
}

/* The engine has certainly removed the page: the grant may be ended. */
static void gone(struct vcpu *v, uint64_t handle)
{
    struct grant_map *m = grant_map_of(v->domain, (grant_handle_t)handle);

    memory_clear(v->domain, m->host_addr >> PAGE_SHIFT);
    grant_release_map(v->domain, (grant_handle_t)handle);
}

static long op_unmap(struct vcpu *v, void *arg)
{
    struct gnttab_unmap_grant_ref *op = arg;
    struct domain *d = v->domain;
    struct grant_map *m = grant_map_of(d, op->handle);

    op->status = GNTST_okay;
    if (!m || m->closing) {
        op->status = GNTST_bad_handle;
    } else if (d->ops->grant_close) {
        if (d->ops->grant_close(v, host_domain(d->host, m->granter),
                                m->owner_gfn, m->readonly))
            op->status = GNTST_general_error;
        else
            grant_release_map(d, op->handle);
    } else if (!op->host_addr) {
        return 0; /* as in Xen: it names no mapping to end */
    } else if (op->host_addr != m->host_addr) {
        op->status = GNTST_general_error;
    } else {
        m->closing = true;
        if (d->ops->physmap_set(v, m->host_addr >> PAGE_SHIFT, 1, -1, 0, 0,
                                gone, op->handle)) {
            m->closing = false;
            op->status = GNTST_general_error;
        }
    }
    return 0;
}

/* ---- copy and swap ---- */

/* The domain that one side of a copy names; only one's own memory may be named
 * by frame. */
static int16_t side_domain(struct vcpu *v, const struct gnttab_copy_ptr *p,
                           bool by_ref, struct domain **out)
{
    if (!by_ref && p->domid != DOMID_SELF)
        return GNTST_permission_denied;
    *out = domain_lookup(v->domain, p->domid);
    return *out ? GNTST_okay : GNTST_bad_domain;
}

static int16_t side_frame(struct vcpu *v, const struct gnttab_copy_ptr *p,
                          bool by_ref, struct domain *owner, bool readonly,
                          xen_pfn_t *gfn)
{
    if (by_ref)
        return grant_acquire(owner, p->u.ref, v->domain->domid, readonly, gfn);
    *gfn = p->u.gmfn;
    return memory_is_ram(owner, *gfn) ? GNTST_okay : GNTST_bad_page;
}

static int16_t copy_bytes(const struct gnttab_copy *op, struct domain *sd,
                          xen_pfn_t from, struct domain *dd, xen_pfn_t to)
{
    bool writable;

    if (op->source.offset + op->len > PAGE_SIZE ||
        op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    memmove((uint8_t *)memory_frame(dd, to, &writable) + op->dest.offset,
            (uint8_t *)memory_frame(sd, from, &writable) + op->source.offset,
            op->len);
    return GNTST_okay;
}

/* The checks are in Xen's order, so that its errors win among several. */
static long op_copy(struct vcpu *v, void *arg)
{
    struct gnttab_copy *op = arg;
    bool src_ref = op->flags & GNTCOPY_source_gref;
    bool dst_ref = op->flags & GNTCOPY_dest_gref;
    struct domain *sd, *dd;
    xen_pfn_t from, to;

    op->status = side_domain(v, &op->source, src_ref, &sd);
    if (!op->status)
        op->status = side_domain(v, &op->dest, dst_ref, &dd);
    if (!op->status)
        op->status = side_frame(v, &op->source, src_ref, sd, true, &from);
    if (op->status)
        return 0;
    op->status = side_frame(v, &op->dest, dst_ref, dd, false, &to);
    if (!op->status) {
        op->status = copy_bytes(op, sd, from, dd, to);
        if (dst_ref)
            grant_release(dd, op->dest.u.ref, false);
    }
    if (src_ref)
        grant_release(sd, op->source.u.ref, true);
    return 0;
}

static long op_swap(struct vcpu *v, void *arg)
{
    struct gnttab_swap_grant_ref *op = arg;

    op->status = grant_swap(v->domain, op->ref_a, op->ref_b);
    return 0;
}

/* ---- the table's size and version ---- */

/* Whose table a request is about; others' only for the toolstack. */
static int16_t table_of(struct vcpu *v, domid_t domid, struct domain **out)
{
    *out = domain_lookup(v->domain, domid);
    if (!*out)
        return GNTST_bad_domain;
    return *out == v->domain || domain_is_privileged(v->domain)
               ? GNTST_okay
               : GNTST_permission_denied;
}

/*
 * The frames are shown by XENMEM_add_to_physmap, so the list that is answered
 * has no numbers of an autotranslated guest's own: -1 each, as Xen's for
 * frames that are not in the physmap.
 */
static long op_setup(struct vcpu *v, void *arg)
{
    const xen_pfn_t none = ~(xen_pfn_t)0;
    struct gnttab_setup_table *op = arg;
    struct domain *d;

    op->status = table_of(v, op->dom, &d);
    if (!op->status && (d->is_process || grant_grow(d, op->nr_frames)))
        op->status = GNTST_general_error;
    if (!op->status)
        preempt_charge(v, op->nr_frames);
    for (uint32_t i = 0; !op->status && i < op->nr_frames; i++)
        if (copy_to_guest(v,
                          guest_elem(guest_addr((uintptr_t)op->frame_list.p), i,
                                     sizeof(none)),
                          &none, sizeof(none)))
            op->status = GNTST_bad_virt_addr;
    return 0;
}

static long op_query(struct vcpu *v, void *arg)
{
    struct gnttab_query_size *op = arg;
    struct domain *d;

    op->status = table_of(v, op->dom, &d);
    if (!op->status) {
        op->nr_frames = d->grants.nr_frames;
        op->max_nr_frames = GRANT_MAX_FRAMES;
    }
    return 0;
}

/* The answers of a Xen that was told to offer version 1 only. */
static long op_set_version(struct vcpu *v, void *arg)
{
    struct gnttab_set_version *op = arg;
    uint32_t asked = op->version;

    (void)v;
    op->version = 1;
    return asked == 1 ? 0 : asked == 2 ? -ENOSYS : -EINVAL;
}

static long op_get_version(struct vcpu *v, void *arg)
{
    struct gnttab_get_version *op = arg;
    struct domain *d;
    int16_t status = table_of(v, op->dom, &d);

    op->version = 1;
    return !status ? 0 : status == GNTST_bad_domain ? -ESRCH : -EPERM;
}

/* ---- the hypercall ---- */

enum count { MANY, ONE, ANY };

/* Elements of an array have each their own status; `cost` is of one. */
static const struct {
    long (*fn)(struct vcpu *v, void *op);
    size_t size;
    enum count count;
    unsigned int cost;
} ops[] = {
    [GNTTABOP_map_grant_ref] = { op_map, sizeof(struct gnttab_map_grant_ref),
                                 MANY, PREEMPT_COST_MAP },
    [GNTTABOP_unmap_grant_ref] = { op_unmap,
                                   sizeof(struct gnttab_unmap_grant_ref), MANY,
                                   PREEMPT_COST_MAP },
    [GNTTABOP_copy] = { op_copy, sizeof(struct gnttab_copy), MANY, 2 },
    [GNTTABOP_swap_grant_ref] = { op_swap, sizeof(struct gnttab_swap_grant_ref),
                                  MANY, 1 },
    [GNTTABOP_setup_table] = { op_setup, sizeof(struct gnttab_setup_table), ONE,
                               1 },
    [GNTTABOP_query_size] = { op_query, sizeof(struct gnttab_query_size), ONE,
                              1 },
    [GNTTABOP_set_version] = { op_set_version,
                               sizeof(struct gnttab_set_version), ANY, 1 },
    [GNTTABOP_get_version] = { op_get_version,
                               sizeof(struct gnttab_get_version), ANY, 1 },
};

/* HYPERVISOR_grant_table_op(cmd, array, count). */
long do_grant_table_op(struct vcpu *v, const uint64_t args[6])
{
    unsigned int cmd = (unsigned int)args[0];
    uint32_t count = (uint32_t)args[2];
    uint64_t op[8]; /* larger than any of the structures */
    long ret = 0;

    if (cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[cmd].fn)
        return -ENOSYS;
    if (count > INT_MAX || (ops[cmd].count == ONE && count != 1))
        return -EINVAL;
    if (ops[cmd].count == ANY)
        count = 1;
    for (uint32_t i = 0; i < count && !ret; i++) {
        guest_addr_t at = guest_elem(guest_addr(args[1]), i, ops[cmd].size);

        if (preempt_check(v, ops[cmd].cost) && i)
            return preempt_continue(v, cmd, at.value, count - i);
        if (copy_from_guest(v, op, at, ops[cmd].size))
            return -EFAULT;
        ret = ops[cmd].fn(v, op);
        if (copy_to_guest(v, at, op, ops[cmd].size))
            return -EFAULT;
    }
    return ret;
}
