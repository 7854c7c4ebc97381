#include "grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"

#define MAX_MAPS 65536u

/* ---- the table that the guest writes ---- */

static grant_entry_v1_t *entry_of(struct domain *d, grant_ref_t ref)
{
    grant_entry_v1_t *frame = memory_own_page(
        d, MEMORY_OWN_GRANT + (uint32_t)(ref / GRANT_PER_FRAME));

    return &frame[ref % GRANT_PER_FRAME];
}

/* flags and domid as the one word that compare-and-swap needs. */
static uint32_t *head_of(grant_entry_v1_t *e)
{
    _Static_assert(sizeof(*e) == 8 && offsetof(grant_entry_v1_t, frame) == 4,
                   "grant entry v1");
    return (uint32_t *)(void *)e;
}

static int set_frames(struct domain *d, uint32_t nr)
{
    struct grant_table *t = &d->grants;
    struct grant_active *active;
    size_t old = t->nr_frames * GRANT_PER_FRAME, want = nr * GRANT_PER_FRAME;

    if (nr <= t->nr_frames)
        return 0;
    if (nr > GRANT_MAX_FRAMES)
        return -EINVAL;
    active = realloc(t->active, want * sizeof(*active));
    if (!active)
        return -ENOMEM;
    memset(active + old, 0, (want - old) * sizeof(*active));
    t->active = active;
    t->nr_frames = nr;
    return 0;
}

int grant_init(struct domain *d)
{
    return d->is_process ? 0 : set_frames(d, 1);
}

void grant_destroy(struct domain *d)
{
    free(d->grants.active);
    free(d->grants.maps);
    memset(&d->grants, 0, sizeof(d->grants));
}

void grant_seed(struct domain *d, grant_ref_t ref, domid_t domid, xen_pfn_t gfn)
{
    grant_entry_v1_t *e = entry_of(d, ref);

    e->domid = domid;
    e->frame = (uint32_t)gfn;
    __atomic_store_n(&e->flags, GTF_permit_access, __ATOMIC_RELEASE);
}

int grant_ensure_frame(struct domain *d, uint32_t index)
{
    return set_frames(d, index + 1);
}

/*
 * Checks the entry and marks it in use, in one step: between the check and
 * the mark the guest cannot change who may access.
 */
