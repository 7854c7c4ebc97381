/*
 * Grants (<xen/grant_table.h>, version 1): who may map what, what is pinned
 * meanwhile, and what remains afterwards: nothing.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

#define GRANT_GFN (CORE_RAM >> 12)
#define HOLE(i)   ((CORE_APERTURE_GFN + (i)) << 12) /* a free address */

static struct {
    struct rs_host *h;
    uint16_t granter, mapper;
} fx;

static grant_entry_v1_t *entry(uint32_t ref)
{
    grant_entry_v1_t *frame =
        memory_own_page(core_domain(fx.h, fx.granter), MEMORY_OWN_GRANT);

    return &frame[ref];
}

static void grant(uint32_t ref, uint16_t domid, uint64_t gfn, uint16_t flags)
{
    entry(ref)->domid = domid;
    entry(ref)->frame = (uint32_t)gfn;
    entry(ref)->flags = GTF_permit_access | flags;
}

static struct gnttab_map_grant_ref map_of(uint32_t ref, uint64_t addr,
                                          uint32_t flags)
{
    return (struct gnttab_map_grant_ref){ .host_addr = addr,
                                          .flags = GNTMAP_host_map | flags,
                                          .ref = ref,
                                          .dom = fx.granter };
}

static int do_map_as(uint16_t d, struct gnttab_map_grant_ref *op)
{
    assert_int_equal(core_op(fx.h, d, __HYPERVISOR_grant_table_op,
                             GNTTABOP_map_grant_ref, op, sizeof(*op)),
                     0);
    return op->status;
}

static int do_map(struct gnttab_map_grant_ref *op)
{
    return do_map_as(fx.mapper, op);
}

static int map(uint32_t ref, uint64_t addr, uint32_t flags, uint32_t *handle)
{
    struct gnttab_map_grant_ref op = map_of(ref, addr, flags);
    int status = do_map(&op);

    *handle = op.handle;
    return status;
}

static int unmap(uint32_t handle, uint64_t addr)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = addr, .handle = handle };

    assert_int_equal(core_op(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_unmap_grant_ref, &op, sizeof(op)),
                     0);
    return op.status;
}

static uint64_t pins(void)
{
    return core_domain(fx.h, fx.granter)->memory.pins;
}

static unsigned int mapped(void)
{
    struct rs_domain_info info;

    assert_int_equal(rs_domain_info(fx.h, fx.mapper, &info), 0);
    return info.grants_mapped;
}

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    fx.granter = core_boot(fx.h);
    fx.mapper = core_boot(fx.h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

/* ---- what works ---- */

static void test_map_unmap(void **state)
{
    char *theirs = core_at(fx.h, fx.granter, CORE_RAM);
    uint32_t h;

    (void)state;
    strcpy(theirs, "hello");
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(5), 0, &h), GNTST_okay);
    assert_int_equal(entry(20)->flags,
                     GTF_permit_access | GTF_reading | GTF_writing);
    assert_ptr_equal(core_at(fx.h, fx.mapper, HOLE(5)), theirs);
    assert_int_equal(pins(), 1);
    assert_int_equal(mapped(), 1);
    /* The hypervisor writes its answers there, too. */
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_xen_version,
                               XENVER_extraversion, HOLE(5), 0),
                     0);
    assert_string_equal(theirs, "-ringside");
    assert_int_equal(unmap(h, HOLE(5)), GNTST_okay);
    assert_int_equal(entry(20)->flags, GTF_permit_access);
    assert_int_equal(pins(), 0);
    assert_int_equal(mapped(), 0);
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_xen_version,
                               XENVER_extraversion, HOLE(5), 0),
                     -EFAULT);
    assert_int_equal(unmap(h, HOLE(5)), GNTST_bad_handle);
}

static void test_readonly(void **state)
{
    uint32_t r, w;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, GTF_readonly);
    assert_int_equal(map(20, HOLE(0), 0, &w), GNTST_general_error);
    assert_int_equal(w, ~0u);
    assert_int_equal(entry(20)->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(map(20, HOLE(0), GNTMAP_readonly, &r), GNTST_okay);
    assert_int_equal(entry(20)->flags,
                     GTF_permit_access | GTF_readonly | GTF_reading);
    /* The hypervisor does not write there on the mapper's behalf. */
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_xen_version,
                               XENVER_extraversion, HOLE(0), 0),
                     -EFAULT);
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_console_io,
                               CONSOLEIO_write, 5, HOLE(0)),
                     0);
    assert_int_equal(unmap(r, HOLE(0)), GNTST_okay);
    assert_int_equal(entry(20)->flags, GTF_permit_access | GTF_readonly);
}

