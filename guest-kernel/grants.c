/*
 * Our grant table: which of our pages others may map. See grants.h.
 *
 * The table's frames stand in the aperture at nr_pages + 16 and are added one
 * by one as references are needed. Free references and those that wait for
 * their holder are chains through `next`.
 */
#include <errno.h>

#include "guest-kernel/grants.h"
#include "guest-kernel/invariant.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/upcall.h"

#define RESERVED    8
#define FIRST_FRAME 16 /* frames after nr_pages */
#define MAX_FRAMES  64
#define PER_FRAME   (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define MAX_REFS    (MAX_FRAMES * PER_FRAME)

static struct {
    struct grant_entry_v1 *entries;
    unsigned int frames, max_frames;
    unsigned int used;
    uint16_t first_free, first_late; /* 0: none */
    uint16_t next[MAX_REFS];
} table;

static void put_free(grant_ref_t ref)
{
    invariant(ref >= RESERVED && ref < table.frames * PER_FRAME);
    table.next[ref] = table.first_free;
    table.first_free = (uint16_t)ref;
}

/* Adds one frame's references to the free ones. -ENOSPC: that was all. */
static int grow(void)
{
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_grant_table,
        .idx = table.frames,
        .gpfn = page_gfn(table.entries) + table.frames,
    };
    grant_ref_t first = table.frames * PER_FRAME;
    long err;

    if (table.frames == table.max_frames)
        return -ENOSPC;
    err = hypercall_memory_op(XENMEM_add_to_physmap, &op, sizeof(op));
    if (err)
        return errno_from_xen(err);
    table.frames++;
    for (grant_ref_t ref = first + PER_FRAME; ref-- > first;)
        if (ref >= RESERVED)
            put_free(ref);
    return 0;
}

int grants_init(uint64_t nr_pages)
{
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    long err = hypercall_grant_query_size(&size);

    if (err)
        return errno_from_xen(err);
    if (size.status != GNTST_okay)
        return -EIO;
    table.max_frames =
        size.max_nr_frames < MAX_FRAMES ? size.max_nr_frames : MAX_FRAMES;
    table.entries = (void *)((nr_pages + FIRST_FRAME) << PAGE_SHIFT);
    return grow();
}

/*
 * Frees an entry unless its holder uses it. The holder's side sets reading or
 * writing atomically against a set permit_access, so one compare-and-swap on
 * the flags decides who was first.
 */
static bool revoke(grant_ref_t ref)
{
    uint16_t *word = &table.entries[ref].flags;
    uint16_t flags = READ_ONCE(*word);

    do {
        if (flags & (GTF_reading | GTF_writing))
            return false;
    } while (!__atomic_compare_exchange_n(word, &flags, 0, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    invariant(table.used > 0);
    table.used--;
    put_free(ref);
    return true;
}

/* Tries again to take back what grant_end_and_free() could not. */
static void revoke_late(void)
{
    uint16_t *link = &table.first_late;

    while (*link) {
        grant_ref_t ref = *link;
        uint16_t next = table.next[ref];
        uint64_t gfn = table.entries[ref].frame;

        if (revoke(ref)) {
            *link = next;
            pages_free((void *)(gfn << PAGE_SHIFT), 1);
        } else {
            link = &table.next[ref];
        }
    }
}

int grant_access(domid_t remote, const void *addr, bool read_only,
                 grant_ref_t *ref)
{
    bool was = upcalls_mask();
    struct grant_entry_v1 *entry;
    int err = 0;

    if (!table.first_free)
        err = grow();
    if (err)
        goto out;
    *ref = table.first_free;
    table.first_free = table.next[*ref];
    table.used++;
    entry = &table.entries[*ref];
    entry->domid = remote;
    entry->frame = (uint32_t)page_gfn(addr);
    /* Partner: the hypervisor reads flags before domid and frame. */
    xen_wmb();
    WRITE_ONCE(entry->flags,
               GTF_permit_access | (read_only ? GTF_readonly : 0));
out:
    upcalls_restore(was);
    return err;
}

static bool is_granted(grant_ref_t ref)
{
    return ref >= RESERVED && ref < table.frames * PER_FRAME &&
           (READ_ONCE(table.entries[ref].flags) & GTF_type_mask);
}

int grant_end(grant_ref_t ref)
{
    bool was, done;

    if (ref == GRANT_REF_NONE)
        return 0;
    if (!is_granted(ref))
        return -EINVAL;
    was = upcalls_mask();
    done = revoke(ref);
    upcalls_restore(was);
    return done ? 0 : -EBUSY;
}

void grant_end_and_free(grant_ref_t ref, void *addr)
{
    bool was = upcalls_mask();

    revoke_late();
    if (!is_granted(ref) || revoke(ref)) {
        pages_free(addr, 1);
    } else {
        table.next[ref] = table.first_late;
        table.first_late = (uint16_t)ref;
    }
    upcalls_restore(was);
}

bool grant_in_use(grant_ref_t ref)
{
    return is_granted(ref) &&
           (READ_ONCE(table.entries[ref].flags) & (GTF_reading | GTF_writing));
}

unsigned int grant_used_count(void)
{
    return table.used;
}