static int16_t mark(grant_entry_v1_t *e, domid_t mapper, bool readonly)
{
    uint32_t *head = head_of(e);
    uint32_t old = __atomic_load_n(head, __ATOMIC_ACQUIRE);
    uint32_t use = GTF_reading | (readonly ? 0 : GTF_writing);

    do {
        if ((old & GTF_type_mask) != GTF_permit_access || old >> 16 != mapper)
            return GNTST_general_error;
        if (!readonly && (old & GTF_readonly))
            return GNTST_general_error;
    } while (!__atomic_compare_exchange_n(head, &old, old | use, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
    return GNTST_okay;
}

static void unmark(grant_entry_v1_t *e, uint16_t bits)
{
    __atomic_fetch_and(&e->flags, (uint16_t)~bits, __ATOMIC_SEQ_CST);
}

/* ---- handles ---- */

static int16_t handle_alloc(struct grant_table *t, grant_handle_t *out)
{
    uint32_t nr = t->nr_maps ? t->nr_maps * 2 : 32;
    struct grant_map *maps;

    for (uint32_t i = 0; i < t->nr_maps; i++) {
        uint32_t at = (t->free_map + i) % t->nr_maps;

        if (!t->maps[at].used) {
            t->free_map = at + 1;
            *out = at;
            return GNTST_okay;
        }
    }
    if (nr > MAX_MAPS)
        return GNTST_no_space;
    maps = realloc(t->maps, nr * sizeof(*maps));
    if (!maps)
        return GNTST_no_space;
    memset(maps + t->nr_maps, 0, (nr - t->nr_maps) * sizeof(*maps));
    *out = t->nr_maps;
    t->maps = maps;
    t->free_map = t->nr_maps + 1;
    t->nr_maps = nr;
    return GNTST_okay;
}

struct grant_map *grant_map_of(struct domain *d, grant_handle_t handle)
{
    if (handle >= d->grants.nr_maps || !d->grants.maps[handle].used)
        return NULL;
    return &d->grants.maps[handle];
}

/* ---- taking and releasing ---- */

/* The first mapping of an entry decides its frame; later ones share it. */
static int16_t pin(struct domain *g, grant_entry_v1_t *e,
                   struct grant_active *a, domid_t mapper)
{
    xen_pfn_t gfn;

    if (a->readers || a->writers)
        return GNTST_okay;
    gfn = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);
    if (memory_pin(g, gfn))
        return GNTST_bad_page;
    a->gfn = gfn;
    a->domid = mapper;
    return GNTST_okay;
}

int16_t grant_take_map(struct domain *d, domid_t granter, grant_ref_t ref,
                       bool readonly, uint64_t host_addr,
                       grant_handle_t *handle, xen_pfn_t *gfn)
{
    struct domain *g = domain_lookup(d, granter);
    struct grant_active *a;
    grant_entry_v1_t *e;
    int16_t status;

    if (!g || g->is_process)
        return GNTST_bad_domain;
    if (ref >= g->grants.nr_frames * GRANT_PER_FRAME)
        return GNTST_bad_gntref;
    status = handle_alloc(&d->grants, handle);
    if (status)
        return status;
    e = entry_of(g, ref);
    a = &g->grants.active[ref];
    /* The granter may not hand an entry on while it is mapped. */
    if ((a->readers || a->writers) && a->domid != d->domid)
        return GNTST_general_error;
    status = mark(e, d->domid, readonly);
    if (status)
        return status;
    status = pin(g, e, a, d->domid);
    if (status) {
        unmark(e, GTF_reading | GTF_writing);
        return status;
    }
    a->readers += readonly;
    a->writers += !readonly;
    *gfn = a->gfn;
    d->grants.maps[*handle] = (struct grant_map){ .used = true,
                                                  .readonly = readonly,
                                                  .granter = g->domid,
                                                  .ref = ref,
                                                  .owner_gfn = a->gfn,
                                                  .host_addr = host_addr };
    d->grants.used_maps++;
    return GNTST_okay;
}

void grant_release_map(struct domain *d, grant_handle_t handle)
{
    struct grant_map *m = grant_map_of(d, handle);
    struct domain *g = host_domain(d->host, m->granter);
    struct grant_active *a = &g->grants.active[m->ref];
    uint16_t bits = 0;

    if (m->readonly)
        a->readers--;
    else if (--a->writers == 0)
        bits |= GTF_writing;
    if (!a->readers && !a->writers) {
        bits |= GTF_reading;
        memory_unpin(g, a->gfn);
    }
    /* A dying granter's table pages are gone; nobody reads the bits. */
    if (bits && !g->dying)
        unmark(entry_of(g, m->ref), bits);
    memset(m, 0, sizeof(*m));
    d->grants.used_maps--;
    if (g != d)
        domain_put_if_done(g);
}

void grant_unmap_all(struct domain *d)
{
    for (grant_handle_t h = 0; h < d->grants.nr_maps; h++)
        if (d->grants.maps[h].used)
            grant_release_map(d, h);
}

/* ---- map and unmap ---- */

/* The mapper chose a frame of its aperture. */
static int16_t show_at_frame(struct vcpu *v, const struct grant_map *m)
{
    struct domain *d = v->domain;
    struct domain *g = host_domain(d->host, m->granter);
    xen_pfn_t gfn = m->host_addr >> PAGE_SHIFT;

    if (memory_set_foreign(d, gfn, m->granter, m->owner_gfn, m->readonly))
        return GNTST_bad_virt_addr;
    if (d->ops->physmap_set(v, gfn, g->memory.fd, m->owner_gfn << PAGE_SHIFT,
                            !m->readonly, NULL, 0)) {
        memory_clear(d, gfn);
        return GNTST_no_device_space;
    }
    return GNTST_okay;
}

static void map_one(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
    struct domain *d = v->domain;
    bool readonly = op->flags & GNTMAP_readonly;
    struct grant_map *m;
    grant_handle_t handle;
    xen_pfn_t gfn;

    op->handle = ~0u;
    op->dev_bus_addr = 0;
    if ((op->flags & ~(uint32_t)GNTMAP_readonly) != GNTMAP_host_map) {
        op->status = GNTST_general_error;
        return;
    }
    if (!d->ops->grant_open &&
        ((op->host_addr & ~PAGE_MASK) ||
         !memory_is_free(d, op->host_addr >> PAGE_SHIFT))) {
        op->status = GNTST_bad_virt_addr;
        return;
    }
    op->status = grant_take_map(d, op->dom, op->ref, readonly, op->host_addr,
                                &handle, &gfn);
    if (op->status)
        return;
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
}

/* The engine has certainly removed the page: the grant may be ended. */
static void gone(struct vcpu *v, uint64_t handle)
{
    struct grant_map *m = grant_map_of(v->domain, (grant_handle_t)handle);

    memory_clear(v->domain, m->host_addr >> PAGE_SHIFT);
    grant_release_map(v->domain, (grant_handle_t)handle);
}

static void unmap_one(struct vcpu *v, struct gnttab_unmap_grant_ref *op)
{
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
    } else if (op->host_addr != m->host_addr) {
        op->status = GNTST_bad_virt_addr;
    } else {
        m->closing = true;
        if (d->ops->physmap_set(v, m->host_addr >> PAGE_SHIFT, -1, 0, 0, gone,
                                op->handle)) {
            m->closing = false;
            op->status = GNTST_general_error;
        }
    }
}

