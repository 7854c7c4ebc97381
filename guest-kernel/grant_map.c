/*
 * Pages of other domains, mapped contiguously into the aperture, or copied by
 * the hypervisor. See grants.h.
 *
 * The aperture's frames up to nr_pages + 127 belong to the kernel (grant table,
 * shared pages); the rest is handed out here, one bit per frame.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/grants.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"

#define FIRST_FRAME 128
#define LAST_FRAME  32639 /* 32767 in docs/engine.md; engines use the last */
#define FRAMES      (LAST_FRAME + 1 - FIRST_FRAME)

static unsigned char taken[FRAMES];

static uint64_t frame_address(unsigned int i)
{
    return (start_info->nr_pages + FIRST_FRAME + i) << PAGE_SHIFT;
}

static int find_frames(unsigned int n)
{
    unsigned int run = 0;

    for (unsigned int i = 0; i < FRAMES; i++) {
        run = taken[i] ? 0 : run + 1;
        if (run == n)
            return (int)(i - n + 1);
    }
    return -ENOSPC;
}

static int error_of(int16_t status)
{
    switch (status) {
    case GNTST_okay:
        return 0;
    case GNTST_permission_denied:
        return -EACCES;
    case GNTST_bad_domain:
        return -ESRCH;
    case GNTST_no_space:
    case GNTST_no_device_space:
        return -ENOSPC;
    case GNTST_eagain:
        return -EAGAIN;
    default:
        return -EINVAL;
    }
}

static void unmap_frames(unsigned int first, unsigned int n,
                         const grant_handle_t *handles)
{
    for (unsigned int i = 0; i < n; i++) {
        struct gnttab_unmap_grant_ref op = {
            .host_addr = frame_address(first + i),
            .handle = handles[i],
        };

        if (hypercall_grant_unmap(&op, 1) || op.status != GNTST_okay)
            kernel_panic("a grant mapping cannot be undone");
    }
    memset(&taken[first], 0, n);
}

static int map_frame(domid_t remote, grant_ref_t ref, bool read_only,
                     unsigned int frame, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = frame_address(frame),
        .flags = GNTMAP_host_map | (read_only ? GNTMAP_readonly : 0u),
        .ref = ref,
        .dom = remote,
    };
    long err = hypercall_grant_map(&op, 1);

    if (err)
        return errno_from_xen(err);
    *handle = op.handle;
    return error_of(op.status);
}

int grant_map(domid_t remote, const grant_ref_t *refs, unsigned int n,
              bool read_only, struct grant_map *out)
{
    grant_handle_t *handles = calloc(n, sizeof(*handles));
    int first = n ? find_frames(n) : -EINVAL, err = 0;

    if (!handles || first < 0) {
        free(handles);
        return first < 0 ? first : -ENOMEM;
    }
    memset(&taken[first], 1, n);
    for (unsigned int i = 0; i < n; i++) {
        unsigned int frame = (unsigned int)first + i;

        err = map_frame(remote, refs[i], read_only, frame, &handles[i]);
        if (err) {
            memset(&taken[frame], 0, n - i);
            unmap_frames((unsigned int)first, i, handles);
            free(handles);
            return err;
        }
    }
    out->addr = (void *)frame_address((unsigned int)first);
    out->n = n;
    out->handles = handles;
    return 0;
}

void grant_unmap(struct grant_map *map)
{
    uint64_t frame = page_gfn(map->addr) - start_info->nr_pages - FIRST_FRAME;

    unmap_frames((unsigned int)frame, map->n, map->handles);
    free(map->handles);
    *map = (struct grant_map){ 0 };
}

/* ---- copies ---- */

/* One piece of ours, which ends with its page, and the granted page. */
static void piece(struct gnttab_copy_ptr *theirs, struct gnttab_copy_ptr *ours,
                  domid_t remote, grant_ref_t ref, unsigned int offset,
                  const void *addr)
{
    theirs->u.ref = ref;
    theirs->domid = remote;
    theirs->offset = (uint16_t)offset;
    ours->u.gmfn = page_gfn(addr);
    ours->domid = DOMID_SELF;
    ours->offset = (uint16_t)((uintptr_t)addr & (PAGE_SIZE - 1));
}

static int copy(domid_t remote, grant_ref_t ref, unsigned int offset,
                const void *addr, unsigned int n, uint16_t flags)
{
    if (offset > PAGE_SIZE || n > PAGE_SIZE - offset)
        return -EINVAL;
    for (unsigned int done = 0, len; done < n; done += len) {
        const char *at = (const char *)addr + done;
        struct gnttab_copy op = { .flags = flags };
        bool in = flags & GNTCOPY_source_gref;
        long err;

        piece(in ? &op.source : &op.dest, in ? &op.dest : &op.source, remote,
              ref, offset + done, at);
        len = PAGE_SIZE - ((uintptr_t)at & (PAGE_SIZE - 1));
        if (len > n - done)
            len = n - done;
        op.len = (uint16_t)len;
        err = hypercall_grant_copy(&op, 1);
        if (err || op.status)
            return err ? errno_from_xen(err) : error_of(op.status);
    }
    return 0;
}

int grant_copy_from(domid_t remote, grant_ref_t ref, unsigned int offset,
                    void *to, unsigned int n)
{
    return copy(remote, ref, offset, to, n, GNTCOPY_source_gref);
}

int grant_copy_to(domid_t remote, grant_ref_t ref, unsigned int offset,
                  const void *from, unsigned int n)
{
    return copy(remote, ref, offset, from, n, GNTCOPY_dest_gref);
}