/* GTF_writing goes with the last writer, GTF_reading with the last of all. */
static void test_reading_and_writing(void **state)
{
    uint32_t r, w1, w2;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(0), GNTMAP_readonly, &r), GNTST_okay);
    assert_int_equal(entry(20)->flags, GTF_permit_access | GTF_reading);
    assert_int_equal(map(20, HOLE(1), 0, &w1), GNTST_okay);
    assert_int_equal(map(20, HOLE(2), 0, &w2), GNTST_okay);
    assert_int_equal(pins(), 1);
    assert_int_equal(unmap(w1, HOLE(1)), GNTST_okay);
    assert_int_equal(entry(20)->flags,
                     GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(w2, HOLE(2)), GNTST_okay);
    assert_int_equal(entry(20)->flags, GTF_permit_access | GTF_reading);
    assert_int_equal(unmap(r, HOLE(0)), GNTST_okay);
    assert_int_equal(entry(20)->flags, GTF_permit_access);
    assert_int_equal(pins(), 0);
}

static void test_batch(void **state)
{
    struct gnttab_map_grant_ref *op = core_at(fx.h, fx.mapper, CORE_ARG);
    struct gnttab_unmap_grant_ref *un = (void *)op;
    uint32_t handle[8];

    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        grant(100 + i, fx.mapper, GRANT_GFN + i, 0);
        op[i] = map_of(100 + i, HOLE(i), 0);
    }
    op[3].ref = 99; /* nothing granted: the others are not concerned */
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                               GNTTABOP_map_grant_ref, CORE_ARG, 8),
                     0);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(op[i].status,
                         i == 3 ? GNTST_general_error : GNTST_okay);
        handle[i] = op[i].handle;
    }
    assert_int_equal(mapped(), 7);
    for (uint32_t i = 0; i < 8; i++)
        un[i] = (struct gnttab_unmap_grant_ref){ .host_addr = HOLE(i),
                                                 .handle = handle[i] };
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                               GNTTABOP_unmap_grant_ref, CORE_ARG, 8),
                     0);
    assert_int_equal(un[3].status, GNTST_bad_handle);
    assert_int_equal(un[7].status, GNTST_okay);
    assert_int_equal(mapped(), 0);
    assert_int_equal(pins(), 0);
}

/* One may grant to oneself. */
static void test_self(void **state)
{
    uint32_t h;

    (void)state;
    fx.mapper = fx.granter;
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(unmap(h, HOLE(0)), GNTST_okay);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(pins(), 1);
    assert_int_equal(rs_domain_destroy(fx.h, fx.granter), 0);
    assert_null(core_domain(fx.h, fx.granter));
}

/* ---- what is refused ---- */

/* Where the mapper may put it: a free frame of the aperture, whole pages. */
static void test_bad_addresses(void **state)
{
    const uint64_t bad[] = { HOLE(0) + 8,
                             CORE_RAM,
                             0,
                             CORE_RAM_END,
                             HOLE(MEMORY_APERTURE_PAGES - 1),
                             ~0ull << 12,
                             1ull << 63 };
    uint32_t h, other;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(map(20, bad[i], 0, &h), GNTST_bad_virt_addr);
        assert_int_equal(entry(20)->flags, GTF_permit_access);
    }
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(map(20, HOLE(0), 0, &other), GNTST_bad_virt_addr);
    assert_int_equal(unmap(h, HOLE(1)), GNTST_general_error);
    assert_int_equal(unmap(h + 1, HOLE(0)), GNTST_bad_handle);
    assert_int_equal(unmap(~0u, HOLE(0)), GNTST_bad_handle);
    assert_int_equal(pins(), 1);
    assert_int_equal(unmap(h, HOLE(0)), GNTST_okay);
}

/* Frames that are not RAM of the granter cannot be granted. */
static void test_bad_frames(void **state)
{
    const uint64_t bad[] = { 0,
                             255,
                             CORE_PAGES,
                             CORE_APERTURE_GFN + 1,
                             CORE_PAGES + MEMORY_APERTURE_PAGES,
                             0xffffffff };
    uint32_t h;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        grant(20, fx.mapper, bad[i], 0);
        assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_bad_page);
        assert_int_equal(entry(20)->flags, GTF_permit_access);
    }
    grant(20, fx.mapper, CORE_PAGES - 1, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(unmap(h, HOLE(0)), GNTST_okay);
    assert_int_equal(pins(), 0);
}

