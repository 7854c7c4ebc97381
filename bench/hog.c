/*
 * Guests that take what they can, and their neighbours, for `ringside bench
 * hostile`. What a neighbour measured are lines "KEY VALUE" on the hypervisor's
 * console: rate (1/s), mean, p99 and max (ns); a hog says "main 0" when it
 * begins, and goes on for ever.
 *
 *   calls N        a neighbour: N cheap hypercalls, 200 us between two
 *   reads N        a neighbour: N reads of 4 KiB from xvda, one after another
 *   hog KIND       what KIND says (kinds[]), on all vCPUs
 *   touch MIB      touches so much memory, then ends
 *   ports          all event channels that it can get
 *   writes         512 indirect requests of 1 MiB each to xvda, always
 */
#include <ringside/blk.h>
#include <ringside/guest.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guest_say.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"

#include <xen/io/blkif.h>

#define PAUSE_NS 200000u
#define SECTORS  (4096 / RS_BLK_SECTOR)

/* ---- neighbours ---- */

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int sum_up(uint64_t *took, size_t n, uint64_t all)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += took[i];
    qsort(took, n, sizeof(*took), ascending);
    say("rate %.1f\n", (double)n * 1e9 / (double)all);
    say("mean %.0f\n", (double)sum / (double)n);
    say("p99 %llu\n", (unsigned long long)took[n - n / 100 - 1]);
    say("max %llu\n", (unsigned long long)took[n - 1]);
    return 0;
}

static int neighbour(size_t n, bool (*once)(void *arg), void *arg,
                     uint64_t pause)
{
    uint64_t *took = calloc(n, sizeof(*took)), begin, start;

    if (!n || !took)
        return 1;
    say("main 0\n");
    begin = rs_now();
    for (size_t i = 0; i < n; i++) {
        if (pause)
            rs_sleep(pause);
        start = rs_now();
        if (!once(arg))
            return 1;
        took[i] = rs_now() - start;
    }
    return sum_up(took, n, rs_now() - begin);
}

static bool call_once(void *arg)
{
    (void)arg;
    return hypercall_xen_version(XENVER_version, NULL, 0) > 0;
}

static bool read_once(void *disk)
{
    static char block[4096] __attribute__((aligned(4096)));
    static uint64_t at;

    at = (at + 7919 * SECTORS) % (rs_blk_sectors(disk) / SECTORS * SECTORS);
    return rs_blk_read(disk, at, block, SECTORS) == 0;
}

static int calls(const char *n)
{
    return neighbour(strtoul(n, NULL, 10), call_once, NULL, PAUSE_NS);
}

static int reads(const char *n)
{
    struct rs_blk *disk;

    if (rs_blk_open("xvda", &disk))
        return 1;
    return neighbour(strtoul(n, NULL, 10), read_once, disk, 0);
}

/* ---- hogs of hypercalls ---- */

#define ENTRIES 4096u

/* What one vCPU works with: a batch, and memory for its arguments. */
struct work {
    struct multicall_entry *batch;
    char *data;
    unsigned int vcpu;
};

static void entry(struct work *w, unsigned int i, unsigned int nr,
                  unsigned long a0, unsigned long a1, const void *a2)
{
    w->batch[i] =
        (struct multicall_entry){ .op = nr,
                                  .args = { a0, a1, (unsigned long)a2 } };
}

static void runstate(struct work *w, unsigned int i)
{
    entry(w, i, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, i % 2, w->data);
}

static void version(struct work *w, unsigned int i)
{
    entry(w, i, __HYPERVISOR_xen_version, XENVER_version, 0, NULL);
}

static void area(struct work *w, unsigned int i)
{
    static struct vcpu_runstate_info to;

    *(uint64_t *)(void *)w->data = (uintptr_t)&to;
    entry(w, i, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area,
          w->vcpu, w->data);
}

static void timers(struct work *w, unsigned int i)
{
    *(uint64_t *)(void *)w->data = 3600000000000ull;
    entry(w, i, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, i % 8,
          w->data);
}

static void up_down(struct work *w, unsigned int i)
{
    entry(w, i, __HYPERVISOR_vcpu_op, i % 2 ? VCPUOP_up : VCPUOP_down,
          1 + (w->vcpu + 3) % 7, NULL);
}

static void console(struct work *w, unsigned int i)
{
    memset(w->data, '\n', 16);
    entry(w, i, __HYPERVISOR_console_io, CONSOLEIO_write, 16, w->data);
}

/* Half of the entries make ports, the others close them. */
static void make_close(struct work *w, unsigned int i)
{
    struct evtchn_alloc_unbound *make = (void *)w->data;
    struct evtchn_close *end = (void *)(w->data + 64 + i % 512 * 8);

    *make = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF,
                                           .remote_dom = DOMID_SELF };
    end->port = 20 + i % 256;
    if (i % 512 < 256)
        entry(w, i, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
              (unsigned long)make, NULL);
    else
        entry(w, i, __HYPERVISOR_event_channel_op, EVTCHNOP_close,
              (unsigned long)end, NULL);
}

