/*
 * Grant tables: entries, mappings of them, and pins. See grant.h.
 */
#include "grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "invariant.h"

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

int grant_grow(struct domain *d, uint32_t nr)
{
    if (nr > GRANT_MAX_FRAMES)
        return -EINVAL;
    if (nr > d->grants.nr_frames)
        d->grants.nr_frames = nr;
    return 0;
}

/* The use of an entry that is in use. */
static struct grant_active *active_of(struct domain *d, grant_ref_t ref)
{
    return &d->grants.active[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

/* The use of any entry, made if its frame was never used; NULL: no memory. */
static struct grant_active *active_make(struct domain *d, grant_ref_t ref)
{
    struct grant_active **frame = &d->grants.active[ref / GRANT_PER_FRAME];

    if (!*frame)
        *frame = calloc(GRANT_PER_FRAME, sizeof(**frame));
    return *frame ? active_of(d, ref) : NULL;
}

int grant_init(struct domain *d)
{
    return d->is_process ? 0 : grant_grow(d, 1);
}

void grant_destroy(struct domain *d)
{
    invariant(d, d->grants.used_maps == 0);
    for (uint32_t i = 0; i < GRANT_MAX_FRAMES; i++)
        free(d->grants.active[i]);
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

/* A guest that changes its entry all the time does not keep us: as Xen, we
 * look five times. */
#define MARK_TRIES 5

/*
 * Checks the entry and marks it in use, in one step: between the check and
 * the mark the guest cannot change who may access.
 */
static int16_t mark(grant_entry_v1_t *e, domid_t user, bool readonly)
{
    uint32_t *head = head_of(e);
    uint32_t old = __atomic_load_n(head, __ATOMIC_ACQUIRE);
    uint32_t use = GTF_reading | (readonly ? 0 : GTF_writing);

    for (int i = 0; i < MARK_TRIES; i++) {
        if ((old & GTF_type_mask) != GTF_permit_access || old >> 16 != user)
            return GNTST_general_error;
        if (!readonly && (old & GTF_readonly))
            return GNTST_general_error;
        if (__atomic_compare_exchange_n(head, &old, old | use, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            return GNTST_okay;
    }
    return GNTST_general_error;
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

static bool in_use(const struct grant_active *a)
{
    return a->readers || a->writers;
}

/*
 * The entry's word counts when a frame is pinned, and when the first writer
 * comes: what the granter writes between does not concern those who are there
 * (as in Xen).
 */
int16_t grant_acquire(struct domain *g, grant_ref_t ref, domid_t user,
                      bool readonly, xen_pfn_t *gfn)
{
    int16_t status = GNTST_okay;
    struct grant_active *a;
    grant_entry_v1_t *e;

    assert_host_locked(g->host);
    if (ref >= g->grants.nr_frames * GRANT_PER_FRAME)
        return GNTST_bad_gntref;
    e = entry_of(g, ref);
    a = active_make(g, ref);
    if (!a)
        return GNTST_no_space;
    /* The granter may not hand an entry on while it is used. */
    if (in_use(a) && a->domid != user)
        return GNTST_general_error;
    if (!in_use(a) || (!readonly && !a->writers))
        status = mark(e, user, readonly);
    if (status)
        return status;
    if (!in_use(a)) {
        a->gfn = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);
        a->domid = user;
        if (memory_pin(g, a->gfn)) {
            unmark(e, GTF_reading | GTF_writing);
            return GNTST_bad_page;
        }
    }
    a->readers += readonly;
    a->writers += !readonly;
    /* Whoever else uses the entry is of the same domain and has the frame
     * pinned. */
    invariant(g, a->domid == user && g->memory.frames[a->gfn].pins);
    *gfn = a->gfn;
    return GNTST_okay;
}

void grant_release(struct domain *g, grant_ref_t ref, bool readonly)
{
    struct grant_active *a = active_of(g, ref);
    uint16_t bits = 0;

    assert_host_locked(g->host);
    invariant(g, a && (readonly ? a->readers : a->writers) > 0);
    if (readonly)
        a->readers--;
    else if (--a->writers == 0)
        bits |= GTF_writing;
    if (!in_use(a)) {
        bits |= GTF_reading;
        memory_unpin(g, a->gfn);
    }
    /* A dying granter's table pages are gone; nobody reads the bits. */
    if (bits && !g->dying)
        unmark(entry_of(g, ref), bits);
}

int16_t grant_take_map(struct domain *d, domid_t granter, grant_ref_t ref,
                       bool readonly, uint64_t host_addr,
                       grant_handle_t *handle, xen_pfn_t *gfn)
{
    struct domain *g = host_domain(d->host, granter);
    int16_t status;

    if (!g || g->dying)
        return GNTST_bad_domain;
    status = handle_alloc(&d->grants, handle);
    if (!status)
        status = grant_acquire(g, ref, d->domid, readonly, gfn);
    if (status)
        return status;
    d->grants.maps[*handle] = (struct grant_map){ .used = true,
                                                  .readonly = readonly,
                                                  .granter = granter,
                                                  .ref = ref,
                                                  .owner_gfn = *gfn,
                                                  .host_addr = host_addr };
    d->grants.used_maps++;
    return GNTST_okay;
}

void grant_release_map(struct domain *d, grant_handle_t handle)
{
    struct grant_map *m = grant_map_of(d, handle);
    struct domain *g = host_domain(d->host, m->granter);

    /* A granter is not freed while a mapping of its pages is there. */
    invariant(d, g && d->grants.used_maps > 0);
    grant_release(g, m->ref, m->readonly);
    memset(m, 0, sizeof(*m));
    d->grants.used_maps--;
    if (g != d)
        domain_put_if_done(g);
}

#define UNMAP_STEP 256u

bool grant_unmap_some(struct domain *d)
{
    struct grant_table *t = &d->grants;

    for (unsigned int i = 0; i < UNMAP_STEP && t->nr_maps; i++)
        if (t->maps[--t->nr_maps].used) {
            t->nr_maps++; /* it is there until it is released */
            grant_release_map(d, t->nr_maps - 1);
            t->nr_maps--;
        }
    return t->nr_maps;
}

int16_t grant_swap(struct domain *d, grant_ref_t ref_a, grant_ref_t ref_b)
{
    const struct grant_table *t = &d->grants;
    uint32_t nr = t->nr_frames * GRANT_PER_FRAME;
    struct grant_active *a_use, *b_use;
    grant_entry_v1_t *a, *b, old;

    if (ref_a >= nr || ref_b >= nr)
        return GNTST_bad_gntref;
    if (ref_a == ref_b)
        return GNTST_okay;
    a_use = active_make(d, ref_a);
    b_use = active_make(d, ref_b);
    if (!a_use || !b_use)
        return GNTST_no_space;
    if (in_use(a_use) || in_use(b_use))
        return GNTST_eagain;
    a = entry_of(d, ref_a);
    b = entry_of(d, ref_b);
    old = *a;
    *a = *b;
    *b = old;
    return GNTST_okay;
}