static void test_bad_calls(void **state)
{
    const unsigned int nr = __HYPERVISOR_grant_table_op;
    struct gnttab_map_grant_ref *op = core_at(fx.h, fx.mapper, CORE_ARG);

    (void)state;
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_map_grant_ref, 0, 1), -EFAULT);
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_unmap_grant_ref, ~0ull, 1),
        -EFAULT);
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_map_grant_ref, 0, 0), 0);
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_map_grant_ref, CORE_ARG, ~0u),
        -EINVAL);
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_transfer, CORE_ARG, 1),
        -ENOSYS);
    assert_int_equal(core_call(fx.h, fx.mapper, nr, ~0ull, CORE_ARG, 1),
                     -ENOSYS);
    /* The array ends with memory: what came before it was done. */
    grant(20, fx.mapper, GRANT_GFN, 0);
    op = core_at(fx.h, fx.mapper, CORE_RAM);
    *op = map_of(20, HOLE(0), 0);
    assert_int_equal(
        core_call(fx.h, fx.mapper, nr, GNTTABOP_map_grant_ref, CORE_RAM, 2), 0);
    assert_int_equal(op[0].status, GNTST_okay);
    assert_int_equal(op[1].status, GNTST_bad_gntref);
}

/* An array of any length is done, however many turns it takes. */
static void test_long_array(void **state)
{
    enum { N = 9000 };
    const size_t size = sizeof(struct gnttab_copy);
    struct gnttab_copy op = { .source = { { GRANT_GFN }, DOMID_SELF, 0 },
                              .dest = { { GRANT_GFN }, DOMID_SELF, 64 },
                              .len = 64 };
    uint64_t at = CORE_RAM + 8192;

    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        op.status = 77;
        for (size_t k = 0; k < size; k++) /* they cross pages */
            *(uint8_t *)core_at(fx.h, fx.mapper, at + i * size + k) =
                ((uint8_t *)&op)[k];
    }
    assert_true(at + N * size < CORE_RAM_END);
    assert_int_equal(core_call(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                               GNTTABOP_copy, at, N),
                     0);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t status = at + i * size + offsetof(struct gnttab_copy, status);

        assert_int_equal(*(int16_t *)core_at(fx.h, fx.mapper, status), 0);
    }
}

/* ---- hostile granters ---- */

/* The entry is read once: changing it does not move a mapping. */
static void test_entry_changed_while_mapped(void **state)
{
    void *page = core_at(fx.h, fx.granter, CORE_RAM);
    struct gnttab_map_grant_ref op = map_of(20, HOLE(2), 0);
    uint32_t h, again;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    entry(20)->frame = GRANT_GFN + 1;
    assert_int_equal(map(20, HOLE(1), 0, &again), GNTST_okay);
    assert_ptr_equal(core_at(fx.h, fx.mapper, HOLE(1)), page);
    /* It cannot be handed to a third while it is mapped. */
    entry(20)->domid = fx.granter;
    entry(20)->flags = 0;
    op.ref = 20;
    assert_int_equal(do_map_as(fx.granter, &op), GNTST_general_error);
    entry(20)->domid = fx.mapper;
    assert_int_equal(unmap(0, HOLE(0)), GNTST_okay);
    assert_int_equal(unmap(1, HOLE(1)), GNTST_okay);
    assert_int_equal(pins(), 0);
    assert_int_equal(
        core_domain(fx.h, fx.granter)->memory.frames[GRANT_GFN + 1].pins, 0);
    grant(20, fx.mapper, GRANT_GFN + 1, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_ptr_equal(core_at(fx.h, fx.mapper, HOLE(0)), (char *)page + 4096);
}

static void test_entry_of_another_mapper(void **state)
{
    uint16_t third = core_boot(fx.h);
    struct gnttab_map_grant_ref op;
    uint32_t h;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    entry(20)->domid = third;
    op = map_of(20, HOLE(0), 0);
    assert_int_equal(do_map_as(third, &op), GNTST_general_error);
    assert_int_equal(unmap(h, HOLE(0)), GNTST_okay);
    op = map_of(20, HOLE(0), 0);
    assert_int_equal(do_map_as(third, &op), GNTST_okay);
}

/* ---- handles ---- */

static void test_handles_are_used_again(void **state)
{
    uint32_t h, max = 0;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(map(20, HOLE(i % 64), 0, &h), GNTST_okay);
        max = h > max ? h : max;
        assert_int_equal(unmap(h, HOLE(i % 64)), GNTST_okay);
    }
    assert_true(max < 64);
}

