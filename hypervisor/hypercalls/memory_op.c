/*
 * memory_op: what a guest asks about its memory (<xen/memory.h>).
 */
#include <errno.h>
#include <limits.h>

#include "domain.h"
#include "emulate/emulate.h"
#include "hypercall.h"
#include "preempt.h"

/* cmd is an operation and, in a continuation, its first extent; the
 * numbers are Xen's, in no public header. */
#define CMD_MASK     0x3fu
#define EXTENT_SHIFT 6

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

    if (cmd == XENMEM_maximum_ram_page)
        return (long)v->domain->host->budget_pages;
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

static long op_memory_map(struct vcpu *v, uint64_t cmd, guest_addr_t arg)
{
    struct xen_memory_map op;
    struct e820_entry ram = {
        .addr = MEMORY_FIRST_GFN * PAGE_SIZE,
        .size = (uint64_t)(v->domain->memory.nr_pages - MEMORY_FIRST_GFN)
                << PAGE_SHIFT,
        .type = E820_RAM,
    };

    (void)cmd;
    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_entries > 1)
        op.nr_entries = 1;
    if (copy_to_guest(v, guest_addr((uintptr_t)op.buffer.p), &ram,
                      op.nr_entries * sizeof(ram)) ||
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

static long op_add_to_physmap(struct vcpu *v, uint64_t cmd, guest_addr_t arg)
{
    struct xen_add_to_physmap op;
    struct domain *d;
    uint32_t index;
    uint64_t offset;
    long err;

    (void)cmd;
    preempt_charge(v, PREEMPT_COST_MAP);
    if (copy_from_guest(v, &op, arg, sizeof(op)))
        return -EFAULT;
    if (op.space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS; /* only in a batch, says Xen */
    err = about(v, op.domid, &d);
    if (!err)
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

/* ---- giving memory back, and taking it again ---- */

/* Xen's limit for guests: 2 MiB. */
#define MAX_ORDER 9u

/* Adjacent extents make a run, which is one change of the address space. */
#define RUN_MAX (1u << MAX_ORDER)

struct adjustment {
    struct vcpu *v;
    bool leaves;    /* RAM becomes holes; else the reverse */
    bool preempted; /* a continuation does the other extents */
    uint64_t done;  /* extents */
    struct {
        uint64_t first; /* extent */
        xen_pfn_t gfn;
        uint32_t pages;
    } run;
};

static void left(struct vcpu *v, uint64_t arg)
{
    memory_left(v->domain, arg >> 32, (uint32_t)arg);
}

/* Has the guest's address space follow the frame table. */
static int show_run(const struct adjustment *a)
{
    struct domain *d = a->v->domain;
    xen_pfn_t gfn = a->run.gfn;
    uint32_t pages = a->run.pages;

    if (a->leaves)
        return d->ops->physmap_set(a->v, gfn, pages, -1, 0, 0, left,
                                   gfn << 32 | pages);
    if (a->v->emulated)
        a->v->domain->host->emulate->populated(a->v, gfn, pages);
    return d->ops->physmap_set(a->v, gfn, pages, d->memory.fd,
                               gfn << PAGE_SHIFT, 1, NULL, 0);
}

/* False: the run could not be shown, and is as it was. */
static bool end_run(struct adjustment *a)
{
    struct domain *d = a->v->domain;

    uint32_t pages = a->run.pages;
    bool shown = !pages || !show_run(a);

    a->run.pages = 0;
    if (shown)
        return true;
    if (a->leaves) {
        memory_stayed(d, a->run.gfn, pages);
    } else {
        memory_leave(d, a->run.gfn, pages);
        memory_left(d, a->run.gfn, pages);
    }
    a->done = a->run.first;
    return false;
}

/* One extent more; false: it cannot be done, or the budget is used up. */
static bool add_extent(struct adjustment *a, xen_pfn_t gfn, uint32_t pages)
{
    bool adjacent = a->run.pages && gfn == a->run.gfn + a->run.pages &&
                    a->run.pages + pages <= RUN_MAX;

    a->preempted =
        preempt_check(a->v, pages + (adjacent ? 0 : PREEMPT_COST_MAP)) &&
        a->run.pages;
    if (a->preempted || (!adjacent && !end_run(a)))
        return false;
    if (a->leaves ? memory_leave(a->v->domain, gfn, pages)
                  : memory_populate(a->v->domain, gfn, pages))
        return false;
    if (!adjacent) {
        a->run.first = a->done;
        a->run.gfn = gfn;
    }
    a->run.pages += pages;
    a->done++;
    return true;
}

/*
 * The answer is the number of extents that were done, whatever was wrong with
 * the next. A continuation has it in the upper bits of cmd, as in Xen.
 */
static long op_adjust(struct vcpu *v, uint64_t cmd, guest_addr_t arg)
{
    struct adjustment a = { .v = v, .done = cmd >> EXTENT_SHIFT };
    unsigned int op = cmd & CMD_MASK;
    struct xen_memory_reservation r;
    struct domain *d;
    xen_pfn_t gfn;

    a.leaves = op == XENMEM_decrease_reservation;
    /* Memory that stands at no frame would be lost to an autotranslated
     * guest: an increase gives it none. */
    if (copy_from_guest(v, &r, arg, sizeof(r)) ||
        r.nr_extents > UINT_MAX >> EXTENT_SHIFT || r.extent_order > MAX_ORDER ||
        about(v, r.domid, &d) || d != v->domain ||
        op == XENMEM_increase_reservation)
        return (long)a.done;
    while (a.done < r.nr_extents) {
        guest_addr_t at = guest_addr((uintptr_t)r.extent_start.p);

        if (copy_from_guest(v, &gfn, guest_elem(at, a.done, sizeof(gfn)),
                            sizeof(gfn)) ||
            !add_extent(&a, gfn, 1u << r.extent_order))
            break;
    }
    if (end_run(&a) && a.preempted)
        return preempt_continue(v, op | a.done << EXTENT_SHIFT, arg.value, 0);
    return (long)a.done;
}

/* ---- the hypercall ---- */

static const struct {
    long (*fn)(struct vcpu *v, uint64_t cmd, guest_addr_t arg);
    bool in_turns; /* it may be continued from some extent */
    bool guests;   /* it needs memory of one's own */
} ops[] = {
    [XENMEM_increase_reservation] = { op_adjust, true, true },
    [XENMEM_decrease_reservation] = { op_adjust, true, true },
    [XENMEM_populate_physmap] = { op_adjust, true, true },
    [XENMEM_maximum_ram_page] = { op_reservation, false, false },
    [XENMEM_current_reservation] = { op_reservation, false, false },
    [XENMEM_maximum_reservation] = { op_reservation, false, false },
    [XENMEM_maximum_gpfn] = { op_reservation, false, false },
    [XENMEM_memory_map] = { op_memory_map, false, true },
    [XENMEM_add_to_physmap] = { op_add_to_physmap, false, true },
};

/* HYPERVISOR_memory_op(cmd, arg). */
long do_memory_op(struct vcpu *v, const uint64_t args[6])
{
    unsigned int op = args[0] & CMD_MASK;

    if (op >= sizeof(ops) / sizeof(ops[0]) || !ops[op].fn ||
        (ops[op].guests && v->domain->is_process))
        return -ENOSYS;
    if (args[0] != op && !ops[op].in_turns)
        return -EINVAL;
    return ops[op].fn(v, args[0], guest_addr(args[1]));
}
