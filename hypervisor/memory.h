/*
 * A domain's memory: the only room that knows gfn → {file, offset, state}.
 *
 * RAM lies in one memfd, frame gfn at offset gfn * 4096; behind it, in the
 * same file, the pages that the hypervisor owns for the domain (shared_info,
 * grant frames). A frame of the aperture (gfns from nr_pages on) is empty,
 * shows one of those pages, or shows a foreign page mapped by grant. RAM frames
 * are present unless given back (holes). An all-zero table entry means "RAM if
 * below nr_pages, else empty", so that the table of an idle guest costs
 * nothing.
 */
#ifndef RINGSIDE_MEMORY_H
#define RINGSIDE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_access.h"
#include "xen_compat.h"

#define MEMORY_FIRST_GFN      256u   /* below: absent */
#define MEMORY_APERTURE_PAGES 32768u /* from nr_pages on */
/* Its last frames are the engine's stacks, vCPU 0's the very last. */
#define MEMORY_STACK_GFN(nr_pages, vcpu) \
    ((nr_pages) + MEMORY_APERTURE_PAGES - MEMORY_STACK_PAGES * ((vcpu) + 1))
#define MEMORY_MAX_PAGES (1u << 24) /* 64 GiB */

struct domain;
struct rs_host;

enum frame_state {
    FRAME_DEFAULT, /* RAM below nr_pages, empty in the aperture */
    FRAME_LEAVING, /* RAM that the guest gives back: not ours to touch, */
    FRAME_HOLE,    /* and when nothing of it is reachable any more */
    FRAME_OWN,     /* aperture: page `offset` of the domain's own file */
    FRAME_FOREIGN, /* aperture: a page of domain `foreign` */
};

struct frame {
    uint8_t state;    /* enum frame_state */
    uint8_t readonly; /* FOREIGN */
    uint16_t foreign; /* domid */
    uint32_t offset;  /* in pages; in the owner's file */
    uint32_t pins;    /* foreign mappings of this RAM frame */
};

struct memory {
    int fd;               /* memfd, sealed against shrink and grow; -1: none */
    uint8_t *base;        /* the hypervisor's mapping of the whole file */
    struct frame *frames; /* nr_pages + aperture entries, mapped lazily */
    uint32_t nr_pages;    /* highest RAM gfn + 1 */
    uint32_t file_pages;  /* RAM + hypervisor-owned pages */
    uint32_t tot_pages;   /* charged to the budget now */
    uint32_t max_pages;   /* reservation limit */
    uint64_t pins;        /* sum over all frames */
    size_t base_bytes, frames_bytes; /* mapped */
    /* Of a dying domain: */
    uint32_t released; /* first page that was not freed yet */
    uint32_t pinned;   /* frames below it that were not, as others map them */
};

/* Pages at the end of a domain's file. */
#define MEMORY_OWN_SHARED_INFO 0
#define MEMORY_OWN_GRANT       1 /* first grant-table frame */
/* For the engine, unseen by the ABI, for each vCPU: a page, and the stack on
 * which the engine calls the guest. */
#define MEMORY_STACK_PAGES      16
#define MEMORY_OWN_ENGINE(vcpu) (33 + (1 + MEMORY_STACK_PAGES) * (vcpu))
#define MEMORY_OWN_STACK(vcpu)  (MEMORY_OWN_ENGINE(vcpu) + 1)
#define MEMORY_OWN_PAGES(vcpus) MEMORY_OWN_ENGINE(vcpus)

/* Memory of nr_pages frames and `own` hypervisor pages, charged. */
int memory_create(struct domain *d, uint32_t nr_pages, uint32_t own);

/* Of a dying domain, a step at a time; false: all is done. Frees every page
 * without a foreign pin (the rest when the last pin goes); then, if there was
 * none, unmaps what we had mapped. */
bool memory_release_some(struct domain *d);
bool memory_unmap_some(struct domain *d);
void memory_destroy(struct domain *d);

/* The hypervisor's address of hypervisor-owned page `index`. */
void *memory_own_page(struct domain *d, uint32_t index);

/*
 * The hypervisor's address of frame gfn as the domain sees it, NULL if empty;
 * *writable is cleared for a read-only foreign page.
 */
void *memory_frame(struct domain *d, xen_pfn_t gfn, bool *writable);

/* Is gfn present RAM of d (so that it may be granted)? */
bool memory_is_ram(struct domain *d, xen_pfn_t gfn);

/* Pins RAM frame gfn against being given back; -EINVAL if it is not RAM. */
int memory_pin(struct domain *d, xen_pfn_t gfn);
void memory_unpin(struct domain *d, xen_pfn_t gfn);

/*
 * Gives RAM frames back. Leaving: they are not RAM any more, -EBUSY if one is
 * not now or is pinned. Then either none is reachable by the guest, and
 * memory_left() frees them; or they stay, by memory_stayed().
 */
int memory_leave(struct domain *d, xen_pfn_t gfn, uint32_t pages);
void memory_left(struct domain *d, xen_pfn_t gfn, uint32_t pages);
void memory_stayed(struct domain *d, xen_pfn_t gfn, uint32_t pages);

/* Makes holes RAM again, zeroed. -EBUSY: one is none; -ENOMEM: beyond the
 * reservation limit, or the host's budget is spent. */
int memory_populate(struct domain *d, xen_pfn_t gfn, uint32_t pages);

/* Puts or removes a page in the aperture's table (not yet in the engine). */
int memory_set_own(struct domain *d, xen_pfn_t gfn, uint32_t own_index);
int memory_set_foreign(struct domain *d, xen_pfn_t gfn, domid_t owner,
                       xen_pfn_t owner_gfn, bool readonly);
void memory_clear(struct domain *d, xen_pfn_t gfn);

long do_memory_op(struct vcpu *v, const uint64_t args[6]);

#endif
