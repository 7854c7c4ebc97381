/*
 * Grant tables, version 1 (<xen/grant_table.h>).
 *
 * The table is in frames that the hypervisor owns and the granter writes; an
 * entry is hostile memory: flags and domid are read and updated by one
 * compare-and-swap of 32 bits, the frame number is read once after that. A
 * mapping pins the frame in memory.c and sets GTF_reading/GTF_writing, which
 * are cleared when the last mapping of that kind has certainly gone.
 */
#ifndef RINGSIDE_GRANT_H
#define RINGSIDE_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

#define GRANT_MAX_FRAMES 32u
#define GRANT_PER_FRAME  (4096u / sizeof(grant_entry_v1_t))

struct domain;
struct vcpu;

/* The hypervisor's side of one grant entry in use. */
struct grant_active {
    uint32_t readers, writers; /* mappings, read-only and writable */
    uint32_t gfn;              /* pinned while any */
    domid_t domid;
};

/* One mapping that a domain holds: index = grant_handle_t. */
struct grant_map {
    bool used;
    bool readonly;
    bool closing; /* unmap is under way in the engine */
    domid_t granter;
    grant_ref_t ref;
    xen_pfn_t owner_gfn; /* frame in the granter */
    uint64_t host_addr;  /* where the mapper asked for it */
};

struct grant_table {
    uint32_t nr_frames;
    /* GRANT_PER_FRAME for each frame; NULL: none of it was ever in use. */
    struct grant_active *active[GRANT_MAX_FRAMES];
    struct grant_map *maps;
    uint32_t nr_maps, used_maps;
    uint32_t free_map; /* hint */
};

int grant_init(struct domain *d);
void grant_destroy(struct domain *d); /* frees; after grant_unmap_some() */
/* At the end of d: releases some of its mappings; false: it has none left. */
bool grant_unmap_some(struct domain *d);

/* Makes the table have nr frames at least; -EINVAL beyond the limit. */
int grant_grow(struct domain *d, uint32_t nr);

/* Writes entry `ref` of d as its builder does: domid may access gfn. */
void grant_seed(struct domain *d, grant_ref_t ref, domid_t domid,
                xen_pfn_t gfn);

/*
 * Takes entry `ref` of g for one use by domain `user`: checks it, marks it,
 * pins its frame, returns it in *gfn. The first use decides the frame, later
 * ones share it. GNTST_okay or an error; each use ends by grant_release().
 */
int16_t grant_acquire(struct domain *g, grant_ref_t ref, domid_t user,
                      bool readonly, xen_pfn_t *gfn);
void grant_release(struct domain *g, grant_ref_t ref, bool readonly);

/* Exchanges two entries of which none is in use. GNTST_... */
int16_t grant_swap(struct domain *d, grant_ref_t a, grant_ref_t b);

/*
 * Takes a mapping of (granter, ref) for d: checks, pins, records. Returns
 * GNTST_okay with *handle and *gfn (in the granter) set, or a GNTST_ error.
 * The caller makes the page visible, or gives up by grant_release_map().
 */
int16_t grant_take_map(struct domain *d, domid_t granter, grant_ref_t ref,
                       bool readonly, uint64_t host_addr,
                       grant_handle_t *handle, xen_pfn_t *gfn);

/* The mapping behind a handle, NULL if there is none. */
struct grant_map *grant_map_of(struct domain *d, grant_handle_t handle);

/* Ends a mapping of which nothing is reachable any more. */
void grant_release_map(struct domain *d, grant_handle_t handle);

long do_grant_table_op(struct vcpu *v, const uint64_t args[6]);

#endif