static void test_many(void **state)
{
    static uint32_t handle[3000];

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    for (uint32_t i = 0; i < 3000; i++)
        assert_int_equal(map(20, HOLE(i), 0, &handle[i]), GNTST_okay);
    for (uint32_t i = 0; i < 3000; i++)
        for (uint32_t k = i + 1; k < i + 3 && k < 3000; k++)
            assert_int_not_equal(handle[i], handle[k]);
    assert_int_equal(mapped(), 3000);
    assert_int_equal(pins(), 1);
    for (uint32_t i = 0; i < 3000; i += 2)
        assert_int_equal(unmap(handle[i], HOLE(i)), GNTST_okay);
    assert_int_equal(mapped(), 1500);
    /* The rest goes with the mapper. */
    assert_int_equal(rs_domain_destroy(fx.h, fx.mapper), 0);
    assert_int_equal(pins(), 0);
    assert_int_equal(entry(20)->flags, GTF_permit_access);
}

/* ---- death ---- */

static void test_granter_dies(void **state)
{
    uint32_t h, refused;
    uint64_t used;
    char *page;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    grant(21, fx.mapper, GRANT_GFN, 0);
    page = core_at(fx.h, fx.granter, CORE_RAM);
    strcpy(page, "still here");
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(rs_domain_destroy(fx.h, fx.granter), 0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.granter), -ESRCH);
    assert_string_equal((char *)core_at(fx.h, fx.mapper, HOLE(0)),
                        "still here");
    assert_int_equal(map(21, HOLE(1), 0, &refused), GNTST_bad_domain);
    /* Only the pinned page is still paid for. */
    used = core_used(fx.h);
    assert_int_equal(used, CORE_PAGES - MEMORY_FIRST_GFN + 1);
    assert_int_equal(unmap(h, HOLE(0)), GNTST_okay);
    assert_null(core_domain(fx.h, fx.granter));
    assert_int_equal(core_used(fx.h), CORE_PAGES - MEMORY_FIRST_GFN);
}

/* A mapper older than its dead granter; the host ends with both. */
static void test_host_ends_with_dying_granter(void **state)
{
    uint16_t younger = core_boot(fx.h);
    struct gnttab_map_grant_ref op;
    uint32_t h;

    (void)state;
    grant(20, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(20, HOLE(0), 0, &h), GNTST_okay);
    fx.granter = younger;
    grant(20, fx.mapper, GRANT_GFN, 0);
    op = map_of(20, HOLE(1), 0);
    assert_int_equal(do_map(&op), GNTST_okay);
    assert_int_equal(rs_domain_destroy(fx.h, younger), 0);
}

/* ---- processes ---- */

static int process_op(struct domain *d, uint64_t cmd, void *op, size_t size)
{
    return (int)core_process_op(d, __HYPERVISOR_grant_table_op, cmd, op, size);
}

