/*
 * Grant windows of this process: one mapping of each granter's memory file,
 * in which the hypervisor shows the granted pages (docs/control.md).
 *
 * A window lives from the first mapping of its granter to the last. A domid
 * that was used again has a second window beside the first, until the last
 * mapping of the old domain is gone.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "hypercall.h"
#include "buckets.h"
#include "connection.h"
#include "list.h"

#define MAP_BATCH 256u

struct window {
    struct list link; /* by granter */
    struct list idle; /* while nothing is mapped in it */
    struct control_window id;
    uint8_t *base;
    size_t size;
    unsigned int mapped; /* mappings in it */
    uint32_t *pages;     /* mappings of each page */
};

static struct list idle = LIST_INIT(idle);

/* The windows of a granter, among others. */
static struct list *windows_of(domid_t domid)
{
    static struct buckets windows;

    if (!windows.list[0].next)
        buckets_init(&windows);
    return bucket(&windows, domid);
}

static struct window *window_at(domid_t domid, const void *addr)
{
    struct list *pos, *windows = windows_of(domid);

    list_for_each(pos, windows) {
        struct window *w = container_of(pos, struct window, link);

        if ((const uint8_t *)addr >= w->base &&
            (const uint8_t *)addr < w->base + w->size)
            return w;
    }
    return NULL;
}

static void window_free(struct window *w)
{
    list_del(&w->link);
    list_del(&w->idle);
    if (w->base)
        munmap(w->base, w->size);
    free(w->pages);
    free(w);
}

static void window_close(struct window *w)
{
    struct control_message m = CONTROL_MESSAGE(&w->id, sizeof(w->id));
    struct control_reply r = CONTROL_REPLY(NULL, 0);

    munmap(w->base, w->size);
    w->base = NULL;
    control_exchange(CONTROL_WINDOW_CLOSE, &m, &r);
    window_free(w);
}

static void close_unused(void)
{
    while (!list_empty(&idle))
        window_close(container_of(idle.next, struct window, idle));
}

void windows_clear(void)
{
    for (domid_t key = 0; key < BUCKETS; key++) {
        struct list *windows = windows_of(key);

        while (!list_empty(windows))
            window_close(container_of(windows->next, struct window, link));
    }
}

/* Maps the file with no access; nothing but the window keeps it. */
static int window_place(struct window *w, int file)
{
    w->size = w->id.size;
    w->pages = calloc(w->size / PAGE_SIZE, sizeof(*w->pages));
    void *p = mmap(NULL, w->size, PROT_NONE, MAP_SHARED, file, 0);
    int err = p == MAP_FAILED ? -errno : w->pages ? 0 : -ENOMEM;

    close(file);
    if (p == MAP_FAILED)
        return err;
    w->base = p;
    w->id.address = (uintptr_t)p;
    if (!err && (madvise(p, w->size, MADV_DONTFORK) ||
                 madvise(p, w->size, MADV_DONTDUMP)))
        err = -errno;
    return err;
}

static int window_open(domid_t domid)
{
    struct window *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    list_init(&w->link);
    list_init(&w->idle);
    w->id.domid = domid;
    struct control_message m = CONTROL_MESSAGE(&w->id, sizeof(w->id));
    struct control_reply file = CONTROL_REPLY(&w->id, sizeof(w->id));
    struct control_reply none = CONTROL_REPLY(NULL, 0);
    int err = control_exchange(CONTROL_WINDOW_FILE, &m, &file);

    if (!err)
        err = window_place(w, file.fds[0]);
    if (!err)
        err = control_exchange(CONTROL_WINDOW_OPEN, &m, &none);
    /* Only now: before, a touch would have reached the file itself. */
    if (!err && mprotect(w->base, w->size, PROT_READ | PROT_WRITE))
        err = -errno;
    if (err) {
        window_free(w);
        return err;
    }
    list_add_head(windows_of(domid), &w->link);
    list_add_head(&idle, &w->idle);
    return 0;
}

static struct gnttab_map_grant_ref map_op(domid_t domid, grant_ref_t ref,
                                          bool read_only)
{
    return (struct gnttab_map_grant_ref){
        .flags = GNTMAP_host_map | (read_only ? GNTMAP_readonly : 0),
        .ref = ref,
        .dom = domid,
    };
}

/* Again, what was refused for want of the window that there is now. */
static long map_again(struct gnttab_map_grant_ref *ops, unsigned int n)
{
    struct gnttab_map_grant_ref again[MAP_BATCH];
    unsigned int at[MAP_BATCH], count = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (ops[i].status == GNTST_no_device_space) {
            again[count] =
                map_op(ops[i].dom, ops[i].ref, ops[i].flags & GNTMAP_readonly);
            at[count++] = i;
        }
    }
    long err = hypercall_grant_map(again, count);
    for (unsigned int i = 0; !err && i < count; i++)
        ops[at[i]] = again[i];
    return err;
}