static void bind(struct work *w, unsigned int i)
{
    static evtchn_port_t port;
    struct evtchn_bind_vcpu *to = (void *)w->data;

    if (!port && hypercall_evtchn_alloc_unbound(DOMID_SELF, &port))
        port = 0;
    to[i % 2] = (struct evtchn_bind_vcpu){ .port = port, .vcpu = i % 2 };
    entry(w, i, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu,
          (unsigned long)&to[i % 2], NULL);
}

static void copies(struct work *w, unsigned int i)
{
    struct gnttab_copy *c = (void *)w->data;

    c[i % 64] = (struct gnttab_copy){
        .source = { { (uintptr_t)w->data >> PAGE_SHIFT }, DOMID_SELF, 0 },
        .dest = { { ((uintptr_t)w->data >> PAGE_SHIFT) + 4 + i % 8 },
                  DOMID_SELF,
                  0 },
        .len = 4096,
    };
    entry(w, i, __HYPERVISOR_grant_table_op, GNTTABOP_copy,
          (unsigned long)&c[i % 64], (void *)1);
}

static const struct {
    const char *name;
    void (*fill)(struct work *w, unsigned int i);
} kinds[] = {
    { "runstate", runstate }, { "version", version }, { "area", area },
    { "timers", timers },     { "updown", up_down },  { "console", console },
    { "ports", make_close },  { "bind", bind },       { "copies", copies },
};

static void (*fill)(struct work *w, unsigned int i);

#define DATA_PAGES 16u

static void one_vcpu(void *arg)
{
    size_t pages = ENTRIES * sizeof(struct multicall_entry) / PAGE_SIZE;
    struct work w = { .batch = rs_pages_alloc(pages),
                      .data = rs_pages_alloc(DATA_PAGES),
                      .vcpu = (unsigned int)(uintptr_t)arg };

    if (!w.batch || !w.data)
        return;
    memset(w.data, 0, DATA_PAGES * PAGE_SIZE);
    for (unsigned int i = 0; i < ENTRIES; i++)
        fill(&w, i);
    for (;;)
        hypercall5(__HYPERVISOR_multicall, (unsigned long)w.batch, ENTRIES, 0,
                   0, 0);
}

/* Protections of one page, which Linux holds until we were asked. */
static void protect(void *arg)
{
    unsigned long page = (unsigned long)rs_pages_alloc(1);

    (void)arg;
    for (;;) {
        hypercall_update_va_mapping(page, page | 1);
        hypercall_update_va_mapping(page, page | 3);
    }
}

/* 2 MiB are given back, taken again, and touched. */
static void balloon(void *arg)
{
    const unsigned long size = 512 * PAGE_SIZE;
    char *memory = rs_pages_alloc(1024);
    xen_pfn_t gfn;

    (void)arg;
    memory = (char *)(((unsigned long)memory + size - 1) & ~(size - 1));
    gfn = (uintptr_t)memory >> PAGE_SHIFT;
    for (;;) {
        struct xen_memory_reservation r = { .nr_extents = 1,
                                            .extent_order = 9,
                                            .domid = DOMID_SELF };

        memset(memory, 1, size);
        set_xen_guest_handle(r.extent_start, &gfn);
        hypercall_memory_op(XENMEM_decrease_reservation, &r, sizeof(r));
        hypercall_memory_op(XENMEM_populate_physmap, &r, sizeof(r));
    }
}

/* Interrupts of a timer of each vCPU, every millisecond, while all compute. */
static void ticks(void *arg)
{
    struct vcpu_set_periodic_timer op = { 1000000 };

    hypercall_vcpu_op(VCPUOP_set_periodic_timer, (unsigned int)(uintptr_t)arg,
                      &op);
    for (;;)
        __asm__ __volatile__("pause" : : : "memory");
}

static void (*hog_of(const char *kind))(void *)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strcmp(kinds[i].name, kind)) {
            fill = kinds[i].fill;
            return one_vcpu;
        }
    if (!strcmp(kind, "protect"))
        return protect;
    if (!strcmp(kind, "balloon"))
        return balloon;
    return strcmp(kind, "ticks") ? NULL : ticks;
}

static int hog(const char *kind)
{
    void (*run)(void *) = hog_of(kind);

    if (!run)
        return 1;
    say("main 0\n");
    for (uintptr_t i = 1; i < rs_vcpus_online(); i++)
        rs_thread_create("hog", run, (void *)i, 0);
    run(NULL);
    return 0;
}

/* ---- memory, ports ---- */

static int touch(const char *mib)
{
    unsigned long n = strtoul(mib, NULL, 10);

    for (unsigned long i = 0; i < n; i++) {
        char *p = rs_pages_alloc(256);

        for (int k = 0; p && k < 256; k++)
            p[k * PAGE_SIZE] = 1;
    }
    say("main 0\n");
    return 0;
}

static int ports(const char *unused)
{
    evtchn_port_t port;

    (void)unused;
    say("main 0\n");
    for (;;)
        if (hypercall_evtchn_alloc_unbound(DOMID_SELF, &port))
            rs_sleep(1000000);
    return 0;
}