static void test_window(void **state)
{
    struct domain *p = core_join(fx.h, RS_DOMID_DRIVER);
    struct gnttab_map_grant_ref op = map_of(20, 0, 0);
    struct gnttab_unmap_grant_ref un = { 0 };

    (void)state;
    core_windows = core_window_busy = 0;
    grant(20, RS_DOMID_DRIVER, GRANT_GFN, 0);
    assert_int_equal(process_op(p, GNTTABOP_map_grant_ref, &op, sizeof(op)), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(op.dev_bus_addr, CORE_RAM);
    assert_int_equal(core_windows, 1);
    un.handle = op.handle;
    core_window_busy = 1;
    assert_int_equal(process_op(p, GNTTABOP_unmap_grant_ref, &un, sizeof(un)),
                     0);
    assert_int_equal(un.status, GNTST_general_error);
    assert_int_equal(pins(), 1);
    core_window_busy = 0;
    assert_int_equal(process_op(p, GNTTABOP_unmap_grant_ref, &un, sizeof(un)),
                     0);
    assert_int_equal(un.status, GNTST_okay);
    assert_int_equal(core_windows, 0);
    assert_int_equal(pins(), 0);
    /* A process has nothing to grant. */
    op = map_of(20, HOLE(0), 0);
    op.dom = RS_DOMID_DRIVER;
    assert_int_equal(do_map(&op), GNTST_bad_gntref);
    domain_destroy(p);
}

/* The driver domain copies by reference, though it has no frames. */
static void test_copy_by_process(void **state)
{
    struct domain *p = core_join(fx.h, RS_DOMID_DRIVER);
    struct gnttab_copy op = {
        .source = { .u.ref = 20, .domid = fx.granter },
        .dest = { .u.ref = 21, .domid = fx.granter },
        .len = 4096,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
    };

    (void)state;
    memset(core_at(fx.h, fx.granter, CORE_RAM), 0xab, 4096);
    grant(20, RS_DOMID_DRIVER, GRANT_GFN, 0);
    grant(21, RS_DOMID_DRIVER, GRANT_GFN + 1, 0);
    assert_int_equal(core_process_op(p, __HYPERVISOR_grant_table_op,
                                     GNTTABOP_copy, &op, sizeof(op)),
                     0);
    assert_int_equal(op.status, GNTST_okay);
    assert_memory_equal(core_at(fx.h, fx.granter, CORE_RAM),
                        core_at(fx.h, fx.granter, CORE_RAM + 4096), 4096);
    op.flags = GNTCOPY_source_gref;
    op.dest.domid = DOMID_SELF;
    assert_int_equal(core_process_op(p, __HYPERVISOR_grant_table_op,
                                     GNTTABOP_copy, &op, sizeof(op)),
                     0);
    assert_int_equal(op.status, GNTST_bad_page);
    domain_destroy(p);
}

/* ---- the table's size ---- */

static void test_sizes(void **state)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_setup_table s = { .dom = DOMID_SELF };
    uint64_t *list = core_at(fx.h, fx.mapper, CORE_RAM);

    (void)state;
    assert_int_equal(core_op(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_query_size, &q, sizeof(q)),
                     0);
    assert_int_equal(q.status, GNTST_okay);
    assert_int_equal(q.nr_frames, 1);
    assert_int_equal(q.max_nr_frames, GRANT_MAX_FRAMES);
    s.nr_frames = 3;
    s.frame_list.p = (void *)CORE_RAM;
    assert_int_equal(core_op(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_setup_table, &s, sizeof(s)),
                     0);
    assert_int_equal(s.status, GNTST_okay);
    assert_int_equal(list[2], ~0ull);
    assert_int_equal(core_domain(fx.h, fx.mapper)->grants.nr_frames, 3);
    s.nr_frames = GRANT_MAX_FRAMES + 1;
    assert_int_equal(core_op(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_setup_table, &s, sizeof(s)),
                     0);
    assert_int_equal(s.status, GNTST_general_error);
    s.nr_frames = 1;
    s.frame_list.p = NULL;
    assert_int_equal(core_op(fx.h, fx.mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_setup_table, &s, sizeof(s)),
                     0);
    assert_int_equal(s.status, GNTST_bad_virt_addr);
}

/* A reference of the last frame works once the frame is there. */
static void test_second_frame(void **state)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF,
                                    .nr_frames = GRANT_MAX_FRAMES,
                                    .frame_list.p = (void *)CORE_RAM };
    uint32_t last = GRANT_MAX_FRAMES * GRANT_PER_FRAME - 1, h;

    (void)state;
    assert_int_equal(map(last, HOLE(0), 0, &h), GNTST_bad_gntref);
    assert_int_equal(core_op(fx.h, fx.granter, __HYPERVISOR_grant_table_op,
                             GNTTABOP_setup_table, &s, sizeof(s)),
                     0);
    grant(last, fx.mapper, GRANT_GFN, 0);
    assert_int_equal(map(last, HOLE(0), 0, &h), GNTST_okay);
    assert_int_equal(map(last + 1, HOLE(1), 0, &h), GNTST_bad_gntref);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_map_unmap),
        CASE(test_readonly),
        CASE(test_reading_and_writing),
        CASE(test_batch),
        CASE(test_self),
        CASE(test_long_array),
        CASE(test_copy_by_process),
        CASE(test_bad_addresses),
        CASE(test_bad_frames),
        CASE(test_bad_calls),
        CASE(test_entry_changed_while_mapped),
        CASE(test_entry_of_another_mapper),
        CASE(test_handles_are_used_again),
        CASE(test_many),
        CASE(test_granter_dies),
        CASE(test_host_ends_with_dying_granter),
        CASE(test_window),
        CASE(test_sizes),
        CASE(test_second_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