/* Maps at most MAP_BATCH; opens the granter's window if there is none. */
static int map_batch(domid_t domid, const grant_ref_t *refs, unsigned int n,
                     bool read_only, struct gnttab_map_grant_ref *ops)
{
    bool no_window = false;

    for (unsigned int i = 0; i < n; i++)
        ops[i] = map_op(domid, refs[i], read_only);
    long err = hypercall_grant_map(ops, n);
    for (unsigned int i = 0; !err && i < n; i++)
        no_window |= ops[i].status == GNTST_no_device_space;
    if (err || !no_window)
        return err;
    err = window_open(domid);
    return err ? err : map_again(ops, n);
}

static bool take_result(const struct gnttab_map_grant_ref *op,
                        struct grant_mapping *out)
{
    *out = (struct grant_mapping){
        .domid = op->dom,
        .ref = op->ref,
        .handle = op->handle,
        .status = op->status,
    };
    if (op->status != GNTST_okay)
        return false;
    /* The hypervisor chose the address; Xen's field for such answers. */
    out->addr = (void *)(uintptr_t)op->dev_bus_addr;
    struct window *w = window_at(op->dom, out->addr);
    if (w->mapped++ == 0)
        list_del(&w->idle);
    w->pages[((uint8_t *)out->addr - w->base) / PAGE_SIZE]++;
    return true;
}

static void give_up(domid_t domid, const grant_ref_t *refs, unsigned int n,
                    struct grant_mapping *out)
{
    for (unsigned int i = 0; i < n; i++) {
        out[i] = (struct grant_mapping){ .domid = domid,
                                         .ref = refs[i],
                                         .status = GNTST_general_error };
    }
}

int grant_map_range(domid_t domid, const grant_ref_t *refs, unsigned int n,
                    bool read_only, struct grant_mapping *out)
{
    struct gnttab_map_grant_ref ops[MAP_BATCH];
    int mapped = 0;

    for (unsigned int done = 0; done < n;) {
        unsigned int count = n - done < MAP_BATCH ? n - done : MAP_BATCH;
        int err = map_batch(domid, refs + done, count, read_only, ops);

        if (err) {
            give_up(domid, refs + done, n - done, out + done);
            mapped = done ? mapped : err;
            break;
        }
        for (unsigned int i = 0; i < count; i++)
            mapped += take_result(&ops[i], &out[done + i]);
        done += count;
    }
    close_unused();
    return mapped;
}

/* Neighbouring pages are dropped by one call. */
struct run {
    uint8_t *start, *end;
    int err;
};

static void drop_run(struct run *r)
{
    if (r->start && madvise(r->start, r->end - r->start, MADV_DONTNEED))
        r->err = -errno;
    r->start = NULL;
}

/* The page of one mapping goes if no other mapping shows it. */
static void drop_page(struct run *r, const struct grant_mapping *map)
{
    struct window *w = window_at(map->domid, map->addr);
    uint8_t *addr = map->addr;

    assert(w); /* it is not closed while a page is mapped */
    if (--w->mapped == 0)
        list_add_head(&idle, &w->idle);
    if (--w->pages[(addr - w->base) / PAGE_SIZE])
        return;
    if (!r->start || addr != r->end) {
        drop_run(r);
        r->start = addr;
    }
    r->end = addr + PAGE_SIZE;
}

static int unmap_batch(struct grant_mapping *maps, unsigned int n)
{
    struct gnttab_unmap_grant_ref ops[MAP_BATCH];
    struct run run = { .start = NULL };
    unsigned int count = 0;
    long err;

    for (unsigned int i = 0; i < n; i++) {
        struct grant_mapping *map = &maps[i];

        if (map->status != GNTST_okay)
            continue;
        ops[count++] =
            (struct gnttab_unmap_grant_ref){ .host_addr = (uintptr_t)map->addr,
                                             .handle = map->handle };
        drop_page(&run, map);
        map->addr = NULL;
        map->status = GNTST_bad_handle;
    }
    drop_run(&run);
    err = count ? hypercall_grant_unmap(ops, count) : 0;
    for (unsigned int i = 0; !err && i < count; i++)
        if (ops[i].status != GNTST_okay)
            err = -EIO;
    return err ? (int)err : run.err;
}

int grant_unmap_range(struct grant_mapping *maps, unsigned int n)
{
    int err = 0;

    for (unsigned int done = 0; done < n; done += MAP_BATCH) {
        unsigned int count = n - done < MAP_BATCH ? n - done : MAP_BATCH;
        int failed = unmap_batch(maps + done, count);

        err = failed ? failed : err;
    }
    close_unused();
    return err;
}
