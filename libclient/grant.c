/*
 * Grant windows of a connection: one mapping of each granter's memory file,
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

#include "buckets.h"
#include "internal.h"
#include "xen_compat.h"

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

static int make_windows(struct rs_client *c)
{
    if (c->windows)
        return 0;
    c->windows = malloc(sizeof(*c->windows));
    if (!c->windows)
        return -ENOMEM;
    buckets_init(c->windows);
    return 0;
}

static long grant_op(struct rs_client *c, unsigned int cmd, void *ops,
                     size_t size, unsigned int n)
{
    return rs_client_hypercall(c, __HYPERVISOR_grant_table_op, cmd, ops, size,
                               n);
}

static long map_grants(struct rs_client *c, struct gnttab_map_grant_ref *ops,
                       unsigned int n)
{
    return grant_op(c, GNTTABOP_map_grant_ref, ops, sizeof(*ops), n);
}

static struct window *window_at(struct rs_client *c, uint16_t domid,
                                const void *addr)
{
    struct list *pos, *windows = bucket(c->windows, domid);

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

static void window_close(struct rs_client *c, struct window *w)
{
    struct control_message m = CONTROL_MESSAGE(&w->id, sizeof(w->id));
    struct control_reply r = CONTROL_REPLY(NULL, 0);

    munmap(w->base, w->size);
    w->base = NULL;
    control_exchange(c, CONTROL_WINDOW_CLOSE, &m, &r);
    window_free(w);
}

static void close_unused(struct rs_client *c)
{
    while (!list_empty(&c->idle))
        window_close(c, container_of(c->idle.next, struct window, idle));
}

void windows_clear(struct rs_client *c)
{
    for (uint32_t key = 0; c->windows && key < BUCKETS; key++) {
        struct list *windows = bucket(c->windows, key);

        while (!list_empty(windows))
            window_close(c, container_of(windows->next, struct window, link));
    }
    free(c->windows);
    c->windows = NULL;
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

static int window_open(struct rs_client *c, uint16_t domid)
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
    int err = control_exchange(c, CONTROL_WINDOW_FILE, &m, &file);

    if (!err)
        err = window_place(w, file.fds[0]);
    if (!err)
        err = control_exchange(c, CONTROL_WINDOW_OPEN, &m, &none);
    /* Only now: before, a touch would have reached the file itself. */
    if (!err && mprotect(w->base, w->size, PROT_READ | PROT_WRITE))
        err = -errno;
    if (err) {
        window_free(w);
        return err;
    }
    list_add_head(bucket(c->windows, domid), &w->link);
    list_add_head(&c->idle, &w->idle);
    return 0;
}

static struct gnttab_map_grant_ref map_op(uint16_t domid, uint32_t ref,
                                          bool read_only)
{
    return (struct gnttab_map_grant_ref){
        .flags = GNTMAP_host_map | (read_only ? GNTMAP_readonly : 0),
        .ref = ref,
        .dom = domid,
    };
}

/* Again, what was refused for want of the window that there is now. */
static long map_again(struct rs_client *c, struct gnttab_map_grant_ref *ops,
                      unsigned int n)
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
    long err = map_grants(c, again, count);
    for (unsigned int i = 0; !err && i < count; i++)
        ops[at[i]] = again[i];
    return err;
}

/* Maps at most MAP_BATCH; opens the granter's window if there is none. */
static int map_batch(struct rs_client *c, uint16_t domid, const uint32_t *refs,
                     unsigned int n, bool read_only,
                     struct gnttab_map_grant_ref *ops)
{
    bool no_window = false;

    for (unsigned int i = 0; i < n; i++)
        ops[i] = map_op(domid, refs[i], read_only);
    long err = map_grants(c, ops, n);
    for (unsigned int i = 0; !err && i < n; i++)
        no_window |= ops[i].status == GNTST_no_device_space;
    if (err || !no_window)
        return err;
    err = window_open(c, domid);
    return err ? err : map_again(c, ops, n);
}