/* ---- the disk ---- */

#define ORDER    4u /* 16 pages: as many requests as a ring may have */
#define SEGMENTS 256u
#define DISK     "device/vbd/51712"

/* Our own frontend: the kernel's would not do this. */
static struct {
    blkif_front_ring_t ring;
    struct rs_event *event;
    uint32_t page[SEGMENTS], indirect;
    char *backend;
} front;

static int write_node(const char *name, unsigned int value)
{
    char path[64], text[16];

    snprintf(path, sizeof(path), DISK "/%s", name);
    snprintf(text, sizeof(text), "%u", value);
    return rs_store_write(path, text);
}

static int wait_backend(char state)
{
    char path[128], *now;
    bool there = false;

    snprintf(path, sizeof(path), "%s/state", front.backend);
    for (int i = 0; i < 5000 && !there; i++) {
        if (rs_store_read(path, &now))
            return -ENODEV;
        there = now[0] == state;
        free(now);
        if (!there)
            rs_sleep(1000000);
    }
    return there ? 0 : -ETIMEDOUT;
}

static int share_ring(unsigned int domid)
{
    char *pages = rs_pages_alloc(1u << ORDER), name[16];
    uint32_t ref;
    int err = pages ? 0 : -ENOMEM;

    if (err)
        return err;
    memset(pages, 0, PAGE_SIZE << ORDER);
    SHARED_RING_INIT((blkif_sring_t *)(void *)pages);
    FRONT_RING_INIT(&front.ring, (blkif_sring_t *)(void *)pages,
                    PAGE_SIZE << ORDER);
    for (unsigned int i = 0; i < 1u << ORDER && !err; i++) {
        err = rs_grant(domid, pages + i * PAGE_SIZE, false, &ref);
        snprintf(name, sizeof(name), "ring-ref%u", i);
        if (!err)
            err = write_node(name, ref);
    }
    return err ? err : write_node("ring-page-order", ORDER);
}

/* The same pages for all requests: what counts is that they are in flight. */
static int share_data(unsigned int domid)
{
    char *pages = rs_pages_alloc(SEGMENTS);
    struct blkif_request_segment *seg = rs_pages_alloc(1);
    int err = pages && seg ? 0 : -ENOMEM;

    if (err)
        return err;
    memset(pages, 'x', SEGMENTS * PAGE_SIZE);
    memset(seg, 0, PAGE_SIZE);
    for (unsigned int i = 0; i < SEGMENTS && !err; i++) {
        err = rs_grant(domid, pages + i * PAGE_SIZE, true, &front.page[i]);
        seg[i] = (struct blkif_request_segment){ .gref = front.page[i],
                                                 .last_sect = SECTORS - 1 };
    }
    return err ? err : rs_grant(domid, seg, true, &front.indirect);
}

static int connect_disk(void)
{
    unsigned int domid = 1; /* of the driver domain */
    int err = rs_store_read(DISK "/backend", &front.backend);

    if (!err)
        err = wait_backend('2');
    if (!err)
        err = share_ring(domid);
    if (!err)
        err = share_data(domid);
    if (!err)
        err = rs_event_listen(domid, &front.event);
    if (!err)
        err = write_node("event-channel", rs_event_port(front.event));
    if (!err)
        err = rs_store_write(DISK "/protocol", "x86_64-abi");
    if (!err)
        err = write_node("state", 3);
    if (!err)
        err = wait_backend('4');
    return err ? err : write_node("state", 4);
}

static void put_write(uint64_t id)
{
    blkif_request_indirect_t r = {
        .operation = BLKIF_OP_INDIRECT,
        .indirect_op = BLKIF_OP_WRITE,
        .nr_segments = SEGMENTS,
        .id = id,
        .sector_number = id % 16 * SEGMENTS * SECTORS,
        .indirect_grefs = { front.indirect },
    };

    memcpy(RING_GET_REQUEST(&front.ring, front.ring.req_prod_pvt), &r,
           sizeof(r));
    front.ring.req_prod_pvt++;
}

static int writes(const char *unused)
{
    unsigned int size;
    RING_IDX answered;
    int notify;

    (void)unused;
    if (connect_disk())
        return 1;
    size = RING_SIZE(&front.ring);
    say("main 0\n");
    for (;;) {
        answered = READ_ONCE(front.ring.sring->rsp_prod);
        while (front.ring.req_prod_pvt - answered < size)
            put_write(front.ring.req_prod_pvt);
        front.ring.rsp_cons = answered;
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front.ring, notify);
        if (notify)
            rs_event_notify(front.event);
        rs_event_wait(front.event, 1000000);
    }
    return 0;
}

static const struct {
    const char *name;
    int (*run)(const char *arg);
} jobs[] = {
    { "calls", calls }, { "reads", reads }, { "hog", hog },
    { "touch", touch }, { "ports", ports }, { "writes", writes },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++)
        if (!strcmp(jobs[i].name, argv[1]))
            return jobs[i].run(argc > 2 ? argv[2] : "");
    printf("this guest is for `ringside bench hostile`\n");
    return 1;
}