/* ---- the hypercall ---- */

#define BATCH_MAX        4096u
#define BATCH_MAX_NESTED 64u

static long op_map(struct vcpu *v, guest_addr_t at, uint32_t count)
{
    struct gnttab_map_grant_ref op;

    for (uint32_t i = 0; i < count; i++) {
        guest_addr_t a = guest_elem(at, i, sizeof(op));

        if (copy_from_guest(v, &op, a, sizeof(op)))
            return -EFAULT;
        map_one(v, &op);
        if (copy_to_guest(v, a, &op, sizeof(op)))
            return -EFAULT;
    }
    return 0;
}

static long op_unmap(struct vcpu *v, guest_addr_t at, uint32_t count)
{
    struct gnttab_unmap_grant_ref op;

    for (uint32_t i = 0; i < count; i++) {
        guest_addr_t a = guest_elem(at, i, sizeof(op));

        if (copy_from_guest(v, &op, a, sizeof(op)))
            return -EFAULT;
        unmap_one(v, &op);
        if (copy_to_guest(v, a, &op, sizeof(op)))
            return -EFAULT;
    }
    return 0;
}

/*
 * The frames are shown by XENMEM_add_to_physmap, so the list that is answered
 * has no numbers of an autotranslated guest's own: -1 each, as Xen's for
 * frames that are not in the physmap.
 */
static long op_setup(struct vcpu *v, guest_addr_t at, uint32_t count)
{
    const xen_pfn_t none = ~(xen_pfn_t)0;
    struct gnttab_setup_table op;

    if (count != 1)
        return -EINVAL;
    if (copy_from_guest(v, &op, at, sizeof(op)))
        return -EFAULT;
    op.status = GNTST_okay;
    if (op.dom != DOMID_SELF && op.dom != v->domain->domid)
        op.status = GNTST_permission_denied;
    else if (op.nr_frames > GRANT_MAX_FRAMES || v->domain->is_process ||
             set_frames(v->domain, op.nr_frames))
        op.status = GNTST_general_error;
    for (uint32_t i = 0; !op.status && i < op.nr_frames; i++)
        if (copy_to_guest(v,
                          guest_elem(guest_addr((uintptr_t)op.frame_list.p), i,
                                     sizeof(none)),
                          &none, sizeof(none)))
            op.status = GNTST_bad_virt_addr;
    return copy_to_guest(v, at, &op, sizeof(op)) ? -EFAULT : 0;
}

static long op_query(struct vcpu *v, guest_addr_t at, uint32_t count)
{
    struct gnttab_query_size op;

    if (count != 1)
        return -EINVAL;
    if (copy_from_guest(v, &op, at, sizeof(op)))
        return -EFAULT;
    if (op.dom != DOMID_SELF && op.dom != v->domain->domid) {
        op.status = GNTST_permission_denied;
    } else {
        op.nr_frames = v->domain->grants.nr_frames;
        op.max_nr_frames = GRANT_MAX_FRAMES;
        op.status = GNTST_okay;
    }
    return copy_to_guest(v, at, &op, sizeof(op)) ? -EFAULT : 0;
}

/* HYPERVISOR_grant_table_op(cmd, array, count). */
long do_grant_table_op(struct vcpu *v, const uint64_t args[6])
{
    guest_addr_t at = guest_addr(args[1]);
    uint32_t count = (uint32_t)args[2];

    if (count > (v->in_multicall ? BATCH_MAX_NESTED : BATCH_MAX))
        return -EINVAL;
    switch (args[0]) {
    case GNTTABOP_map_grant_ref:
        return op_map(v, at, count);
    case GNTTABOP_unmap_grant_ref:
        return op_unmap(v, at, count);
    case GNTTABOP_setup_table:
        return op_setup(v, at, count);
    case GNTTABOP_query_size:
        return op_query(v, at, count);
    default:
        return -ENOSYS;
    }
}