static bool take_result(struct rs_client *c,
                        const struct gnttab_map_grant_ref *op,
                        struct rs_client_mapping *out)
{
    *out = (struct rs_client_mapping){
        .domid = op->dom,
        .ref = op->ref,
        .handle = op->handle,
        .status = op->status,
    };
    if (op->status != GNTST_okay)
        return false;
    /* The hypervisor chose the address; Xen's field for such answers. */
    out->addr = (void *)(uintptr_t)op->dev_bus_addr;
    struct window *w = window_at(c, op->dom, out->addr);
    if (w->mapped++ == 0)
        list_del(&w->idle);
    w->pages[((uint8_t *)out->addr - w->base) / PAGE_SIZE]++;
    return true;
}

static void give_up(uint16_t domid, const uint32_t *refs, unsigned int n,
                    struct rs_client_mapping *out)
{
    for (unsigned int i = 0; i < n; i++) {
        out[i] = (struct rs_client_mapping){ .domid = domid,
                                             .ref = refs[i],
                                             .status = GNTST_general_error };
    }
}

int rs_client_map_grants(struct rs_client *c, uint16_t domid,
                         const uint32_t *refs, unsigned int n, bool read_only,
                         struct rs_client_mapping *out)
{
    struct gnttab_map_grant_ref ops[MAP_BATCH];
    int mapped = 0, err = make_windows(c);

    if (err)
        return err;
    for (unsigned int done = 0; done < n;) {
        unsigned int count = n - done < MAP_BATCH ? n - done : MAP_BATCH;
        err = map_batch(c, domid, refs + done, count, read_only, ops);

        if (err) {
            give_up(domid, refs + done, n - done, out + done);
            mapped = done ? mapped : err;
            break;
        }
        for (unsigned int i = 0; i < count; i++)
            mapped += take_result(c, &ops[i], &out[done + i]);
        done += count;
    }
    close_unused(c);
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
static void drop_page(struct rs_client *c, struct run *r,
                      const struct rs_client_mapping *map)
{
    struct window *w = window_at(c, map->domid, map->addr);
    uint8_t *addr = map->addr;

    assert(w); /* it is not closed while a page is mapped */
    if (--w->mapped == 0)
        list_add_head(&c->idle, &w->idle);
    if (--w->pages[(addr - w->base) / PAGE_SIZE])
        return;
    if (!r->start || addr != r->end) {
        drop_run(r);
        r->start = addr;
    }
    r->end = addr + PAGE_SIZE;
}

static int unmap_batch(struct rs_client *c, struct rs_client_mapping *maps,
                       unsigned int n)
{
    struct gnttab_unmap_grant_ref ops[MAP_BATCH];
    struct run run = { .start = NULL };
    unsigned int count = 0;
    long err;

    for (unsigned int i = 0; i < n; i++) {
        struct rs_client_mapping *map = &maps[i];

        if (map->status != GNTST_okay)
            continue;
        ops[count++] =
            (struct gnttab_unmap_grant_ref){ .host_addr = (uintptr_t)map->addr,
                                             .handle = map->handle };
        drop_page(c, &run, map);
        map->addr = NULL;
        map->status = GNTST_bad_handle;
    }
    drop_run(&run);
    err = count ? grant_op(c, GNTTABOP_unmap_grant_ref, ops, sizeof(ops[0]),
                           count)
                : 0;
    for (unsigned int i = 0; !err && i < count; i++)
        if (ops[i].status != GNTST_okay)
            err = -EIO;
    return err ? (int)err : run.err;
}

int rs_client_unmap_grants(struct rs_client *c, struct rs_client_mapping *maps,
                           unsigned int n)
{
    int err = 0;

    for (unsigned int done = 0; done < n; done += MAP_BATCH) {
        unsigned int count = n - done < MAP_BATCH ? n - done : MAP_BATCH;
        int failed = unmap_batch(c, maps + done, count);

        err = failed ? failed : err;
    }
    close_unused(c);
    return err;
}

bool rs_client_grants_strict(const struct rs_client *c)
{
    return c->strict;
}
