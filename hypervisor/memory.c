/*
 * A guest's memory: one file, and the table of its frames. See memory.h.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"
#include "invariant.h"

#define FRAME_TABLE_BYTES(m) \
    (((size_t)(m)->nr_pages + MEMORY_APERTURE_PAGES) * sizeof(struct frame))

static size_t file_bytes(const struct memory *m)
{
    return (size_t)m->file_pages << PAGE_SHIFT;
}

/* ---- life ---- */

static int map_tables(struct memory *m)
{
    m->base = mmap(NULL, file_bytes(m), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, m->fd, 0);
    if (m->base == MAP_FAILED) {
        m->base = NULL;
        return -ENOMEM;
    }
    m->frames = mmap(NULL, FRAME_TABLE_BYTES(m), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->frames == MAP_FAILED) {
        m->frames = NULL;
        return -ENOMEM;
    }
    m->base_bytes = file_bytes(m);
    m->frames_bytes = FRAME_TABLE_BYTES(m);
    /* A fork must not carry a guest's memory along. */
    madvise(m->base, file_bytes(m), MADV_DONTFORK);
    return 0;
}

int memory_create(struct domain *d, uint32_t nr_pages, uint32_t own)
{
    struct memory *m = &d->memory;
    uint32_t ram = nr_pages - MEMORY_FIRST_GFN;

    if (host_charge(d->host, ram))
        return -ENOMEM;
    m->tot_pages = m->max_pages = ram;
    m->nr_pages = nr_pages;
    m->file_pages = nr_pages + own;
    m->fd = memfd_create("ringside-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m->fd < 0)
        return -errno;
    if (ftruncate(m->fd, (off_t)file_bytes(m)) ||
        fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return -errno;
    return map_tables(m);
}

static void punch(struct memory *m, uint64_t first, uint64_t pages)
{
    if (pages)
        fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(first << PAGE_SHIFT), (off_t)(pages << PAGE_SHIFT));
}

/* Pages of one step: the time to free them, and to unmap them from us. */
#define RELEASE_STEP 512u

/* Frees [m->released, end) but for pinned frames. */
static void release_frames(struct memory *m, uint64_t end)
{
    uint64_t from = m->released;

    for (uint64_t gfn = from; m->pins && gfn < end && gfn < m->nr_pages; gfn++)
        if (m->frames[gfn].pins) {
            punch(m, from, gfn - from);
            from = gfn + 1;
            m->pinned++;
        }
    punch(m, from, end - from);
    m->released = (uint32_t)end;
}

bool memory_release_some(struct domain *d)
{
    struct memory *m = &d->memory;
    uint64_t end = (uint64_t)m->released + RELEASE_STEP;

    if (!m->frames)
        return false;
    release_frames(m, end < m->file_pages ? end : m->file_pages);
    if (m->released < m->file_pages)
        return true;
    host_uncharge(d->host, m->tot_pages - m->pinned);
    m->tot_pages = m->pinned;
    return false;
}

#define UNMAP_STEP ((size_t)4 << 20)

/* The end of a mapping of *bytes; false: nothing is left of it. */
static bool unmap_some(void *base, size_t *bytes)
{
    size_t n = *bytes < UNMAP_STEP ? *bytes : UNMAP_STEP;

    *bytes -= n;
    munmap((uint8_t *)base + *bytes, n);
    return *bytes;
}

bool memory_unmap_some(struct domain *d)
{
    struct memory *m = &d->memory;

    if (m->pins)
        return false; /* whoever maps them reaches them through us */
    if (m->base) {
        if (!unmap_some(m->base, &m->base_bytes))
            m->base = NULL;
    } else if (m->frames) {
        if (!unmap_some(m->frames, &m->frames_bytes))
            m->frames = NULL;
    }
    return m->base || m->frames;
}

void memory_destroy(struct domain *d)
{
    struct memory *m = &d->memory;

    invariant(d, m->pins == 0);
    if (m->base)
        munmap(m->base, m->base_bytes);
    if (m->frames)
        munmap(m->frames, m->frames_bytes);
    if (m->fd >= 0)
        close(m->fd);
    host_uncharge(d->host, m->tot_pages);
    memset(m, 0, sizeof(*m));
    m->fd = -1;
}

/* ---- lookups ---- */

void *memory_own_page(struct domain *d, uint32_t index)
{
    struct memory *m = &d->memory;

    return m->base + ((size_t)(m->nr_pages + index) << PAGE_SHIFT);
}

static bool in_aperture(const struct memory *m, xen_pfn_t gfn)
{
    /* A process has no frames at all. */
    return m->frames && gfn >= m->nr_pages &&
           gfn - m->nr_pages < MEMORY_APERTURE_PAGES;
}

bool memory_is_ram(struct domain *d, xen_pfn_t gfn)
{
    struct memory *m = &d->memory;

    return gfn >= MEMORY_FIRST_GFN && gfn < m->nr_pages &&
           m->frames[gfn].state == FRAME_DEFAULT;
}

/* In the aperture, and nothing there? */
static bool is_free(struct domain *d, xen_pfn_t gfn)
{
    return in_aperture(&d->memory, gfn) &&
           d->memory.frames[gfn].state == FRAME_DEFAULT;
}

void *memory_frame(struct domain *d, xen_pfn_t gfn, bool *writable)
{
    struct memory *m = &d->memory;
    struct domain *owner;
    struct frame *f;

    *writable = true;
    if (memory_is_ram(d, gfn))
        return m->base + (gfn << PAGE_SHIFT);
    if (!in_aperture(m, gfn))
        return NULL;
    f = &m->frames[gfn];
    if (f->state == FRAME_OWN)
        return m->base + ((size_t)f->offset << PAGE_SHIFT);
    if (f->state != FRAME_FOREIGN)
        return NULL;
    owner = host_domain(d->host, f->foreign);
    if (!owner || !owner->memory.base)
        return NULL;
    *writable = !f->readonly;
    return owner->memory.base + ((size_t)f->offset << PAGE_SHIFT);
}

/*
 * Where there is swap, Linux takes a page from every mapping when it writes it
 * out. In a strict grant window only we can put it back, and nobody would ask
 * us: the mapper would get SIGBUS. So pinned pages stay, as far as
 * RLIMIT_MEMLOCK goes.
 */
static void lock_frame(struct domain *d, xen_pfn_t gfn)
{
    struct rs_host *h = d->host;

    if (h->hold_pinned &&
        mlock(d->memory.base + (gfn << PAGE_SHIFT), PAGE_SIZE) &&
        !h->warned_memlock) {
        h->warned_memlock = true;
        host_log(h, RS_LOG_WARN,
                 "the limit of locked memory is too low for granted pages: if "
                 "they are swapped out, the driver domain starts again");
    }
}

static void unlock_frame(struct domain *d, xen_pfn_t gfn)
{
    if (d->host->hold_pinned)
        munlock(d->memory.base + (gfn << PAGE_SHIFT), PAGE_SIZE);
}

int memory_pin(struct domain *d, xen_pfn_t gfn)
{
    assert_host_locked(d->host);
    if (!memory_is_ram(d, gfn))
        return -EINVAL;
    if (d->memory.frames[gfn].pins++ == 0)
        lock_frame(d, gfn);
    d->memory.pins++;
    return 0;
}

void memory_unpin(struct domain *d, xen_pfn_t gfn)
{
    struct memory *m = &d->memory;

    assert_host_locked(d->host);
    invariant(d, m->pins > 0 && m->frames[gfn].pins > 0);
    m->pins--;
    if (--m->frames[gfn].pins)
        return;
    unlock_frame(d, gfn);
    if (d->dying && gfn < m->released) {
        punch(m, gfn, 1);
        m->pinned--;
        if (d->end > END_MEMORY) {
            host_uncharge(d->host, 1);
            m->tot_pages--;
        }
    }
}

/* ---- giving back and taking again ---- */

/* All `pages` frames in this state, and none pinned? */
static bool all_are(const struct memory *m, xen_pfn_t gfn, uint32_t pages,
                    enum frame_state state)
{
    if (!m->frames || gfn < MEMORY_FIRST_GFN || gfn >= m->nr_pages ||
        pages > m->nr_pages - gfn)
        return false;
    for (uint32_t i = 0; i < pages; i++)
        if (m->frames[gfn + i].state != state || m->frames[gfn + i].pins)
            return false;
    return true;
}

static void set_all(struct memory *m, xen_pfn_t gfn, uint32_t pages,
                    enum frame_state state)
{
    for (uint32_t i = 0; i < pages; i++)
        m->frames[gfn + i].state = (uint8_t)state;
}

int memory_leave(struct domain *d, xen_pfn_t gfn, uint32_t pages)
{
    if (!all_are(&d->memory, gfn, pages, FRAME_DEFAULT))
        return -EBUSY;
    set_all(&d->memory, gfn, pages, FRAME_LEAVING);
    return 0;
}

void memory_left(struct domain *d, xen_pfn_t gfn, uint32_t pages)
{
    /* It was unpinned when it began to leave, and nothing shows it since. */
    invariant(d, all_are(&d->memory, gfn, pages, FRAME_LEAVING));
    set_all(&d->memory, gfn, pages, FRAME_HOLE);
    punch(&d->memory, gfn, pages);
    host_uncharge(d->host, pages);
    d->memory.tot_pages -= pages;
}

void memory_stayed(struct domain *d, xen_pfn_t gfn, uint32_t pages)
{
    invariant(d, all_are(&d->memory, gfn, pages, FRAME_LEAVING));
    set_all(&d->memory, gfn, pages, FRAME_DEFAULT);
}

int memory_populate(struct domain *d, xen_pfn_t gfn, uint32_t pages)
{
    struct memory *m = &d->memory;

    if (!all_are(m, gfn, pages, FRAME_HOLE))
        return -EBUSY;
    if (pages > m->max_pages - m->tot_pages || host_charge(d->host, pages))
        return -ENOMEM;
    set_all(m, gfn, pages, FRAME_DEFAULT);
    m->tot_pages += pages;
    invariant(d, m->tot_pages <= m->max_pages);
    return 0;
}

/* ---- the aperture ---- */

int memory_set_own(struct domain *d, xen_pfn_t gfn, uint32_t own_index)
{
    if (!is_free(d, gfn))
        return -EINVAL;
    d->memory.frames[gfn] = (struct frame){
        .state = FRAME_OWN,
        .offset = d->memory.nr_pages + own_index,
    };
    return 0;
}

int memory_set_foreign(struct domain *d, xen_pfn_t gfn, domid_t owner,
                       xen_pfn_t owner_gfn, bool readonly)
{
    if (!is_free(d, gfn))
        return -EINVAL;
    d->memory.frames[gfn] = (struct frame){
        .state = FRAME_FOREIGN,
        .readonly = readonly,
        .foreign = owner,
        .offset = (uint32_t)owner_gfn,
    };
    return 0;
}

void memory_clear(struct domain *d, xen_pfn_t gfn)
{
    if (in_aperture(&d->memory, gfn))
        memset(&d->memory.frames[gfn], 0, sizeof(struct frame));
}
